/** Captured objects that are more than their enumerable data: accessors, symbols as keys, what may not be changed, a prototype of their own. */

import { types } from 'node:util'
import type { Capsule, Unfinished } from '../codec/capsules.ts'
import { isArrayPrototype, isObjectPrototype } from '../codec/realm.ts'
import { exoticReason } from '../codec/refuse.ts'
import { isNativeText } from './facts.ts'
import { FLAG, flagsOf, type ObjectTemplate, type PropertyTemplate } from './template.ts'

const ALL = FLAG.writable | FLAG.enumerable | FLAG.configurable

/** Undefined: the object is what its enumerable data is, or something that this is not about. */
export const takeObject = (value: object): Capsule | undefined => {
  const prototype: object | null = Object.getPrototypeOf(value) as object | null
  const isArray = Array.isArray(value)
  if (isArray ? !isArrayPrototype(prototype) : !isPlainOrOwn(value, prototype)) return undefined
  const hasOwnPrototype = !isArray && prototype !== null && !isObjectPrototype(prototype)
  // Elements of arrays are looked at one by one only where something was done to the array.
  if (!hasOwnPrototype && Object.isExtensible(value) && !isSpecial(value, isArray)) return undefined
  const keys: PropertyTemplate[] = []
  const values: unknown[] = []
  const steps: string[] = []
  const add = (one: unknown, step: string): void => {
    values.push(one)
    steps.push(step)
  }
  if (hasOwnPrototype) add(prototype, "'s prototype")
  for (const key of Reflect.ownKeys(value)) {
    const descriptor = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor
    if (isArray && key === 'length') continue
    const { get, set } = descriptor
    const step = typeof key === 'symbol' ? `[${String(key)}]` : `.${key}`
    keys.push({
      key: typeof key === 'symbol' ? '' : key,
      symbol: typeof key === 'symbol',
      flags: flagsOf(descriptor),
      get: get !== undefined,
      set: set !== undefined,
    })
    if (typeof key === 'symbol') add(key, step)
    if (get !== undefined) add(get, `${step} (get)`)
    if (set !== undefined) add(set, `${step} (set)`)
    if ((get ?? set) === undefined) add(descriptor.value, step)
  }
  const template: ObjectTemplate = {
    kind: 'object',
    prototype: hasOwnPrototype ? 'own' : isArray ? 'array' : prototype === null ? 'none' : 'plain',
    length: isArray ? value.length : 0,
    isExtensible: Object.isExtensible(value),
    keys,
  }
  return { template: JSON.stringify(template), values, steps, id: '' }
}

const isSpecial = (value: object, isArray: boolean): boolean => {
  if (Object.getOwnPropertySymbols(value).length > 0) return true
  if (isArray) return false
  const names = Object.getOwnPropertyNames(value)
  for (let k = 0; k < names.length; k++) {
    const descriptor = Object.getOwnPropertyDescriptor(value, names[k] as string) as PropertyDescriptor
    if ((descriptor.get ?? descriptor.set) !== undefined || flagsOf(descriptor) !== ALL) return true
  }
  return false
}

/** Made by hand: of a plain prototype, of none, or of one that is no class's and has nothing native about it. */
const isPlainOrOwn = (value: object, prototype: object | null): boolean => {
  if (types.isProxy(value) || exoticReason(value) !== undefined) return false
  if (prototype === null || isObjectPrototype(prototype)) return true
  for (let at: object | null = prototype; !isObjectPrototype(at); at = Object.getPrototypeOf(at) as object | null) {
    if (at === null) return true
    if (types.isProxy(at) || Object.hasOwn(at, 'constructor') || Object.values(Object.getOwnPropertyDescriptors(at)).some(isNative)) return false
  }
  return true
}

const isNative = ({ value, get }: PropertyDescriptor): boolean => {
  const fn: unknown = value ?? get
  return typeof fn === 'function' && isNativeText(Function.prototype.toString.call(fn))
}

export const makeObject = (template: ObjectTemplate, values: readonly unknown[]): object => {
  const { value, finish } = beginObject(template)
  finish(values)
  return value
}

export const beginObject = (template: ObjectTemplate): Unfinished => {
  const value: object = template.prototype === 'array' ? new Array(template.length) : template.prototype === 'none' ? (Object.create(null) as object) : {}
  return { value, finish: (values) => fill(value, template, values) }
}

const fill = (value: object, { prototype, keys, isExtensible }: ObjectTemplate, values: readonly unknown[]): void => {
  let at = 0
  if (prototype === 'own') Object.setPrototypeOf(value, values[at++] as object)
  for (const property of keys) at = defineProperty(value, property, { values, at })
  if (!isExtensible) Object.preventExtensions(value)
}

/** Defines a property as it was, of the values from `at` on. Returns where the next one's begin. */
export const defineProperty = (
  on: object,
  { key, symbol, flags, get, set }: PropertyTemplate,
  from: { readonly values: readonly unknown[]; readonly at: number },
): number => {
  const { values } = from
  let { at } = from
  const name = symbol ? (values[at++] as symbol) : key
  const before = Object.getOwnPropertyDescriptor(on, name)
  // Of a class that comes along again: what nobody can change is as it was.
  if (before?.configurable === false && before.writable !== true) return at + (get || set ? Number(get) + Number(set) : 1)
  const shape = { enumerable: (flags & FLAG.enumerable) !== 0, configurable: (flags & FLAG.configurable) !== 0 }
  if (get || set) {
    const getter = get ? { get: values[at++] as () => unknown } : {}
    const setter = set ? { set: values[at++] as (value: unknown) => void } : {}
    Object.defineProperty(on, name, { ...getter, ...setter, ...shape })
  } else Object.defineProperty(on, name, { value: values[at++], writable: (flags & FLAG.writable) !== 0, ...shape })
  return at
}
