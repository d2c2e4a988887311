/** What both ends have: the language's, Node's, packages' and imported things travel as the way to find them. */

import { types } from 'node:util'
import { type Capsule, Taken } from '../codec/capsules.ts'
import { isObjectPrototype } from '../codec/realm.ts'
import type { CellSession as Session } from './cells.ts'
import { requiringFolder } from './commonjs.ts'
import { builtinExport, globalPath } from './globals.ts'
import { boundOf, type FunctionView } from './inspector.ts'
import { packageExport, parentOf } from './modules.ts'
import { nameThing } from './origins.ts'
import { toRecord } from './project.ts'
import { captureRefusal } from './refuse-capture.ts'
import type { Template } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

/** Something that both ends have, in the place of the value: the receiver looks it up. */
export class Reference extends Taken {
  readonly capsule: Capsule
  constructor(capsule: Capsule) {
    super()
    this.capsule = capsule
  }
}

export const capsuleOf = (template: Template, values: readonly unknown[] = [], steps: Capsule['steps'] = [], id = ''): Capsule => ({
  template: toRecord(template),
  values,
  steps,
  id,
})

/** What stands for a value that is the language's, Node's or a package's. */
export const takeNamed = (value: object): Capsule | undefined => {
  const path = globalPath(value)
  if (path !== undefined) return capsuleOf({ kind: 'global', path })
  const builtin = builtinExport(value)
  const parent = parentOf('')
  if (builtin !== undefined) {
    const exported = capsuleOf({ kind: 'import', from: { local: '', how: 'require', specifier: builtin.module, parent, path: builtin.path } })
    return builtin.isPromisified ? capsuleOf({ kind: 'promisified' }, [new Reference(exported)], ['']) : exported
  }
  const exported = packageExport(value)
  return exported === undefined
    ? undefined
    : capsuleOf({ kind: 'import', from: { local: '', how: 'require', specifier: exported.file, parent, path: exported.path } })
}

/** Objects of the language's, Node's and packages' that have functions: they are nobody's data. */
export const takeShared = (value: object): Capsule | undefined => (mayBeShared(value) ? takeNamed(value) : undefined)

/** So many properties of an object are looked at before it is taken for data. */
const LOOKED_AT = 8

/** Asking whether something is shared takes a millisecond the first time, which data should not cost. */
const mayBeShared = (value: object): boolean => {
  if (types.isModuleNamespaceObject(value) || value === globalThis || value === process || value === process.env) return true
  if (Array.isArray(value) || types.isProxy(value)) return false
  if (Object.getOwnPropertyDescriptor(value, Symbol.toStringTag) !== undefined) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!isObjectPrototype(prototype) && prototype !== null) return false
  const names = Object.getOwnPropertyNames(value)
  for (let k = 0; k < names.length && k < LOOKED_AT; k++) {
    const descriptor = Object.getOwnPropertyDescriptor(value, names[k] as string) as PropertyDescriptor
    if (typeof descriptor.value === 'function' || descriptor.get !== undefined) return true
  }
  return false
}

/** What a file of this encoding imports, met as a value. */
export const takeImported = (value: object | symbol, session: Session): Capsule | undefined => {
  const imported = session.imported.get(value)?.()
  return imported === undefined ? undefined : capsuleOf(imported)
}

/** What was made here of a template that says how it is found, so that it goes on as that. */
const remembered = new WeakMap<object, Capsule>()

export const rememberTemplate = <T extends object>(made: T, template: Template, values: readonly unknown[] = []): T => {
  remembered.set(made, capsuleOf(template, values))
  return made
}

/** The capsule of a value that is a reference, or that both ends have. */
export const takeReference = (value: unknown): Capsule | undefined => (value instanceof Reference ? value.capsule : remembered.get(value as object))

export const takeSymbol = (value: symbol): Capsule => {
  const shared = Symbol.keyFor(value)
  if (shared !== undefined) return capsuleOf({ kind: 'symbol', how: 'shared', text: shared })
  for (const key of Reflect.ownKeys(Symbol))
    if ((Symbol as unknown as Record<PropertyKey, unknown>)[key] === value) return capsuleOf({ kind: 'global', path: ['Symbol', String(key)] })
  return capsuleOf({ kind: 'symbol', how: 'local', ...(value.description !== undefined && { text: value.description }) }, [], [], nameThing(value))
}

/** A function without a text: by where it is found, or what it was bound to. */
export const takeNative = (fn: AnyFunction): Capsule => {
  const reference = takeNamed(fn)
  if (reference !== undefined) return reference
  const bound = boundOf(fn as never)
  if (bound === undefined)
    throw captureRefusal('is a native function, which has no text to send; call it inside of a function of your own, which imports what it comes from')
  return capsuleOf({ kind: 'bound' }, [bound.target, bound.self, bound.args], [', bound to', ', bound as this to', ', bound with the arguments '])
}

/** Functions of Node's own modules and of packages: by where they are exported. */
export const takeForeign = (fn: AnyFunction, view: FunctionView | undefined, url: string | undefined): Capsule | undefined => {
  if (url !== undefined && OWN.some((folder) => url.startsWith(folder))) return takeOwn(fn)
  if (url === undefined || (!url.startsWith('node:') && !url.includes('/node_modules/'))) return undefined
  const reference = takeNamed(fn)
  if (reference !== undefined) return reference
  const original = url === 'node:internal/util' ? view?.scopes.find(({ object }) => Object.hasOwn(object, 'original'))?.object.original : undefined
  const folder = requiringFolder(fn)
  if (folder !== undefined) return capsuleOf({ kind: 'require', parent: folder })
  // What `util.promisify` makes: its text is Node's own, and the function that it wraps lies in its scope.
  if (typeof original === 'function') return capsuleOf({ kind: 'promisified' }, [original], [', made by util.promisify of'])
  if (url.startsWith('node:')) throw captureRefusal("is a function of Node's own that no module exports; import what it comes from inside of the function")
  return undefined
}

/** This package's own code, in a checkout and as it is built. */
const OWN = ['../api/', '../runtime/', '../errors/', '../refs/', '../bundle/'].map((folder) => new URL(folder, import.meta.url).href)
const INDEX: string = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : '../index.js', import.meta.url).href

/** What this package exports every worker has, whatever a compiler made of the way to it. */
const takeOwn = (fn: AnyFunction): Capsule | undefined => {
  const name = 'module' in fn ? 'remote' : fn.name
  return /^[A-Za-z]+$/.test(name) ? capsuleOf({ kind: 'import', from: { local: '', how: 'import', specifier: INDEX, parent: INDEX, path: [name] } }) : undefined
}
