/** A value after its encoding: what is to be copied where. */

import type { ObjectRef } from '../refs/object-ref.ts'
import type { Piece } from './buffers.ts'
import type { Region } from './region.ts'

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
  /** Copies all pieces into memory, from `at`, a multiple of four, on. */
  writeTo(target: Region, at: number): void
}

export interface EncodedArgs extends Encoded {
  /** The refs that were arguments themselves: the task gets their values in their place. */
  readonly deps: readonly ObjectRef[]
}

/** Fewer words than this are copied one by one: a call of `set` takes two views, which cost more. */
const WORDS_COPIED_MAX = 64

const NO_WORDS = new Int32Array(0)
const NONE: readonly never[] = Object.freeze([])

/** What a writer wrote. Values without refs and pieces have one object in turn. */
export class EncodedParts implements EncodedArgs {
  byteLength = 0
  refs: readonly ObjectRef[] = NONE
  deps: readonly ObjectRef[] = NONE
  /** The writer's memory, which the value begins with, and how much of it is the value's. */
  words: Int32Array = NO_WORDS
  mainBytes = 0
  rest: readonly Piece[] = NONE

  get #main(): Uint8Array {
    return new Uint8Array(this.words.buffer, 0, this.mainBytes)
  }

  get pieces(): readonly Piece[] {
    return [{ at: 0, bytes: this.#main }, ...this.rest]
  }

  writeTo({ bytes, words }: Region, at: number): void {
    const count = this.mainBytes >>> 2
    if (count <= WORDS_COPIED_MAX) {
      const main = this.words
      const to = at >>> 2
      for (let k = 0; k < count; k++) words[to + k] = main[k] as number
      const tail = this.mainBytes & 3
      for (let k = 0; k < tail; k++) bytes[at + 4 * count + k] = (main[count] as number) >>> (8 * k)
    } else {
      bytes.set(this.#main, at)
    }
    const { rest } = this
    for (let k = 0; k < rest.length; k++) {
      const piece = rest[k] as Piece
      bytes.set(piece.bytes, at + piece.at)
    }
  }
}
