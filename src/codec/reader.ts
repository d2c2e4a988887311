/**
 * Reads one value. Bytes may be damaged: every length is checked before it is believed, and nothing is read outside them.
 * Depth is not counted: a stack that is full throws, and leaves nothing behind.
 */

import { SerializationError } from '../errors/errors.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import type { AnyClass, Codec } from './classes.ts'
import { readers } from './kinds/index.ts'
import { readArray, readDictionary, readDoubleArray, readInt32Array, readRecord } from './kinds/plain.ts'
import {
  BUFFER_ALIGNMENT,
  FLAG_WIDE_TEXT,
  HEADER,
  HEADER_BYTES,
  HEADER_WORDS,
  MAGIC,
  PAYLOAD_SHIFT,
  RESIZABLE_BYTES_MAX,
  TABLE_ENTRY_BYTES,
  TAG,
  TAG_MASK,
  VERSION,
} from './layout.ts'
import { type Region, regionOf } from './region.ts'
import { type ReadShape, readShapeIn } from './shapes.ts'
import { latin1, utf16 } from './text.ts'

/** Strings are cut from pieces of this many characters: each keeps no more than that alive. */
const SEGMENT_UNITS = 4_096
/** Longer arrays grow with what is read: a long one that is made at once becomes a dictionary. */
const ELEMENTS_AT_ONCE_MAX = 1 << 24

export type ErrorClass = abstract new (...args: never[]) => Error

export interface DecodeOptions {
  /** True if the bytes lie in memory that stays: views of it are given out. */
  readonly alias: boolean
  /** Asked for a class or a codec that nobody registered, by its key. Errors then come back by name, other values not at all. */
  readonly onUnknownClass?: ((key: string) => AnyClass | undefined) | undefined
}

/** Where an encoded value lies, and what belongs to it. */
export interface Source {
  readonly region: Region
  /** Where it begins, in bytes: a multiple of four. */
  readonly at: number
  readonly byteLength: number
  readonly refs: readonly ObjectRef[]
}

/** A place in the value's bytes, as the table gives it. */
interface Span {
  readonly at: number
  readonly byteLength: number
  readonly own: number
}

/** Where a view of a table entry is to be made. */
export interface Memory {
  readonly buffer: ArrayBufferLike
  readonly at: number
  readonly byteLength: number
}

const CLOSED: Region = regionOf(new Uint8Array(0))
const CLOSED_OPTIONS: DecodeOptions = { alias: false }
const NONE: readonly never[] = Object.freeze([])

export class Reader {
  options: DecodeOptions = CLOSED_OPTIONS
  /** Values that stand for top-level refs among the arguments. */
  dependencies: readonly unknown[] = NONE
  /** Classes and codecs met, by their numbers in this value. */
  classes: (AnyClass | Codec)[] = []
  /** Where the value begins, in words and in bytes of the region. */
  #start = 0
  #from = 0
  #byteLength = 0
  /** Position of the next word, counted from the start of the region. */
  #at = 0
  /** Where the stream ends. */
  #end = 0
  #bytes: Uint8Array = CLOSED.bytes
  #words: Int32Array = CLOSED.words
  /** How many elements arrays may still take on trust: all of them together have no more than the stream has words, holes apart. */
  #trusted = 0
  #refs: readonly ObjectRef[] = NONE
  #shapes: ReadShape[] = []
  #bufferCount = 0
  #tableAt = 0
  #spans: Span[] | undefined
  #memories: (Memory | undefined)[] | undefined
  #objects: Map<number, unknown> | undefined
  #wide = false
  #textAt = 0
  #textUnits = 0
  #segment = ''
  #segmentAt = 0
  /** Position in the text, in characters. */
  #cursor = 0

