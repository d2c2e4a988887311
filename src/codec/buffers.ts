/** What leaves the stream: each buffer's bytes once, and which views lie where in it. */

import { BUFFER_ALIGNMENT, INLINE_BYTES_MAX, PAYLOAD_SHIFT, RESIZABLE_BYTES_MAX, TAG } from './layout.ts'
import { Refusal } from './refusal.ts'
import type { Writer } from './writer.ts'

/** How a view's record names its bytes. */
export const FORM = { inline: 0, buffer: 1, relocated: 2 } as const
export const FORM_SHIFT = 16

export interface Piece {
  readonly at: number
  readonly bytes: Uint8Array
}

/** One entry of the buffer table, with pieces relative to its start. */
export interface TableEntry {
  readonly byteLength: number
  /** 0: views only; 1: a bare `ArrayBuffer` is in the value; 2 + n: a resizable one of at most n bytes. */
  readonly own: number
  readonly pieces: readonly Piece[]
}

/** A place in the stream that refers to memory. Where that memory goes is known when all places are. */
interface Site {
  /** Word position of the record's head. */
  readonly at: number
  readonly inline: boolean
  readonly start: number
  readonly end: number
  readonly own: number
}

export class BufferPlan {
  readonly entries: TableEntry[] = []
  readonly #sites = new Map<ArrayBufferLike, Site[]>()

  /** Bytes that nothing else refers to (a long string, an Arrow stream). Returns their index in the table. */
  attach(entry: TableEntry): number {
    return this.entries.push(entry) - 1
  }

  add(buffer: ArrayBufferLike, site: Site): void {
    const sites = this.#sites.get(buffer)
    if (sites === undefined) this.#sites.set(buffer, [site])
    else sites.push(site)
  }

  /** Gives every buffer its entry, and every record that was waiting for it the index and offset. */
  settle(writer: Writer): void {
    for (const [buffer, sites] of this.#sites) {
      const only = sites[0] as Site
      if (sites.length === 1) {
        if (!only.inline) this.#place(writer, buffer, sites)
      } else if (isPool(buffer)) {
        for (const cluster of overlapping(sites)) if (cluster.length > 1 || !(cluster[0] as Site).inline) this.#place(writer, buffer, cluster)
      } else {
        this.#place(writer, buffer, sites)
      }
    }
  }

  #place(writer: Writer, buffer: ArrayBufferLike, sites: readonly Site[]): void {
    let start = Number.MAX_SAFE_INTEGER
    let end = 0
    let own = 0
    for (const site of sites) {
      start = Math.min(start, site.start)
      end = Math.max(end, site.end)
      own = Math.max(own, site.own)
    }
    // Views of several element sizes stay aligned to theirs, if the span keeps its place within eight bytes.
    const lead = sites.length === 1 ? 0 : start % 8
    const index = this.attach({ byteLength: lead + end - start, own, pieces: [{ at: lead, bytes: new Uint8Array(buffer, start, end - start) }] })
    const { words } = writer
    for (const site of sites) {
      const offset = lead + site.start - start
      if (site.own !== 0) {
        words[site.at + 1] = index
      } else if (site.inline) {
        words[site.at] = (words[site.at] as number) | (FORM.relocated << FORM_SHIFT)
        words[site.at + 2] = index
        words[site.at + 3] = offset
      } else {
        words[site.at + 1] = index
        words[site.at + 4] = offset
        words[site.at + 5] = Math.floor(offset / 2 ** 32)
      }
    }
  }
}

/** Writes the record of a view of `buffer`. `kind` is its class's number. */
export const writeViewRecord = (
  writer: Writer,
  kind: number,
  value: object,
  view: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number },
): void => {
  const { buffer, byteOffset, byteLength } = view
  const at = writer.open(value, TAG.view | (kind << PAYLOAD_SHIFT))
  if (byteLength > INLINE_BYTES_MAX || buffer.byteLength > 0xffff_ffff) {
    writer.words[at] = (writer.words[at] as number) | (FORM.buffer << FORM_SHIFT)
    writer.word(0)
    writer.word(byteLength)
    writer.word(Math.floor(byteLength / 2 ** 32))
    writer.word(0)
    writer.word(0)
    writer.plan.add(buffer, { at, inline: false, start: byteOffset, end: byteOffset + byteLength, own: 0 })
    return
  }
  writer.word(byteLength)
  writer.word(0)
  writer.word(0)
  // Nothing can be shared of nothing: empty views have no site.
  if (byteLength === 0) return
  writer.raw(new Uint8Array(buffer, byteOffset, byteLength))
  writer.plan.add(buffer, { at, inline: true, start: byteOffset, end: byteOffset + byteLength, own: 0 })
}

/** Writes the record of a view over bytes that are written in place later, behind the table. */
export const writeBlankRecord = (writer: Writer, kind: number, byteLength: number): void => {
  writer.word(TAG.view | (kind << PAYLOAD_SHIFT) | (FORM.buffer << FORM_SHIFT))
  writer.word(writer.plan.attach({ byteLength, own: 0, pieces: [] }))
  writer.word(byteLength)
  writer.word(Math.floor(byteLength / 2 ** 32))
  writer.word(0)
  writer.word(0)
}

/** Writes the record of a bare `ArrayBuffer`, which takes all of its bytes along. */
export const writeBufferRecord = (writer: Writer, buffer: ArrayBuffer): void => {
  const at = writer.open(buffer, TAG.arrayBuffer)
  writer.word(0)
  const { resizable, maxByteLength } = buffer as ArrayBuffer & { readonly resizable?: boolean; readonly maxByteLength?: number }
  if (resizable === true && (maxByteLength ?? 0) > RESIZABLE_BYTES_MAX)
    throw new Refusal('is an ArrayBuffer that may grow to more than 64 GiB; pass a copy with a smaller limit')
  const own = resizable === true && maxByteLength !== undefined ? 2 + maxByteLength : 1
  writer.plan.add(buffer, { at, inline: false, start: 0, end: buffer.byteLength, own })
}

/** Node cuts small Buffers from pools of this size. Neighbours in a pool have nothing to do with each other, and what lies between them is other people's. */
const poolBytes = Buffer.allocUnsafe(1).buffer.byteLength

const isPool = (buffer: ArrayBufferLike): boolean => buffer.byteLength === poolBytes

const overlapping = (sites: readonly Site[]): Site[][] => {
  const clusters: Site[][] = []
  let end = -1
  for (const site of sites.toSorted((left, right) => left.start - right.start)) {
    if (site.start < end) (clusters.at(-1) as Site[]).push(site)
    else clusters.push([site])
    end = Math.max(end, site.end)
  }
  return clusters
}

export const alignUp = (value: number, alignment: number = BUFFER_ALIGNMENT): number => Math.ceil(value / alignment) * alignment
