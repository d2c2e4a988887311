/** Which classes both ends of a trip know by the same key, and what users registered to carry instances of theirs. */

import type { Taken } from './capsules.ts'

export type AnyClass = abstract new (...args: never[]) => object

/** How instances of a class travel: `encode` gives plain data, `decode` makes an instance of it. */
export interface Codec {
  /** Names the codec on every thread. */
  readonly key: string
  readonly Class: AnyClass
  /** What travels of it, where no module that the receiver can import registers it. */
  readonly whole?: Taken | undefined
  encode(value: unknown): unknown
  decode(data: unknown): unknown
}

/** A class's key; or that it travels itself, with its instances; or why it does neither. */
export type Found = { readonly key: string } | { readonly isValue: true } | { readonly reason: string }

const classOfKey = new Map<string, AnyClass>()
const keyOfClass = new WeakMap<AnyClass, string>()

/** Tells the codec that `key` (`url#export`) names a class, in both directions. Returns a function that takes it back. */
export const registerClass = (key: string, Class: AnyClass): (() => void) => {
  classOfKey.set(key, Class)
  keyOfClass.set(Class, key)
  return () => {
    if (classOfKey.get(key) === Class) classOfKey.delete(key)
    keyOfClass.delete(Class)
  }
}

/** True if decoding may run users' code, which may come back in: a codec's, or an accessor of a class. */
export const mayRunUserCode = (): boolean => codecsOf.size > 0 || classOfKey.size > 0

let find: (Class: AnyClass) => Found = () => ({ reason: 'nobody said where its class comes from' })

let hides: (value: object) => boolean | undefined = () => undefined

/** Whether an object has state that nobody else can read; `undefined` if that cannot be told. */
export const hidesState = (value: object): boolean | undefined => hides(value)

/** What is asked for a class without a key, and for a first instance: where classes come from and what they hide is nothing that this room knows. */
export const setClassFinder = (
  finder: (Class: AnyClass) => Found,
  hidden: (value: object) => boolean | undefined,
  travelled: (Class: AnyClass) => boolean = () => false,
): void => {
  hasTravelled = travelled
  find = finder
  hides = hidden
}

export const classFor = (key: string): AnyClass | undefined => classOfKey.get(key)

/** Classes that travelled themselves, so that other threads have them, or their makers. */
let hasTravelled: (Class: AnyClass) => boolean = () => false

export const travels = (Class: AnyClass): boolean => hasTravelled(Class)

/** The key of a class that somebody has registered. */
export const keyOfRegistered = (Class: AnyClass): string | undefined => keyOfClass.get(Class)

/** Classes that have no key, and why. Asking again costs 0.3 ms, and an error class is asked for with each error that is thrown. */
const without = new WeakMap<AnyClass, Found>()

/** The key under which instances of a class travel. */
export const keyFor = (Class: AnyClass): Found => {
  // Whoever registers a class later, as an import does, comes before what was found earlier.
  const known = keyOfClass.get(Class)
  if (known !== undefined) return { key: known }
  const found = without.get(Class) ?? find(Class)
  if (!('key' in found)) {
    without.set(Class, found)
    return found
  }
  const other = classOfKey.get(found.key)
  if (other !== undefined && other !== Class)
    return { reason: `another class there has the same name and the same text; registerCodec(${Class.name}, { encode, decode })` }
  registerClass(found.key, Class)
  return found
}

/** By prototype; the newest is in force. */
const codecsOf = new Map<object, Codec[]>()
const codecOfKey = new Map<string, Codec>()
/** What instances of a prototype are carried by, as it was found last. */
let nearest = new WeakMap<object, Codec | false>()

/** Registers a codec for a class and those that extend it. Returns a function that takes it back. */
export const addCodec = (codec: Codec): (() => void) => {
  const prototype = codec.Class.prototype as object
  const stack = codecsOf.get(prototype) ?? []
  stack.push(codec)
  codecsOf.set(prototype, stack)
  codecOfKey.set(codec.key, codec)
  nearest = new WeakMap()
  return () => {
    const at = stack.indexOf(codec)
    if (at < 0) return
    stack.splice(at, 1)
    if (stack.length === 0) codecsOf.delete(prototype)
    if (codecOfKey.get(codec.key) === codec) codecOfKey.delete(codec.key)
    nearest = new WeakMap()
  }
}

export const codecFor = (key: string): Codec | undefined => codecOfKey.get(key)

export const hasCodec = (key: string): boolean => codecOfKey.has(key)

/** The codec of the nearest class up the chain of prototypes that has one. */
export const nearestCodec = (prototype: object): Codec | undefined => {
  if (codecsOf.size === 0) return undefined
  const known = nearest.get(prototype)
  if (known !== undefined) return known === false ? undefined : known
  let codec: Codec | undefined
  for (let at: object | null = prototype; at !== null && codec === undefined; at = Object.getPrototypeOf(at) as object | null) codec = codecsOf.get(at)?.at(-1)
  nearest.set(prototype, codec ?? false)
  return codec
}