  /** Begins to read a value. Nothing of another is left in a reader that was closed. */
  open({ region, at, byteLength, refs }: Source, dependencies: readonly unknown[], options: DecodeOptions): void {
    if (byteLength < HEADER_BYTES) this.damaged(`${byteLength} bytes, fewer than a header has`)
    const { words } = region
    const start = at >>> 2
    if (field(words, start, HEADER.magic) !== MAGIC) this.damaged('no magic number')
    const version = field(words, start, HEADER.version) & 0xffff
    if (version !== VERSION) throw new SerializationError(`the bytes have version ${version} of the object format, this package reads ${VERSION}`)
    const flags = field(words, start, HEADER.version) >>> 16
    const length = field(words, start, HEADER.byteLength) + field(words, start, HEADER.byteLength + 4) * 2 ** 32
    if (length > byteLength) this.damaged(`${byteLength} bytes of ${length}`)
    const streamBytes = field(words, start, HEADER.streamBytes)
    const textBytes = field(words, start, HEADER.textBytes)
    const textAt = HEADER_BYTES + streamBytes
    const tableAt = field(words, start, HEADER.tableAt)
    const bufferCount = field(words, start, HEADER.bufferCount)
    const end = bufferCount === 0 ? length : tableAt
    if (textAt + textBytes > end || streamBytes % 4 !== 0 || flags > FLAG_WIDE_TEXT) this.damaged('a header that contradicts itself')
    if (field(words, start, HEADER.refCount) !== refs.length) this.damaged(`${refs.length} refs of ${field(words, start, HEADER.refCount)}`)
    if (bufferCount !== 0 && (tableAt % 8 !== 0 || tableAt + bufferCount * TABLE_ENTRY_BYTES > length)) {
      this.damaged('a buffer table outside the bytes')
    }
    this.options = options
    this.dependencies = dependencies
    this.#bytes = region.bytes
    this.#words = words
    this.#refs = refs
    this.#start = start
    this.#from = at
    this.#byteLength = byteLength
    this.#at = start + HEADER_WORDS
    this.#end = start + textAt / 4
    this.#trusted = streamBytes / 4
    this.#bufferCount = bufferCount
    this.#tableAt = tableAt
    this.#wide = flags === FLAG_WIDE_TEXT
    this.#textAt = at + textAt
    this.#textUnits = flags === FLAG_WIDE_TEXT ? textBytes >>> 1 : textBytes
  }

