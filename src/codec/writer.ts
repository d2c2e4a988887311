/** Writes one value: the stream of words in reused memory, the text, and what stays outside (buffers, refs). */

import { types } from 'node:util'
import type { ObjectRef } from '../refs/object-ref.ts'
import { alignUp, BufferPlan, type Piece, type TableEntry } from './buffers.ts'
import type { Encoding } from './capsules.ts'
import { EncodedParts } from './encoded.ts'
import { writeCapsuleOf } from './kinds/capsule.ts'
import { writeOther } from './kinds/index.ts'
import { writeArray, writeRecord } from './kinds/plain.ts'
import { writeBigInt, writeNumber, writeString } from './kinds/primitive.ts'
import { DEPTH_MAX, FLAG_WIDE_TEXT, HEADER_BYTES, HEADER_WORDS, MAGIC, REFERENCED, TABLE_ENTRY_BYTES, TAG, VERSION } from './layout.ts'
import { Met } from './met.ts'
import { Refusal } from './refusal.ts'
import { refuse } from './refuse.ts'
import { isWide, writeText } from './text.ts'

const { isProxy } = types

const WORDS_AT_FIRST = 4_096
/** Scratch memory beyond this is not kept for the next value. */
const WORDS_KEPT_MAX = 1 << 19
const WORDS_MAX = 0x1fff_ff00
const TEXT_UNITS_TOTAL_MAX = 1 << 28
/** So much text is gathered in a string before it becomes bytes. Each joint takes 32 bytes, which the collector should not have to move. */
const TEXT_PIECE_UNITS = 1 << 16
const TEXT_BYTES_AT_FIRST = 1 << 14
/** As for the words. */
const TEXT_BYTES_KEPT_MAX = 1 << 20

/** As for long strings. */
const LONG_BYTES_KEPT_MAX = 1 << 21

/** Numbers encodings, across all writers of this thread: a shape announced in another encoding is announced again. */
let encodings = 0

const NO_REFS: readonly ObjectRef[] = Object.freeze([])
const NO_PIECES: Piece[] = Object.freeze([]) as never

export class Writer {
  words: Int32Array
  doubles: DataView
  /** Position of the next word; the header's words come first. */
  at: number = HEADER_WORDS
  /** Short-lived identity of this encoding, compared by shapes. */
  encoding = 0
  shapes = 0
  /** Keys of the classes and codecs met, by their numbers in this encoding. */
  classes: string[] = []
  /** What is written was thrown: classes of errors that nobody else can know by name only. */
  isThrown = false
  /** How many capsules are open: inside of one more can travel than in a value of its own. Whoever opens one closes it. */
  capsules = 0
  #taking: Encoding | undefined
  #bytes: Buffer
  #capacity: number
  /** The end of the text, not yet among its bytes. */
  #text = ''
  #textBytes: Buffer = Buffer.allocUnsafeSlow(TEXT_BYTES_AT_FIRST)
  /** How much of the text is among its bytes. */
  #textUnits = 0
  #wide = false
  /** Where long strings become bytes, and how much of it is taken. */
  #long: Buffer = Buffer.alloc(0)
  #longAt = 0
  #depth = 0
  #refs: ObjectRef[] | undefined
  #plan: BufferPlan | undefined
  readonly #met = new Met()
  readonly #plain = new EncodedParts()

  constructor() {
    const memory = new ArrayBuffer(WORDS_AT_FIRST * 4)
    this.words = new Int32Array(memory)
    this.doubles = new DataView(memory)
    this.#bytes = Buffer.from(memory)
    this.#capacity = WORDS_AT_FIRST
  }

