/** Values to bytes and back: one contiguous, versioned form for arguments, results and stored objects. Knows neither store nor runtime. */

import { SerializationError } from '../errors/errors.ts'
import { isObjectRef, type ObjectRef } from '../refs/object-ref.ts'
import type { Piece } from './buffers.ts'
import { Again } from './capsules.ts'
import { describeThrown } from './describe.ts'
import type { Encoded, EncodedArgs } from './encoded.ts'
import { writeBlank } from './kinds/binary.ts'
import { writeDependency } from './kinds/ref.ts'
import { TAG } from './layout.ts'
import { type DecodeOptions, Reader, type Source } from './reader.ts'
import { failUnder, refusalOf } from './refusal.ts'
import { regionOf } from './region.ts'
import { Writer } from './writer.ts'

export type { Piece } from './buffers.ts'
export { Again, type Capsule, type Capsules, type Encoding, setCapsules, Taken, type Unfinished } from './capsules.ts'
export { type AnyClass, addCodec, type Codec, mayRunUserCode, registerClass, setClassFinder } from './classes.ts'
export type { Encoded, EncodedArgs } from './encoded.ts'
export type { DecodeOptions, ErrorClass, Source } from './reader.ts'
export { type Region, regionOf } from './region.ts'

const NONE: readonly ObjectRef[] = Object.freeze([])

/** Not there while an encoding runs: a getter that encodes gets a writer of its own. */
let idle: Writer | undefined

const beginWriting = (learnt?: readonly unknown[]): Writer => {
  const writer = idle ?? new Writer()
  idle = undefined
  writer.begin(learnt)
  return writer
}

const endWriting = (writer: Writer): void => {
  writer.end()
  idle = writer
}

/** Encodes one value. `where` is the root of the path in messages, such as `value` or `result`; a function where making it costs. */
export const encode = (value: unknown, where: string | (() => string), learnt?: readonly unknown[], isThrown = false): Encoded => {
  const writer = beginWriting(learnt)
  if (isThrown) writer.isThrown = true
  try {
    writer.value(value)
    return writer.finish(NONE)
  } catch (error) {
    if (error instanceof Again) return encode(value, where, error.learnt, isThrown)
    throw refusalOf(error).toError(typeof where === 'string' ? where : where(), '')
  } finally {
    endWriting(writer)
  }
}

/** Encodes a call's arguments. An `ObjectRef` that is an argument itself becomes a dependency; deeper ones travel as refs. */
export const encodeArgs = (args: readonly unknown[], taskName: string, learnt?: readonly unknown[]): EncodedArgs => {
  const writer = beginWriting(learnt)
  try {
    const deps = writeArgs(writer, args)
    return writer.finish(deps)
  } catch (error) {
    if (error instanceof Again) return encodeArgs(args, taskName, error.learnt)
    throw refusalOf(error).toError('args', `task '${taskName}': `)
  } finally {
    endWriting(writer)
  }
}

/** Up to here a linear search is faster than hashing. */
const FEW = 32

/** The refs that are arguments, each once. */
class Dependencies {
  readonly refs: ObjectRef[] = []
  #positions: Map<ObjectRef, number> | undefined

  indexOf(ref: ObjectRef): number {
    const { refs } = this
    if (refs.length > FEW) this.#positions ??= new Map(refs.map((known, k) => [known, k]))
    const known = this.#positions === undefined ? refs.indexOf(ref) : (this.#positions.get(ref) ?? -1)
    if (known >= 0) return known
    this.#positions?.set(ref, refs.length)
    return refs.push(ref) - 1
  }
}

const writeArgs = (writer: Writer, args: readonly unknown[]): readonly ObjectRef[] => {
  let deps: Dependencies | undefined
  writer.word(TAG.args)
  writer.word(args.length)
  let at = 0
  try {
    for (; at < args.length; at++) {
      const argument = args[at]
      if (isObjectRef(argument)) {
        deps ??= new Dependencies()
        writeDependency(writer, deps.indexOf(argument))
      } else {
        writer.value(argument)
      }
    }
  } catch (error) {
    failUnder(error, `[${at}]`)
  }
  return deps?.refs ?? NONE
}

/** A value around bytes that are written in place: all that lies before them, and where they begin. They are its end. */
export interface Blank {
  readonly byteLength: number
  readonly prefix: Uint8Array
  readonly at: number
}

/** The form of a `Uint8Array` of so many bytes, without the bytes. Valid until the next encoding, as {@link Encoded} is. */
export const encodeBlank = (byteLength: number): Blank => {
  const writer = beginWriting()
  try {
    writeBlank(writer, byteLength)
    const whole = writer.finish(NONE)
    return { byteLength: whole.byteLength, prefix: (whole.pieces[0] as Piece).bytes, at: whole.byteLength - byteLength }
  } finally {
    endWriting(writer)
  }
}

/** Encodes what a task threw. Never throws itself: what cannot be kept is described instead. */
export const encodeThrown = (thrown: unknown): Encoded => {
  try {
    return encodeAsThrown(thrown)
  } catch (failure) {
    return encodeAsThrown(describeThrown(thrown, failure, encodeAsThrown))
  }
}

const encodeAsThrown = (thrown: unknown): Encoded => encode(thrown, 'error', undefined, true)

/** Not there while something is decoded: users' codecs may decode, too. */
let resting: Reader | undefined

const beginReading = (): Reader => {
  const reader = resting ?? new Reader()
  resting = undefined
  return reader
}

/** The reader lets go of the memory, which may be a view that the collector should find unused. */
const endReading = (reader: Reader): void => {
  reader.close()
  resting = reader
}

const asSerializationError = (error: unknown): SerializationError =>
  error instanceof SerializationError
    ? error
    : new SerializationError(`the bytes cannot be decoded: ${error instanceof Error ? error.message : 'something was thrown'}`, { cause: error })

/** A value in bytes of its own. */
export const sourceOf = (bytes: Uint8Array, refs: readonly ObjectRef[]): Source => ({ region: regionOf(bytes), at: 0, byteLength: bytes.length, refs })

/** Decodes one value. Damaged bytes are a `SerializationError`. */
export const decode = (source: Source, options: DecodeOptions): unknown => {
  const reader = beginReading()
  try {
    reader.open(source, NONE, options)
    return reader.root()
  } catch (error) {
    throw asSerializationError(error)
  } finally {
    endReading(reader)
  }
}

/** Decodes a call's arguments; `deps` are the values of the refs that `encodeArgs` listed. */
export const decodeArgs = (source: Source, deps: readonly unknown[], options: DecodeOptions): unknown[] => {
  const reader = beginReading()
  try {
    reader.open(source, deps, options)
    if (reader.word() !== TAG.args) return reader.damaged('no arguments')
    const count = reader.unsigned()
    reader.expectBytes(count * 4)
    const args = new Array<unknown>(count)
    for (let index = 0; index < count; index++) args[index] = reader.value()
    reader.end()
    return args
  } catch (error) {
    throw asSerializationError(error)
  } finally {
    endReading(reader)
  }
}

/** Stays: V8 drops the optimized code of a class at a full collection that finds no instance of it, as it does for `Reader`. */
export const standing: Encoded = encode(undefined, 'value')
