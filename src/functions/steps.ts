/** What a function has beside its text: own properties, those of its prototype object, and what both inherit from. */

import { types } from 'node:util'
import { isFunctionPrototype, isObjectPrototype } from '../codec/realm.ts'
import { factsOf, isNativeText } from './facts.ts'
import { captureRefusal } from './refuse-capture.ts'
import { type FunctionTemplate, flagsOf, type Step } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

export interface Steps {
  readonly steps: readonly Step[]
  readonly values: readonly unknown[]
  readonly names: readonly string[]
}

/** Functions have these by themselves. */
const OWN: ReadonlySet<PropertyKey> = new Set(['length', 'name', 'prototype', 'arguments', 'caller'])

class Gathered implements Steps {
  readonly steps: Step[] = []
  readonly values: unknown[] = []
  readonly names: string[] = []

  property(at: 'own' | 'prototype', key: string | symbol, descriptor: PropertyDescriptor): void {
    const { get, set, value } = descriptor
    const symbol = typeof key === 'symbol'
    const named = `its ${at === 'own' ? 'property' : "prototype's property"} ${String(key)}`
    const all = [
      ...(symbol ? [key] : []),
      ...(get === undefined ? [] : [get]),
      ...(set === undefined ? [] : [set]),
      ...((get ?? set) === undefined ? [value] : []),
    ]
    this.steps.push({ at, property: { key: symbol ? '' : key, symbol, flags: flagsOf(descriptor), get: get !== undefined, set: set !== undefined } })
    this.values.push(...all)
    this.names.push(...all.map(() => named))
  }

  closed(what: 'own' | 'prototype', value: object): void {
    if (!Object.isExtensible(value)) this.steps.push({ at: Object.isFrozen(value) ? 'frozen' : Object.isSealed(value) ? 'sealed' : 'closed', what })
  }

  parent(at: 'parent' | 'base', value: unknown): void {
    this.steps.push({ at })
    this.values.push(value)
    this.names.push('what it inherits from')
  }
}

const NONE: Steps = { steps: [], values: [], names: [] }

export const stepsOf = (fn: AnyFunction, { text, isClass, extends: isDerived }: FunctionTemplate): Steps => {
  if (!isClass && isBare(fn)) return NONE
  const gathered = new Gathered()
  const prototype: unknown = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value
  for (const key of Reflect.ownKeys(fn)) {
    if (OWN.has(key) && !(isClass && (key === 'name' || key === 'length') && isOdd(fn, key))) continue
    const descriptor = Object.getOwnPropertyDescriptor(fn, key) as PropertyDescriptor
    if (isClass && isWritten(descriptor, text)) continue
    gathered.property('own', key, descriptor)
  }
  if (typeof prototype === 'object' && prototype !== null) {
    for (const key of Reflect.ownKeys(prototype)) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, key) as PropertyDescriptor
      if (key === 'constructor' && descriptor.value === fn && descriptor.configurable === true) continue
      if (isClass && isWritten(descriptor, text)) continue
      gathered.property('prototype', key, descriptor)
    }
  }
  if (isClass) deleted(gathered, prototype as object, text)
  if (!isClass) inheritance(gathered, fn, prototype)
  else refuseMixedUp(fn, prototype as object, isDerived)
  if (isClass && !isDerived && !isFunctionPrototype(Object.getPrototypeOf(fn))) gathered.parent('parent', Object.getPrototypeOf(fn))
  gathered.closed('own', fn)
  if (typeof prototype === 'object' && prototype !== null) gathered.closed('prototype', prototype)
  return gathered
}

/** Nearly all are: nothing was added to them. */
const isBare = (fn: AnyFunction): boolean => {
  if (!Object.isExtensible(fn)) return false
  const keys = Reflect.ownKeys(fn)
  for (let k = 0; k < keys.length; k++) if (!OWN.has(keys[k] as PropertyKey)) return false
  const prototype = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value as object | undefined
  const own = prototype === undefined ? [] : Reflect.ownKeys(prototype)
  if (own.length > 1 || (own.length === 1 && own[0] !== 'constructor')) return false
  if (own.length === 1 && !isObjectPrototype(Object.getPrototypeOf(prototype))) return false
  const parent: unknown = Object.getPrototypeOf(fn)
  return isFunctionPrototype(parent) || (typeof parent === 'object' && own.length === 0)
}

