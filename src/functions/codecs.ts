/** Codecs of users' classes, by the place where they were registered: the same on every thread that imports that module. */

import { pathToFileURL } from 'node:url'
import { type AnyClass, addCodec } from '../codec/classes.ts'
import { badType } from '../errors/bad-input.ts'
import { callPlace } from './record.ts'

export interface CodecFunctions<T extends object, D> {
  /** Data for an instance. */
  encode(value: T): D
  /** An instance made of that data. */
  decode(data: D): T
}

/** What has a form of its own in the encoded bytes keeps it. */
const builtins: ReadonlySet<unknown> = new Set<unknown>([
  Object,
  Array,
  Function,
  Map,
  Set,
  Date,
  RegExp,
  ArrayBuffer,
  DataView,
  Uint8Array,
  Buffer,
  Promise,
  Error,
])

export const defineCodec = (Class: AnyClass, codec: CodecFunctions<object, unknown>): (() => void) => {
  if (typeof Class !== 'function' || typeof Class.prototype !== 'object' || Class.prototype === null) throw badType('Class', 'a class', Class)
  if (builtins.has(Class)) throw badType('Class', 'a class of your own', Class)
  if (typeof codec !== 'object' || codec === null) throw badType('codec', 'an object with encode and decode', codec)
  const { encode, decode } = codec
  if (typeof encode !== 'function') throw badType('codec.encode', 'a function', encode)
  if (typeof decode !== 'function') throw badType('codec.decode', 'a function', decode)
  const key = freeKey(Class)
  return addCodec({ key, Class, encode: (value) => encode.call(codec, value as object), decode: (data) => decode.call(codec, data) })
}

/** How many codecs for classes of one name were registered at each place: numbers are not used again. */
const counts = new Map<string, number>()

/** Its place, and a number where several codecs for classes of one name are registered at one place. */
const freeKey = (Class: AnyClass): string => {
  const { file, line } = callPlace()
  const url = file.startsWith('file:') ? file : pathToFileURL(file).href
  const key = `${url}#codec of ${Class.name} at line ${line}`
  const number = (counts.get(key) ?? 0) + 1
  counts.set(key, number)
  return number === 1 ? key : `${key} (${number})`
}
