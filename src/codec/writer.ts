/** Writes one value: the stream of words in reused memory, the text, and what stays outside (buffers, refs). */

import { types } from 'node:util'
import type { ObjectRef } from '../refs/object-ref.ts'
import { alignUp, BufferPlan, type Piece, type TableEntry } from './buffers.ts'
import { writeOther } from './kinds/index.ts'
import { writeArray, writeRecord } from './kinds/plain.ts'
import { writeBigInt, writeNumber, writeString } from './kinds/primitive.ts'
import { DEPTH_MAX, FLAG_WIDE_TEXT, HEADER_BYTES, HEADER_WORDS, MAGIC, REFERENCED, TABLE_ENTRY_BYTES, TAG, VERSION } from './layout.ts'
import { Refusal } from './refusal.ts'
import { refuse } from './refuse.ts'
import { isWide } from './text.ts'

const { isProxy } = types

const WORDS_AT_FIRST = 4_096
/** Scratch memory beyond this is not kept for the next value. */
const WORDS_KEPT_MAX = 1 << 18
const WORDS_MAX = 0x1fff_ff00
const TEXT_UNITS_TOTAL_MAX = 1 << 28
/** Up to here a linear search over the objects met is faster than a map. */
const FEW = 16

/** Numbers encodings, across all writers of this thread: a shape announced in another encoding is announced again. */
let encodings = 0

/** Where a value came out, until its writer is used again. */
export interface Plan {
  readonly byteLength: number
  readonly refs: readonly ObjectRef[]
  readonly main: Uint8Array
  readonly rest: readonly Piece[]
}

const NO_REFS: readonly ObjectRef[] = Object.freeze([])

export class Writer {
  words: Int32Array
  doubles: DataView
  /** Position of the next word; the header's words come first. */
  at: number = HEADER_WORDS
  text = ''
  /** Short-lived identity of this encoding, compared by shapes. */
  encoding = 0
  shapes = 0
  /** Keys of the classes and codecs met, by their numbers in this encoding. */
  classes: string[] = []
  #bytes: Buffer
  #capacity: number
  #depth = 0
  #refs: ObjectRef[] | undefined
  #plan: BufferPlan | undefined
  readonly #few: (object | undefined)[] = new Array(FEW).fill(undefined)
  readonly #fewAt = new Int32Array(FEW)
  #fewCount = 0
  #many: Map<object, number> | undefined

  constructor() {
    const memory = new ArrayBuffer(WORDS_AT_FIRST * 4)
    this.words = new Int32Array(memory)
    this.doubles = new DataView(memory)
    this.#bytes = Buffer.from(memory)
    this.#capacity = WORDS_AT_FIRST
  }

