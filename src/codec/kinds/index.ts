/** The kinds of values: which one takes an object that is neither a plain one nor an array, and which one reads a tag. */

import { types } from 'node:util'
import { isError } from '../../errors/task-error.ts'
import { ObjectRef } from '../../refs/object-ref.ts'
import { TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { isArrayPrototype, isObjectPrototype } from '../realm.ts'
import { Refusal } from '../refusal.ts'
import { classNameOf, exoticReason, refuse } from '../refuse.ts'
import type { Writer } from '../writer.ts'
import { looksLikeArrow, readArrow, writeArrow } from './arrow.ts'
import { readArrayBuffer, readView, writeArrayBuffer, writeView } from './binary.ts'
import { readBoxed, writeBoxed } from './boxed.ts'
import { isTaken, readCapsule, writeTaken } from './capsule.ts'
import { readMap, readSet, writeMap, writeSet } from './collection.ts'
import { readDate, writeDate } from './date.ts'
import { readDomException, readError, readTaskError, writeDomException, writeError } from './error.ts'
import { readCoded, readInstance, writeCoded, writeInstance, writeRecordInstance, writeSibling } from './instance.ts'
import { readWithProperties, writeArray, writeNullPrototype, writeRecord, writeWithProperties } from './plain.ts'
import { readBigInt, readLongString } from './primitive.ts'
import { readDependency, readRef, writeRef } from './ref.ts'
import { readRegExp, writeRegExp } from './regexp.ts'
import { isHeaders, isSearchParams, isUrl, readHeaders, readSearchParams, readUrl, writeHeaders, writeSearchParams, writeUrl } from './url.ts'

type Read = (reader: Reader, head: number, at: number) => unknown

/** By tag; what the reader handles itself is not here. */
export const readers: readonly (Read | undefined)[] = (() => {
  const table: (Read | undefined)[] = new Array(128).fill(undefined)
  table[TAG.bigint] = readBigInt
  table[TAG.longString] = readLongString
  table[TAG.withProperties] = readWithProperties
  table[TAG.map] = readMap
  table[TAG.set] = readSet
  table[TAG.date] = readDate
  table[TAG.regexp] = readRegExp
  table[TAG.boxed] = readBoxed
  table[TAG.view] = readView
  table[TAG.arrayBuffer] = readArrayBuffer
  table[TAG.arrow] = readArrow
  table[TAG.error] = readError
  table[TAG.taskError] = readTaskError
  table[TAG.domException] = readDomException
  table[TAG.url] = readUrl
  table[TAG.searchParams] = readSearchParams
  table[TAG.headers] = readHeaders
  table[TAG.ref] = readRef
  table[TAG.dependency] = readDependency
  table[TAG.instance] = readInstance
  table[TAG.coded] = readCoded
  table[TAG.capsule] = readCapsule
  return table
})()

type Write = (writer: Writer, value: never, prototype: object | null, name: string) => void

interface Kind {
  readonly matches: (value: object, name: string) => boolean
  readonly write: Write
  /** Builtin kinds: how many prototypes lie above an instance. One more means a user's subclass, which would lose its class. */
  readonly height?: number
  /** True if own enumerable properties travel beside what the kind itself writes. */
  readonly extensible?: boolean
}

const VIEW: Kind = { matches: ArrayBuffer.isView, write: writeView, height: 3 }
/** `Buffer` lies above `Uint8Array`, `DataView` directly below `Object`. */
const BUFFER: Kind = { ...VIEW, height: 4 }
const DATA_VIEW: Kind = { ...VIEW, height: 2 }
const MAP: Kind = { matches: types.isMap, write: writeMap, height: 2, extensible: true }
const SET: Kind = { matches: types.isSet, write: writeSet, height: 2, extensible: true }
const DATE: Kind = { matches: types.isDate, write: writeDate, height: 2, extensible: true }
const REGEXP: Kind = { matches: types.isRegExp, write: writeRegExp, height: 2, extensible: true }
const BOXED: Kind = { matches: types.isBoxedPrimitive, write: writeBoxed, height: 2, extensible: true }
const ARRAY_BUFFER: Kind = { matches: types.isArrayBuffer, write: writeArrayBuffer, height: 2, extensible: true }
const DOM_EXCEPTION: Kind = {
  matches: (value, name) => name === 'DOMException' && value instanceof DOMException && !Object.hasOwn(value, 'taskCode'),
  write: writeDomException,
  extensible: true,
}
const ERROR: Kind = { matches: isError, write: writeError }
const URLS: Kind = { matches: isUrl, write: writeUrl, extensible: true }
const SEARCH_PARAMS: Kind = { matches: isSearchParams, write: writeSearchParams, extensible: true }
const HEADERS: Kind = { matches: isHeaders, write: writeHeaders, extensible: true }
const REF: Kind = { matches: (value) => value instanceof ObjectRef, write: writeRef }
const TAKEN: Kind = { matches: isTaken, write: writeTaken }
const ARROW: Kind = { matches: looksLikeArrow, write: writeArrow }

/** The order matters once: a DOMException is an error too on some versions of Node. */
const kinds: readonly Kind[] = [REF, TAKEN, DOM_EXCEPTION, ERROR, VIEW, MAP, SET, DATE, REGEXP, BOXED, ARRAY_BUFFER, URLS, SEARCH_PARAMS, HEADERS, ARROW]

/** The kinds that a prototype of this realm stands for; still asked, since anybody can make an object with it. */
const byPrototype = new Map<object | null, Kind>([
  [ObjectRef.prototype, REF],
  [Buffer.prototype, BUFFER],
  [DataView.prototype, DATA_VIEW],
  [Map.prototype, MAP],
  [Set.prototype, SET],
  [Date.prototype, DATE],
  [RegExp.prototype, REGEXP],
  [ArrayBuffer.prototype, ARRAY_BUFFER],
])
for (const Class of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array])
  byPrototype.set(Class.prototype, VIEW)
