/** Kind: plain objects and arrays, with what they can have of their own: holes, further properties, no prototype. */

import { inspect } from 'node:util'
import { PAYLOAD_SHIFT, REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { failUnder, Refusal, stepTo } from '../refusal.ts'
import { exoticReason } from '../refuse.ts'
import { mayBeExotic, type ReadShape, sameShapeAsLast, warmReader, warmWriter, writeShapeOf } from '../shapes.ts'
import type { Writer } from '../writer.ts'

const NULL_PROTOTYPE = 1
/** From here on an array is asked by `inspect` whether it has further properties: listing keys takes 6 to 30 ns an element. */
const KEYS_LISTED_MAX = 256
const PACKED_MIN = 4
/** So many numbers get room at once: an array may be long and have few elements. */
const BLOCK = 1 << 16
/** Holes are looked for one by one up to here, then in the list of keys: `a[4e9] = 1` must not take a minute. */
const HOLES_WALKED_MAX = 64

type Fields = Record<string, unknown>

export const writeRecord = (writer: Writer, value: object): void => {
  let shape = sameShapeAsLast(value)
  if (shape === undefined) {
    const keys = Object.keys(value)
    if (mayBeExotic(keys)) refuseExotic(value)
    shape = writeShapeOf(keys)
    if (shape === undefined) {
      writeDictionary(writer, value, keys, 0)
      return
    }
  }
  if (shape.encoding === writer.encoding) {
    writer.open(value, TAG.object | (shape.local << PAYLOAD_SHIFT))
  } else {
    shape.encoding = writer.encoding
    shape.local = writer.shapes++
    writer.open(value, TAG.objectNewShape | (shape.signature.length << PAYLOAD_SHIFT))
    writer.say(shape.signature)
  }
  if (shape.write !== undefined) {
    shape.write(writer, value)
    return
  }
  warmWriter(shape)
  const { keys } = shape
  let at = 0
  try {
    for (; at < keys.length; at++) writer.value((value as Fields)[keys[at] as string])
  } catch (error) {
    failUnder(error, stepTo(keys[at] ?? ''))
  }
}

/** An object without prototype, or with keys that make no shape. */
export const writeDictionary = (writer: Writer, value: object, keys: readonly string[], flags: number): void => {
  writer.open(value, TAG.dictionary | (flags << PAYLOAD_SHIFT))
  writer.word(keys.length)
  writePairs(writer, value, keys)
}

export const writeNullPrototype = (writer: Writer, value: object): void => {
  refuseExotic(value)
  writeDictionary(writer, value, Object.keys(value), NULL_PROTOTYPE)
}

/** Writes `value` by `inner`, and behind it the own properties that its kind does not know. */
export const writeWithProperties = (writer: Writer, value: object, keys: readonly string[], inner: () => void): void => {
  writer.word(TAG.withProperties)
  writer.word(keys.length)
  inner()
  writePairs(writer, value, keys)
}

const writePairs = (writer: Writer, value: object, keys: readonly string[]): void => {
  let at = 0
  try {
    for (; at < keys.length; at++) {
      const key = keys[at] as string
      writer.value(key)
      writer.value((value as Fields)[key])
    }
  } catch (error) {
    failUnder(error, stepTo(keys[at] ?? ''))
  }
}

/** Refuses what has the prototype of a plain object but is none, and would silently become `{}`. */
const refuseExotic = (value: object): void => {
  const reason = exoticReason(value)
  if (reason !== undefined) throw new Refusal(reason)
}

export const writeArray = (writer: Writer, array: readonly unknown[]): void => {
  const further = furtherKeys(array)
  if (further.length === 0) writeElements(writer, array)
  else writeWithProperties(writer, array, further, () => writeElements(writer, array))
}

/** The keys of an array that are no indices. */
const furtherKeys = (array: readonly unknown[]): readonly string[] => {
  const { length } = array
  if (length > KEYS_LISTED_MAX && inspect(array, { maxArrayLength: 0, depth: 0, customInspect: false }) === `[ ... ${length} more items ]`) return []
  const keys = Object.keys(array)
  // Indices come first, in order: if the last key is the last index, there is nothing else.
  if (keys.length === length && (length === 0 || keys[length - 1] === String(length - 1))) return []
  return keys.filter((key) => !isIndex(key, length))
}

const isIndex = (key: string, length: number): boolean => {
  const index = Number(key)
  return Number.isInteger(index) && index >= 0 && index < length && String(index) === key
}

const writeElements = (writer: Writer, array: readonly unknown[]): void => {
  const { length } = array
  const first = length === 0 ? undefined : elementAt(array, 0)
  if (length >= PACKED_MIN && typeof first === 'number') {
    writePacked(writer, array, first)
    return
  }
  writer.open(array, TAG.array)
  writer.word(length)
  if (length !== 0) writeElementsFrom(writer, array, 0, first)
}

/** An element may be a getter's: what it throws has a place. */
const elementAt = (array: readonly unknown[], index: number): unknown => {
  try {
    return array[index]
  } catch (error) {
    return failUnder(error, stepTo(index))
  }
}

/** Writes the elements from `from` on; that one, `first`, was read already. */
const writeElementsFrom = (writer: Writer, array: readonly unknown[], from: number, first: unknown): void => {
  const { length } = array
  let at = from
  let element = first
  try {
    for (;;) {
      if (element === undefined && !Object.hasOwn(array, at)) {
        const next = nextIndex(array, at, length)
        writer.word(TAG.holes)
        writer.word(next - at)
        at = next
      } else {
        writer.value(element)
        at++
      }
      if (at >= length) return
      element = array[at]
    }
  } catch (error) {
    failUnder(error, stepTo(at))
  }
}

/** The first index behind a hole that is none, or the length. */
const nextIndex = (array: readonly unknown[], hole: number, length: number): number => {
  const walked = Math.min(length, hole + HOLES_WALKED_MAX)
  for (let index = hole + 1; index < walked; index++) if (Object.hasOwn(array, index)) return index
  if (walked === length) return length
  const key = Object.keys(array).find((key) => isIndex(key, length) && Number(key) >= walked)
  return key === undefined ? length : Number(key)
}

/**
 * Writes an array of numbers without a tag each: as ints as long as they are, then as doubles.
 * An element that is no number ends that: what was written becomes the head of an ordinary array. Elements are read once.
 */
const writePacked = (writer: Writer, array: readonly unknown[], first: number): void => {
  const { length } = array
  const at = writer.open(array, TAG.int32Array)
  writer.word(length)
  let index = 0
  let element: unknown = first
  for (;;) {
    const end = Math.min(length, index + BLOCK)
    writer.reserve(end - index)
    const { words } = writer
    let to = writer.at
    while (index < end) {
      const int = typeof element === 'number' ? element | 0 : 0
      if (int !== element || (int === 0 && 1 / element < 0)) {
        writeDoubles(writer, array, { at, index, element })
        return
      }
      words[to++] = int
      if (++index < length) element = elementAt(array, index)
    }
    writer.at = to
    if (index === length) return
  }
}

interface Unpacked {
  readonly at: number
  readonly index: number
  readonly element: unknown
}

const writeDoubles = (writer: Writer, array: readonly unknown[], stop: Unpacked): void => {
  const { length } = array
  const { at } = stop
  const ints = writer.words.slice(at + 2, at + 2 + stop.index)
  let { index, element } = stop
  if (typeof element !== 'number') {
    rewrite(writer, array, stop, ints)
    return
  }
  writer.words[at] = TAG.doubleArray
  writer.at = at + 2
  for (const int of ints) writer.double(int)
  while (typeof element === 'number') {
    const end = Math.min(length, index + BLOCK)
    writer.reserve((end - index) * 2)
    const { doubles } = writer
    let to = writer.at * 4
    while (index < end && typeof element === 'number') {
      doubles.setFloat64(to, element, true)
      to += 8
      if (++index < length) element = elementAt(array, index)
    }
    writer.at = to / 4
    if (index === length) return
  }
  const numbers: number[] = []
  for (let word = at + 2; word < writer.at; word += 2) numbers.push(writer.doubles.getFloat64(word * 4, true))
  rewrite(writer, array, { at, index, element }, numbers)
}

/** Starts an ordinary array over a packed one that met something else. */
const rewrite = (writer: Writer, array: readonly unknown[], stop: Unpacked, numbers: Iterable<number>): void => {
  writer.words[stop.at] = TAG.array
  writer.at = stop.at + 2
  for (const number of numbers) writer.value(number)
  writeElementsFrom(writer, array, stop.index, stop.element)
}

/** Reads an object of a known shape. */
export const readRecord = (reader: Reader, head: number, at: number, shape: ReadShape): object => {
  if ((head & REFERENCED) === 0) {
    if (shape.make !== undefined) return shape.make(reader)
    warmReader(shape)
  }
  // Something inside may point back here: the object has to exist before its fields are read.
  const object = {}
  if ((head & REFERENCED) !== 0) reader.remember(at, object)
  for (const key of shape.keys) setOwn(object, key, reader.value())
  return object
}

export const readDictionary = (reader: Reader, head: number, at: number): object => {
  const object = (head >>> PAYLOAD_SHIFT) & NULL_PROTOTYPE ? (Object.create(null) as object) : {}
  if ((head & REFERENCED) !== 0) reader.remember(at, object)
  readPairs(reader, object)
  return object
}

const readPairs = (reader: Reader, object: object): void => {
  const count = reader.unsigned()
  reader.expectBytes(count * 8)
  for (let index = 0; index < count; index++) readPair(reader, object)
}

const readPair = (reader: Reader, object: object): void => {
  const key = reader.value()
  if (typeof key !== 'string') reader.damaged('a key that is no string')
  else setOwn(object, key, reader.value())
}

export const readWithProperties = (reader: Reader): object => {
  const count = reader.unsigned()
  reader.expectBytes(count * 8)
  const object = reader.value()
  if (typeof object !== 'object' || object === null) return reader.damaged('properties of what is no object')
  for (let index = 0; index < count; index++) readPair(reader, object)
  return object
}

/** Makes an own property: assigning to `__proto__`, or to a name that a class has a setter for, would not. */
const setOwn = (object: object, key: string, value: unknown): void => {
  if (key in object) Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  else (object as Fields)[key] = value
}

export const readArray = (reader: Reader, head: number, at: number): unknown[] => {
  const length = reader.unsigned()
  const array: unknown[] = reader.trusts(length) ? new Array(length) : []
  if ((head & REFERENCED) !== 0) reader.remember(at, array)
  let index = 0
  while (index < length) {
    const holes = reader.holes()
    if (holes === 0) {
      array[index++] = reader.value()
    } else {
      index += holes
      if (index > length) reader.damaged('holes beyond the length of their array')
      // Writing far behind the end first makes the array sparse; setting the length alone would commit memory for every hole.
      if (holes > 1_024) {
        const far = Math.min(index + 1_024, 0xffff_fffe)
        array[far] = 0
        delete array[far]
      }
      array.length = index
    }
  }
  return array
}

// These two are apart, and make arrays of their own, since V8 learns by the place where an array is made what it will hold.

export const readInt32Array = (reader: Reader, head: number, at: number): number[] => {
  const numbers = reader.integers(reader.unsigned())
  const { length } = numbers
  const array: number[] = reader.trusts(length) ? new Array(length) : []
  if ((head & REFERENCED) !== 0) reader.remember(at, array)
  for (let index = 0; index < length; index++) array[index] = numbers[index] as number
  return array
}

export const readDoubleArray = (reader: Reader, head: number, at: number): number[] => {
  const numbers = reader.doubles(reader.unsigned())
  const { length } = numbers
  const array: number[] = reader.trusts(length) ? new Array(length) : []
  if ((head & REFERENCED) !== 0) reader.remember(at, array)
  for (let index = 0; index < length; index++) array[index] = numbers[index] as number
  return array
}
