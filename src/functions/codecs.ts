/** Codecs of users' classes, by the place where they were registered: the same on every thread that imports that module. */

import { pathToFileURL } from 'node:url'
import { type Capsule, Taken } from '../codec/capsules.ts'
import { type AnyClass, addCodec, type Codec, codecFor, keyFor } from '../codec/classes.ts'
import { badType } from '../errors/bad-input.ts'
import { programFile } from './entry.ts'
import { isFile } from './modules.ts'
import { callPlace } from './record.ts'
import { capsuleOf } from './references.ts'

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
  const { file, line } = callPlace()
  const url = file.startsWith('file:') ? file : pathToFileURL(file).href
  const parts = new CodecParts(freeKey(Class, url, line), Class, codec)
  // Importing the module registers it anywhere else; of the program's own file, of evaluated code and of calls it travels itself.
  return addCodec(codecOf(parts, !isFile(url) || programFile(url) || 'isValue' in keyFor(Class)))
}

/** A codec and its class, to be taken along. */
class CodecParts extends Taken {
  readonly key: string
  readonly Class: AnyClass
  readonly codec: CodecFunctions<object, unknown>

  constructor(key: string, Class: AnyClass, codec: CodecFunctions<object, unknown>) {
    super()
    this.key = key
    this.Class = Class
    this.codec = codec
  }
}

const codecOf = (parts: CodecParts, travels: boolean): Codec => {
  const { key, Class, codec } = parts
  const { encode, decode } = codec
  return { key, Class, whole: travels ? parts : undefined, encode: (value) => encode.call(codec, value as object), decode: (data) => decode.call(codec, data) }
}

export const takeCodec = (value: unknown): Capsule | undefined =>
  value instanceof CodecParts ? capsuleOf({ kind: 'codec', key: value.key }, [value.Class, value.codec], [', whose class', ', whose codec']) : undefined

/** Registers the codec that came along with a value, once. */
export const makeCodec = (key: string, [Class, codec]: readonly unknown[]): Codec => {
  const known = codecFor(key)
  if (known !== undefined) return known
  const made = codecOf(new CodecParts(key, Class as AnyClass, codec as CodecFunctions<object, unknown>), true)
  addCodec(made)
  return made
}

/** How many codecs for classes of one name were registered at each place: numbers are not used again. */
const counts = new Map<string, number>()

/** Its place, and a number where several codecs for classes of one name are registered at one place. */
const freeKey = (Class: AnyClass, url: string, line: number): string => {
  const key = `${url}#codec of ${Class.name} at line ${line}`
  const number = (counts.get(key) ?? 0) + 1
  counts.set(key, number)
  return number === 1 ? key : `${key} (${number})`
}