  /** Starts over; whatever the last encoding left is forgotten. */
  begin(learnt: readonly unknown[] | undefined): void {
    if (learnt !== undefined) this.#taking = { learnt, state: undefined }
    this.at = HEADER_WORDS
    this.encoding = ++encodings
    this.shapes = 0
    this.isThrown = false
    if (this.classes.length > 0) this.classes = []
    this.#textUnits = 0
    this.#wide = false
    this.#longAt = 0
    this.#depth = 0
    if (this.#capacity > WORDS_KEPT_MAX) this.#use(WORDS_AT_FIRST)
    if (this.#textBytes.length > TEXT_BYTES_KEPT_MAX) this.#textBytes = Buffer.allocUnsafeSlow(TEXT_BYTES_AT_FIRST)
  }

  /** Lets go of everything of the user's. The words stay: the encoded value lies in them. */
  end(): void {
    this.#met.clear()
    this.#refs = undefined
    this.#plan = undefined
    this.#text = ''
    this.#taking = undefined
  }

  /** For whoever takes functions apart; what an encoding that starts over has learnt is given to the next. */
  get taking(): Encoding {
    this.#taking ??= { learnt: NO_PIECES, state: undefined }
    return this.#taking
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
      case 'function':
        this.#callable(value)
        return
      default:
        if (this.capsules === 0 || !writeCapsuleOf(this, value)) refuse(value)
    }
  }

  /** Writes a head word for `value`, and remembers it as the place that other references to it point to. */
  open(value: object, head: number): number {
    const at = this.at
    this.word(head)
    this.#met.place(value, at)
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
    this.#text += text
    if (this.#text.length >= TEXT_PIECE_UNITS) this.#sayBytes()
  }

  /** Memory for bytes that lie outside of stream and text, until this writer is used again. */
  scratch(bytes: number): Buffer {
    if (bytes > LONG_BYTES_KEPT_MAX) return Buffer.allocUnsafeSlow(bytes)
    if (this.#longAt + bytes > this.#long.length) {
      // What was given out keeps the old memory.
      this.#long = Buffer.allocUnsafeSlow(Math.min(LONG_BYTES_KEPT_MAX, Math.max(bytes, this.#long.length * 2)))
      this.#longAt = 0
    }
    const from = this.#longAt
    this.#longAt += bytes
    return this.#long.subarray(from, this.#longAt)
  }

  /** The index of a ref in the table outside the bytes; the same ref has one. */
  ref(ref: ObjectRef): number {
    this.#refs ??= []
    const known = this.#refs.length < 64 ? this.#refs.indexOf(ref) : -1
    return known >= 0 ? known : this.#refs.push(ref) - 1
  }

  /** Closes the encoding: places the buffers, appends text and table to the stream, writes the header. */
  finish(deps: readonly ObjectRef[]): EncodedParts {
    this.#plan?.settle(this)
    // Views that lie in the stream make a plan, and no table.
    const entries = this.#plan?.entries.length === 0 ? undefined : this.#plan?.entries
    let rest = NO_PIECES
    // Little text goes straight behind the stream; much of it is copied once, unless a table follows.
    const text = this.#textUnits === 0 ? this.#text : ''
    if (text === '') this.#sayBytes()
    else this.#wide = isWide(text)
    const wide = this.#wide
    const streamBytes = this.at * 4 - HEADER_BYTES
    const textBytes = (this.#textUnits + text.length) * (wide ? 2 : 1)
    const textAt = HEADER_BYTES + streamBytes
    const textEnd = textAt + textBytes
    const tableAt = entries === undefined ? 0 : alignUp(textEnd, 8)
    const apart = entries === undefined && this.#textUnits !== 0
    if (apart || entries !== undefined) rest = []
    const mainBytes = apart ? textAt : entries === undefined ? textEnd : tableAt + entries.length * TABLE_ENTRY_BYTES
    this.reserve(Math.ceil(mainBytes / 4) - this.at)
    if (text !== '') {
      writeText(this.#bytes, text, textAt, wide)
    } else if (textBytes !== 0) {
      const bytes = new Uint8Array(this.#textBytes.buffer, 0, textBytes)
      if (apart) rest.push({ at: textAt, bytes })
      else this.#bytes.set(bytes, textAt)
    }
    const byteLength = entries === undefined ? textEnd : this.#table(entries, tableAt, mainBytes, rest)
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
    const refs = this.#refs ?? NO_REFS
    // One that lives on must hold nothing of the user's.
    const out = rest.length + refs.length + deps.length === 0 ? this.#plain : new EncodedParts()
    out.byteLength = byteLength
    out.refs = refs
    out.deps = deps
    out.words = words
    out.mainBytes = mainBytes
    out.rest = rest
    return out
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

  /** True if this very value was written before, and was referred to instead. */
  #again(value: object): boolean {
    const known = this.#met.meet(value)
    if (known < 0) return false
    this.words[known] = (this.words[known] as number) | REFERENCED
    this.words[this.at++] = TAG.backReference
    this.words[this.at++] = known - HEADER_WORDS
    return true
  }

  #deeper(): void {
    if (++this.#depth > DEPTH_MAX)
      throw new Refusal(`is nested more than ${DEPTH_MAX} levels deep (a Map, a Set, an error counts as two); flatten it, or refer to children by index`)
  }

  /** A function or a class. What it takes along may be deep: it takes as much of the stack as ten objects. */
  #callable(value: object): void {
    if (this.#again(value)) return
    for (let k = 0; k < 10; k++) this.#deeper()
    if (!writeCapsuleOf(this, value)) refuse(value)
    this.#depth -= 10
  }

  #object(value: object): void {
    if (this.#again(value)) return
    this.#deeper()
    // A proxy's traps are user code that may answer anything: it is asked nothing. Which one it is may be known.
    if (isProxy(value)) {
      if (this.capsules === 0 || !writeCapsuleOf(this, value)) refuse(value)
      this.#depth--
      return
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if (this.capsules > 0 && writeCapsuleOf(this, value)) {
      // More of it travels than of a value of its own.
    } else if (prototype === Object.prototype) writeRecord(this, value)
    else if (prototype === Array.prototype && Array.isArray(value)) writeArray(this, value)
    else {
      // Collections and errors take twice the stack of plain data.
      this.#depth++
      writeOther(this, value, prototype as object | null)
      this.#depth--
    }
    this.#depth--
  }

  /** Moves the text that was gathered to its bytes. */
  #sayBytes(): void {
    const text = this.#text
    if (text === '') return
    const units = this.#textUnits + text.length
    if (units > TEXT_UNITS_TOTAL_MAX) throw new Refusal('has more than 268,435,456 characters in short strings; split the value')
    if (!this.#wide && isWide(text)) this.#widen()
    this.#textRoom(this.#wide ? units * 2 : units)
    writeText(this.#textBytes, text, this.#wide ? this.#textUnits * 2 : this.#textUnits, this.#wide)
    this.#textUnits = units
    this.#text = ''
  }

  /** Some character takes two bytes: from now on each does, those that are there included. */
  #widen(): void {
    const units = this.#textUnits
    this.#textRoom(units * 2)
    const wide = new Uint16Array(this.#textBytes.buffer, 0, units)
    for (let unit = units - 1; unit >= 0; unit--) wide[unit] = this.#textBytes[unit] as number
    this.#wide = true
  }

  #textRoom(bytes: number): void {
    if (bytes <= this.#textBytes.length) return
    const more = Buffer.allocUnsafeSlow(Math.max(bytes, this.#textBytes.length * 2))
    more.set(this.#textBytes)
    this.#textBytes = more
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