  /** Starts over; whatever the last encoding left is forgotten. */
  begin(): void {
    this.at = HEADER_WORDS
    this.text = ''
    this.encoding = ++encodings
    this.shapes = 0
    if (this.classes.length > 0) this.classes = []
    this.#depth = 0
    if (this.#capacity > WORDS_KEPT_MAX) this.#use(WORDS_AT_FIRST)
  }

  /** Lets go of everything of the user's. The words stay: the encoded value lies in them. */
  end(): void {
    for (let index = 0; index < this.#fewCount; index++) this.#few[index] = undefined
    this.#fewCount = 0
    this.#many = undefined
    this.#refs = undefined
    this.#plan = undefined
    this.text = ''
  }

  get plan(): BufferPlan {
    this.#plan ??= new BufferPlan()
    return this.#plan
  }

  /** Any value. */
  value(value: unknown): void {
    if (this.at + 4 > this.#capacity) this.#grow(4)
    switch (typeof value) {
      case 'string':
        writeString(this, value)
        return
      case 'number':
        writeNumber(this, value)
        return
      case 'object':
        if (value === null) this.words[this.at++] = TAG.null
        else this.#object(value)
        return
      case 'boolean':
        this.words[this.at++] = value ? TAG.true : TAG.false
        return
      case 'undefined':
        this.words[this.at++] = TAG.undefined
        return
      case 'bigint':
        writeBigInt(this, value)
        return
      default:
        refuse(value)
    }
  }

  /** Writes a head word for `value`, and remembers it as the place that other references to it point to. */
  open(value: object, head: number): number {
    const at = this.at
    this.word(head)
    if (this.#many !== undefined) {
      this.#many.set(value, at)
    } else if (this.#fewCount < FEW) {
      this.#few[this.#fewCount] = value
      this.#fewAt[this.#fewCount++] = at
    } else {
      this.#many = new Map()
      for (let index = 0; index < FEW; index++) this.#many.set(this.#few[index] as object, this.#fewAt[index] as number)
      this.#many.set(value, at)
    }
    return at
  }

  word(word: number): void {
    if (this.at === this.#capacity) this.#grow(1)
    this.words[this.at++] = word
  }

  /** A double, in two words that need no alignment. */
  double(value: number): void {
    if (this.at + 2 > this.#capacity) this.#grow(2)
    this.doubles.setFloat64(this.at * 4, value, true)
    this.at += 2
  }

  /** Bytes, padded with zeros to whole words. */
  raw(bytes: Uint8Array): void {
    const words = Math.ceil(bytes.length / 4)
    if (words === 0) return
    this.reserve(words)
    this.words[this.at + words - 1] = 0
    this.#bytes.set(bytes, this.at * 4)
    this.at += words
  }

  reserve(words: number): void {
    if (this.at + words > this.#capacity) this.#grow(words)
  }

  /** Adds to the text. What belongs there is told by lengths in the stream. */
  say(text: string): void {
    this.text += text
    if (this.text.length > TEXT_UNITS_TOTAL_MAX) throw new Refusal('has more than 268,435,456 characters in short strings; split the value')
  }

  /** The index of a ref in the table outside the bytes; the same ref has one. */
  ref(ref: ObjectRef): number {
    this.#refs ??= []
    const known = this.#refs.length < 64 ? this.#refs.indexOf(ref) : -1
    return known >= 0 ? known : this.#refs.push(ref) - 1
  }

  /** Closes the encoding: places the buffers, appends text and table to the stream, writes the header. */
  finish(): Plan {
    this.#plan?.settle(this)
    // Views that lie in the stream make a plan, and no table.
    const entries = this.#plan?.entries.length === 0 ? undefined : this.#plan?.entries
    const { text } = this
    const wide = isWide(text)
    const streamBytes = this.at * 4 - HEADER_BYTES
    const textBytes = wide ? text.length * 2 : text.length
    const textAt = HEADER_BYTES + streamBytes
    const tableAt = entries === undefined ? 0 : alignUp(textAt + textBytes, 8)
    const mainBytes = entries === undefined ? textAt + textBytes : tableAt + entries.length * TABLE_ENTRY_BYTES
    this.reserve(Math.ceil(mainBytes / 4) - this.at)
    if (wide) this.#bytes.write(text, textAt, 'utf16le')
    else if (textBytes !== 0) this.#bytes.write(text, textAt, 'latin1')
    const rest: Piece[] = []
    const byteLength = entries === undefined ? mainBytes : this.#table(entries, tableAt, mainBytes, rest)
    const { words } = this
    words[0] = MAGIC
    words[1] = VERSION | ((wide ? FLAG_WIDE_TEXT : 0) << 16)
    words[2] = byteLength
    words[3] = byteLength > 0xffff_ffff ? Math.floor(byteLength / 2 ** 32) : 0
    words[4] = streamBytes
    words[5] = textBytes
    words[6] = tableAt
    words[7] = entries === undefined ? 0 : entries.length
    words[8] = this.#refs === undefined ? 0 : this.#refs.length
    words[9] = 0
    return { byteLength, refs: this.#refs ?? NO_REFS, main: this.#bytes.subarray(0, mainBytes), rest }
  }

  /** Writes the buffer table, and says where each piece goes. Returns where the last buffer ends. */
  #table(entries: readonly TableEntry[], tableAt: number, mainBytes: number, rest: Piece[]): number {
    const { doubles } = this
    let at = tableAt
    let end = mainBytes
    for (const entry of entries) {
      const offset = alignUp(end)
      for (const piece of entry.pieces) if (piece.bytes.length !== 0) rest.push({ at: offset + piece.at, bytes: piece.bytes })
      for (const field of [offset, entry.byteLength, entry.own]) {
        doubles.setUint32(at, field % 2 ** 32, true)
        doubles.setUint32(at + 4, Math.floor(field / 2 ** 32), true)
        at += 8
      }
      end = offset + entry.byteLength
    }
    return end
  }

  #object(value: object): void {
    const known = this.#positionOf(value)
    if (known >= 0) {
      this.words[known] = (this.words[known] as number) | REFERENCED
      this.words[this.at++] = TAG.backReference
      this.words[this.at++] = known - HEADER_WORDS
      return
    }
    if (++this.#depth > DEPTH_MAX)
      throw new Refusal(`is nested more than ${DEPTH_MAX} levels deep (a Map, a Set, an error counts as two); flatten it, or refer to children by index`)
    // A proxy's traps are user code that may answer anything: it is asked nothing before this.
    if (isProxy(value)) refuse(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) writeRecord(this, value)
    else if (prototype === Array.prototype && Array.isArray(value)) writeArray(this, value)
    else {
      // Collections and errors take twice the stack of plain data.
      this.#depth++
      writeOther(this, value, prototype as object | null)
      this.#depth--
    }
    this.#depth--
  }

  /** The word where this very object was written, or -1. */
  #positionOf(value: object): number {
    if (this.#many !== undefined) return this.#many.get(value) ?? -1
    for (let index = 0; index < this.#fewCount; index++) if (this.#few[index] === value) return this.#fewAt[index] as number
    return -1
  }

  #grow(words: number): void {
    const wanted = Math.max(this.#capacity * 2, this.at + words + 64)
    if (this.at + words > WORDS_MAX) throw new Refusal('takes more than 2 GiB beside its buffers; split it, or use typed arrays')
    const { words: old, at } = this
    this.#use(Math.min(wanted, WORDS_MAX))
    this.words.set(old.subarray(0, at))
  }

  #use(capacity: number): void {
    const memory = new ArrayBuffer(capacity * 4)
    this.words = new Int32Array(memory)
    this.doubles = new DataView(memory)
    this.#bytes = Buffer.from(memory)
    this.#capacity = capacity
  }
}
