/** Values to bytes and back: one contiguous, versioned form for arguments, results and stored objects. Knows neither store nor runtime. */

import { SerializationError } from '../errors/errors.ts'
import { isObjectRef, type ObjectRef } from '../refs/object-ref.ts'
import type { Piece } from './buffers.ts'
import { describeThrown } from './describe.ts'
import { writeBlank } from './kinds/binary.ts'
import { writeDependency } from './kinds/ref.ts'
import { TAG } from './layout.ts'
import { type DecodeOptions, Reader } from './reader.ts'
import { failUnder, refusalOf } from './refusal.ts'
import { type Plan, Writer } from './writer.ts'

export type { Piece } from './buffers.ts'
export { type AnyClass, addCodec, type Codec, mayRunUserCode, registerClass, setClassFinder } from './classes.ts'
export type { DecodeOptions, ErrorClass } from './reader.ts'

/**
 * An encoded value. Valid until the next call of an encode function on this thread: its stream lies in memory that is used again,
 * and its buffers are still the user's own. The caller copies it before returning to the user.
 */
export interface Encoded {
  /** The length of the whole contiguous value. */
  readonly byteLength: number
  /** Nested refs, in the order of their table; they lie outside the bytes. */
  readonly refs: readonly ObjectRef[]
  /** What is to be copied where, every byte once. Gaps are padding: their content does not matter. */
  readonly pieces: readonly Piece[]
  /** Copies all pieces to the start of `target`. */
  writeTo(target: Uint8Array): void
}

export interface EncodedArgs extends Encoded {
  /** The refs that were arguments themselves: the task gets their values in their place. */
  readonly deps: readonly ObjectRef[]
}

class EncodedValue implements EncodedArgs {
  readonly byteLength: number
  readonly refs: readonly ObjectRef[]
  readonly deps: readonly ObjectRef[]
  readonly #plan: Plan

  constructor(plan: Plan, deps: readonly ObjectRef[]) {
    this.byteLength = plan.byteLength
    this.refs = plan.refs
    this.deps = deps
    this.#plan = plan
  }

  get pieces(): readonly Piece[] {
    return [{ at: 0, bytes: this.#plan.main }, ...this.#plan.rest]
  }

  writeTo(target: Uint8Array): void {
    const { main, rest } = this.#plan
    target.set(main)
    for (const piece of rest) target.set(piece.bytes, piece.at)
  }
}

const NONE: readonly ObjectRef[] = Object.freeze([])

/** Not there while an encoding runs: a getter that encodes gets a writer of its own. */
let idle: Writer | undefined

const encodeWith = (write: (writer: Writer) => void, deps: readonly ObjectRef[], root: string, prefix: string): EncodedValue => {
  const writer = idle ?? new Writer()
  idle = undefined
  try {
    writer.begin()
    write(writer)
    return new EncodedValue(writer.finish(), deps)
  } catch (error) {
    throw refusalOf(error).toError(root, prefix)
  } finally {
    writer.end()
    idle = writer
  }
}

/** Encodes one value. `where` is the root of the path in messages, such as `value` or `result`. */
export const encode = (value: unknown, where: string): Encoded => encodeWith((writer) => writer.value(value), NONE, where, '')

/** Encodes a call's arguments. An `ObjectRef` that is an argument itself becomes a dependency; deeper ones travel as refs. */
export const encodeArgs = (args: readonly unknown[], taskName: string): EncodedArgs => {
  const deps: ObjectRef[] = []
  return encodeWith((writer) => writeArgs(writer, args, deps), deps, 'args', `task '${taskName}': `)
}

const writeArgs = (writer: Writer, args: readonly unknown[], deps: ObjectRef[]): void => {
  writer.word(TAG.args)
  writer.word(args.length)
  let at = 0
  try {
    for (; at < args.length; at++) {
      const argument = args[at]
      if (isObjectRef(argument)) {
        const known = deps.indexOf(argument)
        writeDependency(writer, known >= 0 ? known : deps.push(argument) - 1)
      } else {
        writer.value(argument)
      }
    }
  } catch (error) {
    failUnder(error, `[${at}]`)
  }
}

/** A value around bytes that are written in place: all that lies before them, and where they begin. They are its end. */
export interface Blank {
  readonly byteLength: number
  readonly prefix: Uint8Array
  readonly at: number
}

/** The form of a `Uint8Array` of so many bytes, without the bytes. Valid until the next encoding, as {@link Encoded} is. */
export const encodeBlank = (byteLength: number): Blank => {
  const whole = encodeWith((writer) => writeBlank(writer, byteLength), NONE, 'buffer', '')
  return { byteLength: whole.byteLength, prefix: (whole.pieces[0] as Piece).bytes, at: whole.byteLength - byteLength }
}

/** Encodes what a task threw. Never throws itself: what cannot be kept is described instead. */
export const encodeThrown = (thrown: unknown): Encoded => {
  try {
    return encode(thrown, 'error')
  } catch (failure) {
    return encode(
      describeThrown(thrown, failure, (value) => encode(value, 'error')),
      'error',
    )
  }
}

/** Decodes one value. Damaged bytes are a `SerializationError`. */
export const decode = (bytes: Uint8Array, refs: readonly ObjectRef[], options: DecodeOptions): unknown =>
  guarded(() => new Reader(bytes, refs, NONE, options).root())

/** Decodes a call's arguments; `deps` are the values of the refs that `encodeArgs` listed. */
export const decodeArgs = (bytes: Uint8Array, refs: readonly ObjectRef[], deps: readonly unknown[], options: DecodeOptions): unknown[] =>
  guarded(() => {
    const reader = new Reader(bytes, refs, deps, options)
    if (reader.word() !== TAG.args) return reader.damaged('no arguments')
    const count = reader.unsigned()
    reader.expectBytes(count * 4)
    const args: unknown[] = []
    for (let index = 0; index < count; index++) args.push(reader.value())
    reader.end()
    return args
  })

const guarded = <T>(read: () => T): T => {
  try {
    return read()
  } catch (error) {
    if (error instanceof SerializationError) throw error
    throw new SerializationError(`the bytes cannot be decoded: ${error instanceof Error ? error.message : 'something was thrown'}`, { cause: error })
  }
}

/** Stays: V8 drops the optimized code of a class at a full collection that finds no instance of it, as it does for `Reader`. */
export const standing: Encoded = encode(undefined, 'value')