for (const Class of [BigInt64Array, BigUint64Array]) byPrototype.set(Class.prototype, VIEW)

export const writeOther = (writer: Writer, value: object, prototype: object | null): void => {
  if (prototype !== null && writeCoded(writer, value, prototype)) return
  const known = byPrototype.get(prototype)
  if (known?.matches(value, '') === true) write(writer, value, prototype, known)
  else if (prototype === null && !types.isNativeError(value)) writeNullPrototype(writer, value)
  else writeUnfamiliar(writer, value, prototype, known)
}

/** An object whose prototype says nothing: every kind is asked. */
const writeUnfamiliar = (writer: Writer, value: object, prototype: object | null, known: Kind | undefined): void => {
  if (prototype !== null && writeSibling(writer, value, prototype, () => writeRecord(writer, value))) return
  const name = classNameOf(value)
  const kind = kinds.find((kind) => kind.matches(value, name))
  if (kind !== undefined) {
    if (kind.height === undefined || kind === known || isBuiltin(value, kind)) write(writer, value, prototype, kind)
    else if (kind.extensible !== true || prototype === null) refuse(value)
    else writeInstance(writer, value, prototype, () => write(writer, value, prototype, kind))
    return
  }
  if (exoticReason(value) !== undefined) refuse(value)
  else if (writer.capsules > 0 && prototype !== null && isForeign(value, prototype))
    throw new Refusal('is a value of another context (node:vm); make it here, or pass it as an argument')
  // Plain data of another realm (a `vm` context): its Object.prototype and Array.prototype are not ours.
  else if (name === 'Object' && height(value) === 1) writeRecord(writer, value)
  else if (name === 'Array' && Array.isArray(value) && height(value) === 2) writeArray(writer, value)
  else if (prototype === null) refuse(value)
  else if (Array.isArray(value)) writeInstance(writer, value, prototype, () => writeArray(writer, value))
  else writeRecordInstance(writer, value, prototype, () => writeRecord(writer, value))
}

/** Made by the `Object` or `Array` of a realm that is neither this one nor Node's. */
const isForeign = (value: object, prototype: object): boolean =>
  (height(value) === 1 && !isObjectPrototype(prototype) && classNameOf(value) === 'Object') ||
  (Array.isArray(value) && height(value) === 2 && !isArrayPrototype(prototype))

const write = (writer: Writer, value: object, prototype: object | null, kind: Kind): void => {
  const name = prototype !== null && byPrototype.has(prototype) ? '' : classNameOf(value)
  if (kind.extensible === true) {
    const keys = ownKeys(value)
    if (keys.length > 0) {
      writeWithProperties(writer, value, keys, () => kind.write(writer, value as never, prototype, name))
      return
    }
  }
  kind.write(writer, value as never, prototype, name)
}

/** A boxed string has its characters as properties, which are no news. */
const ownKeys = (value: object): string[] => {
  const keys = Object.keys(value)
  return types.isStringObject(value) ? keys.slice(String.prototype.valueOf.call(value).length) : keys
}

/** True for instances of the builtin class itself, of this realm or another. */
const isBuiltin = (value: object, kind: Kind): boolean => {
  const expected = kind === VIEW && !types.isTypedArray(value) ? DATA_VIEW.height : kind.height
  return height(value) === expected
}

const height = (value: object): number => {
  let count = 0
  for (let at: unknown = Object.getPrototypeOf(value); at !== null && count < 100; at = Object.getPrototypeOf(at)) count++
  return count
}