  /** Lets go of everything of the value's. */
  close(): void {
    this.options = CLOSED_OPTIONS
    this.dependencies = NONE
    this.#bytes = CLOSED.bytes
    this.#words = CLOSED.words
    this.#refs = NONE
    if (this.#shapes.length > 0) this.#shapes = []
    if (this.classes.length > 0) this.classes = []
    this.#spans = undefined
    this.#memories = undefined
    this.#objects = undefined
    this.#segment = ''
    this.#segmentAt = 0
    this.#cursor = 0
  }

  /** The one value that the bytes hold. */
  root(): unknown {
    const value = this.value()
    this.end()
    return value
  }

  end(): void {
    if (this.#at !== this.#end || this.#cursor !== this.#textUnits) this.damaged('something behind the value')
  }

  value(): unknown {
    const at = this.#at
    // One check a value. What follows a head may reach a few words into the text, never outside the bytes; the end is compared again.
    if (at >= this.#end) this.damaged('a value beyond the end')
    const head = this.#words[at] as number
    this.#at = at + 1
    switch (head & TAG_MASK) {
      case TAG.smallInt:
        return head >> PAYLOAD_SHIFT
      case TAG.string:
        return this.take(head >>> PAYLOAD_SHIFT)
      case TAG.double:
        return this.double()
      case TAG.int32:
        return this.word()
      case TAG.true:
        return true
      case TAG.false:
        return false
      case TAG.null:
        return null
      case TAG.undefined:
        return undefined
      case TAG.object: {
        const shape = this.#shapes[head >>> PAYLOAD_SHIFT]
        if (shape === undefined) return this.damaged('a shape that was not announced')
        return readRecord(this, head, at, shape)
      }
      case TAG.objectNewShape: {
        const units = head >>> PAYLOAD_SHIFT
        const from = this.#seek(units)
        const shape = readShapeIn(this.#segment, from, units)
        this.#shapes.push(shape)
        return readRecord(this, head, at, shape)
      }
      case TAG.array: {
        return readArray(this, head, at)
      }
      case TAG.int32Array:
        return readInt32Array(this, head, at)
      case TAG.doubleArray:
        return readDoubleArray(this, head, at)
      case TAG.dictionary: {
        return readDictionary(this, head, at)
      }
      case TAG.backReference:
        return this.#recall(this.unsigned())
      default:
        return this.#other(head, at)
    }
  }

  /** Past the bytes there are zeros; `end` tells. */
  word(): number {
    return (this.#words[this.#at++] as number) | 0
  }

  unsigned(): number {
    return this.word() >>> 0
  }

  /** A number of up to 53 bits, in two words. */
  long(): number {
    const low = this.unsigned()
    return low + this.unsigned() * 2 ** 32
  }

  double(): number {
    halves[0] = this.#words[this.#at++] as number
    halves[1] = this.#words[this.#at++] as number
    return whole[0] as number
  }

  /** How many holes stand here; 0 for an element. */
  holes(): number {
    if (((this.#words[this.#at] as number) & TAG_MASK) !== TAG.holes) return 0
    this.#at++
    const count = this.unsigned()
    return count === 0 ? this.damaged('no holes where some were announced') : count
  }

  /** The next `count` bytes of the stream, padded to whole words there. A view: it is to be copied. */
  raw(count: number): Uint8Array {
    this.expectBytes(count)
    const at = this.#at
    this.#at = at + Math.ceil(count / 4)
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at * 4, count)
  }

  /** The next 32-bit integers of the stream, where they lie. */
  integers(count: number): Int32Array {
    this.expectBytes(count * 4)
    const at = this.#at
    this.#at = at + count
    return this.#words.subarray(at, at + count)
  }

  /** The next doubles of the stream, where they lie or, if that is not aligned, copied. */
  doubles(count: number): Float64Array {
    const bytes = this.raw(count * 8)
    return bytes.byteOffset % 8 === 0 ? new Float64Array(bytes.buffer, bytes.byteOffset, count) : new Float64Array(bytes.slice().buffer)
  }

  /** Whether an array may have room for so many elements at once. If not, its length may still be right: holes take no bytes. */
  trusts(length: number): boolean {
    if (length > this.#trusted || length > ELEMENTS_AT_ONCE_MAX) return false
    this.#trusted -= length
    return true
  }

  /** Refuses a count before a loop or an allocation believes it. */
  expectBytes(count: number): void {
    if (this.#at * 4 + count > this.#end * 4) this.damaged('a length beyond the end')
  }

  /** The next characters of the text. */
  take(units: number): string {
    const from = this.#seek(units)
    return this.#segment.substring(from, from + units)
  }

  /** Moves behind the next characters of the text, and says where they begin in the segment, which has all of them. */
  #seek(units: number): number {
    const from = this.#cursor - this.#segmentAt
    if (from + units > this.#segment.length) return this.#load(units)
    this.#cursor += units
    return from
  }

  #load(units: number): number {
    const start = this.#cursor
    if (start + units > this.#textUnits) this.damaged('text beyond its end')
    const end = Math.min(this.#textUnits, start + Math.max(units, SEGMENT_UNITS))
    const at = this.#textAt
    this.#segment = this.#wide ? utf16(this.#bytes, at + start * 2, at + end * 2) : latin1(this.#bytes, at + start, at + end)
    this.#segmentAt = start
    this.#cursor = start + units
    return 0
  }

  /** Keeps an object that something else refers back to. */
  remember(at: number, value: unknown): void {
    this.#objects ??= new Map()
    this.#objects.set(at, value)
  }

  #recall(at: number): unknown {
    const object = this.#objects?.get(this.#start + HEADER_WORDS + at)
    return object === undefined ? this.damaged('a reference back to nothing') : object
  }

  #other(head: number, at: number): unknown {
    const read = readers[head & TAG_MASK]
    if (read === undefined) return this.damaged(`the unknown tag ${head & TAG_MASK}`)
    return read(this, head, at)
  }

  ref(index: number): ObjectRef {
    return this.#refs[index] ?? this.damaged('a ref that is not in the table')
  }

  /** The bytes of a table entry, where they lie. */
  tableBytes(index: number): Uint8Array {
    const span = this.#span(index)
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#from + span.at, span.byteLength)
  }

  /** The bytes of a table entry as they may be given out: where they lie, or copied. */
  keptBytes(index: number): Uint8Array {
    const bytes = this.tableBytes(index)
    return this.options.alias && bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
  }

  /** Where views of a table entry are made: over the bytes themselves if those stay, else over one copy for all of them. */
  memory(index: number): Memory {
    this.#memories ??= []
    let memory = this.#memories[index]
    if (memory === undefined) {
      const span = this.#span(index)
      const at = this.#bytes.byteOffset + this.#from + span.at
      memory =
        this.options.alias && span.own === 0 && at % 8 === 0
          ? { buffer: this.#bytes.buffer, at, byteLength: span.byteLength }
          : { buffer: this.#copy(span), at: 0, byteLength: span.byteLength }
      this.#memories[index] = memory
    }
    return memory
  }

  #copy(span: Span): ArrayBuffer {
    if (span.own - 2 > RESIZABLE_BYTES_MAX) this.damaged('a buffer that may grow beyond all memory')
    const options = span.own < 2 ? undefined : { maxByteLength: span.own - 2 }
    const copy = new (ArrayBuffer as new (length: number, options?: { maxByteLength: number }) => ArrayBuffer)(span.byteLength, options)
    new Uint8Array(copy).set(new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#from + span.at, span.byteLength))
    return copy
  }

  #span(index: number): Span {
    this.#spans ??= this.#readTable()
    return this.#spans[index] ?? this.damaged('a buffer that is not in the table')
  }

  #readTable(): Span[] {
    const table = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#from + this.#tableAt, this.#bufferCount * TABLE_ENTRY_BYTES)
    const spans: Span[] = []
    let end = this.#tableAt + table.byteLength
    for (let at = 0; at < table.byteLength; at += TABLE_ENTRY_BYTES) {
      const span = { at: longAt(table, at), byteLength: longAt(table, at + 8), own: longAt(table, at + 16) }
      // In order and apart, as they are written: so damaged bytes cannot make a small value take much memory.
      if (span.at % BUFFER_ALIGNMENT !== 0 || span.at < end || span.at + span.byteLength > this.#byteLength) this.damaged('a buffer outside the bytes')
      end = span.at + span.byteLength
      spans.push(span)
    }
    return spans
  }

  damaged(what: string): never {
    throw new SerializationError(`damaged bytes: ${what}`)
  }
}

/** A double in two words, which need no alignment. */
const whole = new Float64Array(1)
const halves = new Int32Array(whole.buffer)

const longAt = (table: DataView, at: number): number => table.getUint32(at, true) + table.getUint32(at + 4, true) * 2 ** 32

const field = (words: Int32Array, start: number, at: number): number => (words[start + at / 4] as number) >>> 0

const NOTHING = new Int32Array([MAGIC, VERSION, HEADER_BYTES + 4, 0, 4, 0, 0, 0, 0, 0, TAG.undefined])

/** V8 throws optimized code away at a full collection if no object of a class that it deals with is alive just then. One always is. */
export const standing: Reader = new Reader()
standing.open({ region: regionOf(new Uint8Array(NOTHING.buffer)), at: 0, byteLength: NOTHING.byteLength, refs: NONE }, NONE, CLOSED_OPTIONS)
