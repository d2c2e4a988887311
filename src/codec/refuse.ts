/** Why a value cannot be kept, and the way round it: every refusal's wording in one place. */

import { types } from 'node:util'
import { isForeignRef } from '../refs/object-ref.ts'
import { isRefGenerator } from '../refs/object-ref-generator.ts'
import { Refusal } from './refusal.ts'

/** Throws the refusal for a value that no kind takes. */
export const refuse = (value: unknown): never => {
  throw new Refusal(reasonFor(value))
}

const reasonFor = (value: unknown): string => {
  if (typeof value === 'symbol') return 'is a symbol, which is unique to its thread; use a string'
  if (typeof value === 'function') return `is ${named('a function', 'the function', value)}; this thread cannot take functions apart`
  if (typeof value !== 'object' || value === null) return `has the unknown type ${typeof value}`
  return exoticReason(value) ?? classReason(value)
}

/** What an object is that looks plain, or nearly: `undefined` for real plain objects. */
export const exoticReason = (value: object): string | undefined => {
  if (types.isProxy(value)) return 'is a Proxy, whose traps stay behind; pass a plain copy of what it shows'
  if (types.isPromise(value)) return 'is a Promise; await it first, or pass an ObjectRef'
  if (types.isWeakMap(value) || types.isWeakSet(value) || value instanceof WeakRef) {
    return `is a ${weakName(value)}, whose weak references mean nothing in another thread; pass a Map, a Set or the value itself`
  }
  if (types.isGeneratorObject(value)) return 'is a running generator; pass an array of what it yields'
  if (isRefGenerator(value))
    return 'is a stream of refs, which belongs to the thread that made the call; pass refs that it gives, or make the call where they are used'
  if (types.isMapIterator(value) || types.isSetIterator(value)) return 'is an iterator in use; pass an array of what it yields'
  if (types.isArgumentsObject(value)) return 'is an arguments object; pass [...arguments]'
  if (types.isSharedArrayBuffer(value))
    return 'is a bare SharedArrayBuffer: shared mutable memory is no value; pass a typed array over it, which is taken by value'
  if (types.isModuleNamespaceObject(value)) return 'is a module; import it in the task instead'
  if (types.isExternal(value)) return 'is a native handle, which belongs to its thread'
  if (namespaces.has(value)) return `is the global namespace ${(value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? 'object'}; use the one there`
  if (isForeignRef(value)) return 'is an ObjectRef of another copy of mobula, which has a store of its own; get it there and pass the value'
  if (isDisguised(value)) return 'is a builtin object whose prototype was taken away; pass one with its own'
  return undefined
}

const weakName = (value: object): string => (types.isWeakMap(value) ? 'WeakMap' : types.isWeakSet(value) ? 'WeakSet' : 'WeakRef')

/** What has content that is no property: with the prototype of a plain object it would become `{}`. */
const isDisguised = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === null || prototype === Object.prototype) && isBuiltin(value)
}

const isBuiltin = (value: object): boolean =>
  types.isMap(value) ||
  types.isSet(value) ||
  types.isDate(value) ||
  types.isRegExp(value) ||
  types.isNativeError(value) ||
  types.isBoxedPrimitive(value) ||
  types.isArrayBuffer(value) ||
  ArrayBuffer.isView(value) ||
  Array.isArray(value)

const classReason = (value: object): string => {
  const name = classNameOf(value)
  const hint = hintForClass(name)
  if (hint !== undefined) return `is ${withArticle(name)}; ${hint}`
  return `is an instance of ${name === '' ? 'a class without a name' : `the class ${name}`}, which extends a builtin class in a way that does not travel; pass plain data, or registerCodec(${name}, { encode, decode })`
}

export const withArticle = (name: string): string => `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`

/** The way round for instances of well-known classes. */
export const hintForClass = (name: string): string | undefined => (Object.hasOwn(hints, name) ? hints[name] : undefined)

/** The name of an object's class, without running its code where that can be helped. */
export const classNameOf = (value: object): string => {
  try {
    const made = (value as { readonly constructor?: unknown }).constructor
    return typeof made === 'function' && typeof made.name === 'string' ? made.name : ''
  } catch {
    return ''
  }
}

const hints: Readonly<Record<string, string>> = {
  Blob: 'pass new Uint8Array(await blob.arrayBuffer())',
  File: 'pass new Uint8Array(await file.arrayBuffer()) and its name',
  CryptoKey: 'export it, pass the bytes and import it there',
  KeyObject: 'pass key.export(…) and make the key there',
  PublicKeyObject: 'pass key.export(…) and make the key there',
  PrivateKeyObject: 'pass key.export(…) and make the key there',
  SecretKeyObject: 'pass key.export() and make the key there',
  MessagePort: 'ports belong to their thread; return results instead of posting them',
  MessageChannel: 'ports belong to their thread; return results instead of posting them',
  AbortSignal: 'cancel the task instead',
  AbortController: 'cancel the task instead',
  AsyncLocalStorage: 'what it holds belongs to its thread; pass the value',
  Timeout: 'timers belong to their thread; start one in the task',
  Immediate: 'timers belong to their thread; start one in the task',
  Stream: 'open it in the task',
  EventEmitter: 'listeners belong to their thread; pass the data',
  Request: 'pass its url, method, headers and body',
  Response: 'pass await response.bytes() and what else is needed of it',
  FormData: 'pass [...form]',
  ReadableStream: 'pass what it holds, or open it in the task',
  WritableStream: 'open it in the task',
  TransformStream: 'open it in the task',
  Worker: 'threads belong to their process; pass the data',
  FileHandle: 'pass the path and open it in the task',
  Socket: 'pass the address and connect in the task',
  Server: 'pass the address and listen in the task',
  Module: 'pass the bytes and compile them in the task',
  Instance: 'pass the bytes and instantiate them in the task',
  Memory: 'pass a typed array over its buffer, which is taken by value',
  ...Object.fromEntries(
    ['TextEncoder', 'TextDecoder', ...Object.getOwnPropertyNames(Intl)].map((name) => [name, 'make it inside of the function, or in a module that it imports']),
  ),
}

const namespaces: ReadonlySet<object> = new Set<object>([Math, JSON, Reflect, Atomics, Intl])

const named = (anonymous: string, what: string, value: { readonly name?: unknown }): string =>
  typeof value.name === 'string' && value.name !== '' ? `${what} '${value.name}'` : anonymous
