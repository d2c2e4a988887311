/** Object shapes: lists of keys met so often that they travel as one piece of text, and are written and read by code compiled for them. */

import type { Reader } from './reader.ts'
import { failUnder, stepTo } from './refusal.ts'
import type { Writer } from './writer.ts'

/** Objects with more keys, or with stranger ones, are written key by key: they are dictionaries rather than records. */
const KEYS_MAX = 64
const SIGNATURE_UNITS_MAX = 2_000
/** A program has few shapes; one that has more uses objects as dictionaries, and starting over bounds the memory. */
const SHAPES_MAX = 2_000
const SHAPES_PER_FIRST_KEY_MAX = 64
/** Compiling takes tens of microseconds: it pays for shapes that come back. */
const USES_BEFORE_COMPILING = 8

const SIGNATURE_LENGTHS = 128

const SEPARATOR = '\0'

export interface WriteShape {
  readonly keys: readonly string[]
  readonly signature: string
  /** The encoding this shape was last announced in, and its number there. */
  encoding: number
  local: number
  uses: number
  write: ((writer: Writer, from: object) => void) | undefined
}

export interface ReadShape {
  readonly keys: readonly string[]
  readonly signature: string
  uses: number
  make: ((reader: Reader) => object) | undefined
}

let writeShapes = new Map<string | undefined, WriteShape[]>()
let writeShapeCount = 0
let readShapes = new Map<string, ReadShape>()
let last: WriteShape | undefined
/** The shapes read last, by the length of their signatures: comparing one takes less than looking it up. */
const lastRead: (ReadShape | undefined)[] = new Array(SIGNATURE_LENGTHS).fill(undefined)

/** No keys at all, or indices, may be those of something that only looks like a plain object. */
export const mayBeExotic = (keys: readonly string[]): boolean => keys.length === 0 || keys[0] === '0'

/**
 * The shape of a plain object, if it is that of the last one. `for in` goes through the keys that V8 keeps with objects of one layout,
 * where `Object.keys` makes a list. Inherited keys come last: if the last one is its own, all are.
 */
export const sameShapeAsLast = (value: object): WriteShape | undefined => {
  const shape = last
  if (shape === undefined || mayBeExotic(shape.keys)) return undefined
  const { keys } = shape
  let at = 0
  for (const key in value) if (key !== keys[at++]) return undefined
  return at === keys.length && Object.hasOwn(value, keys[at - 1] as string) ? shape : undefined
}

/** The shape with just these keys, or `undefined` for objects that are better written as dictionaries. */
export const writeShapeOf = (keys: readonly string[]): WriteShape | undefined => {
  if (last !== undefined && sameKeys(last.keys, keys)) return last
  const siblings = writeShapes.get(keys[0])
  if (siblings !== undefined) {
    for (let index = 0; index < siblings.length; index++) {
      const shape = siblings[index] as WriteShape
      if (sameKeys(shape.keys, keys)) {
        last = shape
        return shape
      }
    }
  }
  return addWriteShape(keys)
}

/** The shape whose signature stands in `text` at `from`, so many units long. */
export const readShapeIn = (text: string, from: number, units: number): ReadShape => {
  const slot = units % SIGNATURE_LENGTHS
  const guess = lastRead[slot]
  if (guess !== undefined && guess.signature.length === units && text.startsWith(guess.signature, from)) return guess
  const shape = readShapeOf(text.substring(from, from + units))
  if (units <= SIGNATURE_UNITS_MAX) lastRead[slot] = shape
  return shape
}

const readShapeOf = (given: string): ReadShape => {
  const known = readShapes.get(given)
  if (known !== undefined) return known
  if (readShapes.size >= SHAPES_MAX) readShapes = new Map()
  const keys = given === '' ? [] : given.split(SEPARATOR)
  // A copy that is flat and alone: a slice would keep the text of the whole value alive.
  const signature = keys.join(SEPARATOR)
  const shape: ReadShape = { keys, signature, uses: 0, make: undefined }
  // Encoders announce none that is longer: what damaged bytes hold is not kept.
  if (signature.length <= SIGNATURE_UNITS_MAX) readShapes.set(signature, shape)
  return shape
}

/** Counts a use, and compiles the shape's code once it has earned it. */
export const warmWriter = (shape: WriteShape): void => {
  if (++shape.uses === USES_BEFORE_COMPILING) shape.write = compileWriter(shape.keys)
}

export const warmReader = (shape: ReadShape): void => {
  if (++shape.uses === USES_BEFORE_COMPILING) shape.make = compileReader(shape.keys)
}

const sameKeys = (left: readonly string[], right: readonly string[]): boolean => {
  const count = left.length
  if (count !== right.length) return false
  for (let index = 0; index < count; index++) if (left[index] !== right[index]) return false
  return true
}

const addWriteShape = (keys: readonly string[]): WriteShape | undefined => {
  if (keys.length > KEYS_MAX) return undefined
  for (const key of keys) if (key === '' || key.includes(SEPARATOR)) return undefined
  const signature = keys.join(SEPARATOR)
  if (signature.length > SIGNATURE_UNITS_MAX) return undefined
  if (writeShapeCount >= SHAPES_MAX) {
    writeShapes = new Map()
    writeShapeCount = 0
  }
  const shape: WriteShape = { keys, signature, encoding: 0, local: 0, uses: 0, write: undefined }
  const siblings = writeShapes.get(keys[0])
  if (siblings === undefined) writeShapes.set(keys[0], [shape])
  else if (siblings.length < SHAPES_PER_FIRST_KEY_MAX) siblings.push(shape)
  else return undefined
  writeShapeCount++
  last = shape
  return shape
}

/** False once this process turned out to run with `--disallow-code-generation-from-strings`. */
let mayCompile = true

const compile = (source: string): unknown => {
  if (!mayCompile) return undefined
  try {
    return (new Function(`'use strict'; ${source}`) as () => unknown)()
  } catch (error) {
    // Anything else (a full stack) says nothing about the next time.
    if (error instanceof EvalError) mayCompile = false
    return undefined
  }
}

/** Keys come from other people's data: they enter the source as JSON strings only. */
const compileWriter = (keys: readonly string[]): WriteShape['write'] => {
  const steps = keys.map((key, index) => `at = ${index}; writer.value(from[${JSON.stringify(key)}])`)
  const make = compile(`return (failed) => (writer, from) => { let at = 0; try { ${steps.join('; ')} } catch (error) { failed(error, at) } }`) as
    | ((failed: (error: unknown, at: number) => never) => NonNullable<WriteShape['write']>)
    | undefined
  return make?.((error, at) => failUnder(error, stepTo(keys[at] ?? '')))
}

const compileReader = (keys: readonly string[]): ReadShape['make'] => {
  // A literal's plain `__proto__` key would set the prototype; a computed one makes the own property that was encoded.
  const fields = keys.map((key) => `${key === '__proto__' ? '["__proto__"]' : JSON.stringify(key)}: reader.value()`)
  return compile(`return (reader) => ({ ${fields.join(', ')} })`) as ReadShape['make']
}