/** A class and its prototype object inherit from the same class, unless somebody changed one of them. */
const refuseMixedUp = (fn: AnyFunction, prototype: object, isDerived: boolean): void => {
  const parent: unknown = Object.getPrototypeOf(fn)
  const above: unknown = Object.getPrototypeOf(prototype)
  const isExpected =
    !isDerived || isFunctionPrototype(parent)
      ? above === null || isObjectPrototype(above)
      : above === (parent as { readonly prototype?: unknown } | null)?.prototype
  if (!isExpected) throw captureRefusal('inherits from one class, and its prototype from another, which does not travel; extend the class where it is written')
}

/** Members that the text has and the prototype has not. */
const deleted = (gathered: Gathered, prototype: object, text: string): void => {
  const facts = factsOf(text)
  if (typeof facts === 'string') return
  for (const key of facts.class?.memberNames ?? []) if (!Object.hasOwn(prototype, key)) gathered.steps.push({ at: 'deleted', key })
}

/** Functions that were made by `function` alone have a prototype object that inherits from another's. */
const inheritance = (gathered: Gathered, fn: AnyFunction, prototype: unknown): void => {
  const parent: unknown = Object.getPrototypeOf(fn)
  if (typeof parent === 'function' && !isFunctionPrototype(parent) && isOrdinary(parent)) gathered.parent('parent', parent)
  if (
    typeof parent === 'object' &&
    parent !== null &&
    Object.hasOwn(parent, 'constructor') &&
    !isNativeText(Function.prototype.toString.call(parent.constructor))
  )
    throw captureRefusal('is an instance of a class of functions, which does not travel; use a class with a method')
  if (typeof prototype !== 'object' || prototype === null || isGenerating(fn)) return
  const made: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  if (made !== fn) throw captureRefusal('has a prototype whose constructor is another function or none; set prototype.constructor, or use a class')
  const above: unknown = Object.getPrototypeOf(prototype)
  if (isObjectPrototype(above)) return
  const base: unknown = above === null ? undefined : (above as { readonly constructor?: unknown }).constructor
  if (typeof base !== 'function' || base.prototype !== above) throw captureRefusal('has a prototype that inherits from no function; use a class')
  gathered.parent('base', base)
}

/** The prototypes of generators have no constructor. */
const isGenerating = (fn: AnyFunction): boolean => types.isGeneratorFunction(fn)

/** `Function.prototype` of async functions and generators is an object that is none of the user's. */
const isOrdinary = (parent: object): boolean => Object.getOwnPropertyDescriptor(parent, 'prototype') !== undefined

/** A class with a static member of that name. */
const isOdd = (fn: AnyFunction, key: 'name' | 'length'): boolean => {
  const descriptor = Object.getOwnPropertyDescriptor(fn, key)
  return descriptor !== undefined && (typeof descriptor.value !== (key === 'name' ? 'string' : 'number') || descriptor.writable === true)
}

/** Methods and accessors that the text of the class has. */
const isWritten = ({ value, get, set, enumerable, configurable, writable }: PropertyDescriptor, text: string): boolean => {
  if (configurable !== true || writable === false) return false
  if (enumerable === true) return typeof value === 'function' && isOwnArrow(value as AnyFunction, text)
  const member: unknown = value ?? get ?? set
  return typeof member === 'function' && text.includes(Function.prototype.toString.call(member))
}

/** A static field whose arrow uses `this`, the class: only its own text makes it again. */
const isOwnArrow = (value: AnyFunction, text: string): boolean => {
  const own = Function.prototype.toString.call(value)
  return value.prototype === undefined && /\bthis\b/.test(own) && text.includes(own)
}
