/** What every thread has by itself: the standard globals, what hangs on them, and the exports of builtin modules. */

import { builtinModules, createRequire } from 'node:module'
import { isFunctionPrototype, isObjectPrototype, isOutermost, outermost } from '../codec/realm.ts'

/** What of the standard globals can be listed, as all can that programs add. The last are those of evaluated code. */
const LISTED: ReadonlySet<string> = new Set([
  ...['global', 'clearImmediate', 'setImmediate', 'clearInterval', 'clearTimeout', 'setInterval', 'setTimeout', 'queueMicrotask', 'structuredClone'],
  ...['atob', 'btoa', 'performance', 'fetch', 'crypto', 'navigator', 'localStorage', 'sessionStorage'],
  ...['require', 'module', 'exports', '__filename', '__dirname'],
])

/** In Node's realm: others copy globals as they like. */
const isStandard = (name: string): boolean => {
  const { enumerable, value } = Object.getOwnPropertyDescriptor(outermost(), name) ?? Object.getOwnPropertyDescriptor(globalThis, name) ?? {}
  return enumerable !== true || value === undefined || LISTED.has(name)
}

/** As they were when this module was loaded. What programs add later is theirs, and so is what can be listed: a test framework adds it before. */
const names: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(globalThis).filter(isStandard))

export const isGlobalName = (name: string): boolean => names.has(name)

const isThing = (value: unknown): value is object => typeof value === 'function' || (typeof value === 'object' && value !== null)

/** Accessors are not touched: some globals load much when they are first asked for, or warn. */
const dataOf = (holder: object): [string, object][] =>
  Object.entries(Object.getOwnPropertyDescriptors(holder)).flatMap(([key, { value }]) => (isThing(value) ? [[key, value] as [string, object]] : []))

/** Intrinsics of the language that no global is. */
const hidden: Readonly<Record<string, object>> = {
  '%AsyncFunction%': (async () => {}).constructor,
  '%GeneratorFunction%': function* () {}.constructor,
  '%AsyncGeneratorFunction%': async function* () {}.constructor,
  '%TypedArray%': Object.getPrototypeOf(Uint8Array) as object,
  '%TypedArrayPrototype%': (Object.getPrototypeOf(Uint8Array) as { readonly prototype: object }).prototype,
  '%ArrayIteratorPrototype%': Object.getPrototypeOf([][Symbol.iterator]()) as object,
  '%MapIteratorPrototype%': Object.getPrototypeOf(new Map()[Symbol.iterator]()) as object,
  '%SetIteratorPrototype%': Object.getPrototypeOf(new Set()[Symbol.iterator]()) as object,
  '%StringIteratorPrototype%': Object.getPrototypeOf(''[Symbol.iterator]()) as object,
  '%IteratorPrototype%': Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object,
  '%GeneratorPrototype%': Object.getPrototypeOf(function* () {}).prototype as object,
  '%AsyncGeneratorPrototype%': Object.getPrototypeOf(async function* () {}).prototype as object,
}

let intrinsics: Map<object, readonly string[]> | undefined

/** About 2 ms, when something native without a name of its own is met first. */
const findIntrinsics = (): Map<object, readonly string[]> => {
  const found = new Map<object, readonly string[]>()
  const add = (value: object, path: readonly string[]): void => {
    if (!found.has(value)) found.set(value, path)
  }
  // These two are accessors that are loaded anyway.
  const always = ({ process, Buffer }: Pick<typeof globalThis, 'process' | 'Buffer'>): [string, object][] => [
    ['process', process],
    ['Buffer', Buffer],
  ]
  const realms = isOutermost() ? [globalThis] : [globalThis, outermost() as unknown as typeof globalThis]
  const tops = realms.flatMap((realm) => [...dataOf(realm).filter(([name, value]) => names.has(name) && value !== realm), ...always(realm)])
  for (const realm of realms) add(realm, [])
  for (const [name, value] of tops) add(value, [name])
  for (const [name, value] of Object.entries(hidden)) add(value, [name])
  for (const [name, value] of tops) {
    for (const [key, inner] of dataOf(value)) {
      add(inner, [name, key])
      if (key === 'prototype') for (const [method, fn] of dataOf(inner)) if (method !== 'constructor') add(fn, [name, key, method])
    }
  }
  return found
}

/** The way from `globalThis` to a value that is the language's or Node's. */
export const globalPath = (value: object): readonly string[] | undefined => {
  intrinsics ??= findIntrinsics()
  return intrinsics.get(value)
}

export const globalAt = (path: readonly string[]): unknown => {
  const [first = ''] = path
  if (Object.hasOwn(hidden, first)) return hidden[first]
  let at: unknown = globalThis
  for (const key of path) at = (at as Record<string, unknown>)[key]
  return at
}

export interface BuiltinExport {
  readonly module: string
  readonly path: readonly string[]
  /** Not the export itself, but what `util.promisify` gives of it. */
  readonly isPromisified: boolean
}

/** Builtin modules by name that this thread has loaded; others export nothing that anybody could hold. */
const loadedBuiltins = (): string[] => {
  const { moduleLoadList } = process as unknown as { readonly moduleLoadList?: readonly string[] }
  const loaded = new Set(moduleLoadList ?? [])
  return builtinModules.filter((name) => !name.startsWith('_') && loaded.has(`NativeModule ${name}`))
}

let builtins = new Map<object, BuiltinExport>()
let builtinsSeen = 0

/** The export of a builtin module that a value is. */
export const builtinExport = (value: object): BuiltinExport | undefined => {
  const loaded = loadedBuiltins()
  if (loaded.length !== builtinsSeen) {
    builtinsSeen = loaded.length
    builtins = findExports(loaded)
  }
  return builtins.get(value)
}

/** Where Node keeps what `util.promisify` gives of a function that it has its own way for. */
const PROMISIFIED: unique symbol = Symbol.for('nodejs.util.promisify.custom') as never

const findExports = (modules: readonly string[]): Map<object, BuiltinExport> => {
  const found = new Map<object, BuiltinExport>()
  const add = (value: object, module: string, path: readonly string[], isPromisified = false): void => {
    if (!found.has(value) && !isBuiltinPrototype(value)) found.set(value, { module: `node:${module}`, path, isPromisified })
  }
  const require = createRequire(import.meta.url)
  const all = modules.map((name): [string, object] => [name, require(`node:${name}`) as object])
  for (const [name, value] of all) add(value, name, [])
  for (const [name, value] of all) {
    if (!isThing(value)) continue
    for (const [key, inner] of dataOf(value)) {
      add(inner, name, [key])
      const custom: unknown = typeof inner === 'function' ? Object.getOwnPropertyDescriptor(inner, PROMISIFIED)?.value : undefined
      if (isThing(custom)) add(custom, name, [key], true)
    }
  }
  return found
}

const isBuiltinPrototype = (value: object): boolean => isObjectPrototype(value) || isFunctionPrototype(value) || value === globalThis

/** True for a builtin module, with or without `node:`. */
export const isBuiltinSpecifier = (specifier: string): boolean => specifier.startsWith('node:') || builtinModules.includes(specifier)
