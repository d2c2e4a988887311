/** Reads row groups of flights-3m.parquet into typed arrays, without an object per row and without a BigInt per number. */

import { type CompressionCodec, type DecodedArray, type PageHeader, parquetMetadata } from 'hyparquet'
// hyparquet's ready-made reader gives arrays with a value per row, which takes 2 to 3 times as long. These are the parts that it is made of.
import { parquetHeader } from 'hyparquet/src/column.js'
import { decompressPage } from 'hyparquet/src/datapage.js'
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'
import { readPlain } from 'hyparquet/src/plain.js'
import { compressors } from 'hyparquet-compressors'

/** One row group, or the beginning of one. */
export interface Partition {
  readonly rows: number
  /** One for each column. */
  readonly chunks: readonly Chunk[]
}

/** Where a column of the row group lies in the file. */
interface Chunk {
  readonly name: string
  readonly codec: CompressionCodec
  readonly start: number
  readonly byteLength: number
}

export interface Columns {
  /** Minutes since 1970, in local time, as the file has it. */
  readonly minute: Int32Array
  /** Minutes late, negative if early. */
  readonly delay: Int32Array
  /** Miles. */
  readonly distance: Int32Array
  /** Rows of airports.csv. */
  readonly origin: Uint16Array
  readonly destination: Uint16Array
}

/** The first row groups, up to so many rows: the last of them may be cut. */
export const partitionsOf = (file: Uint8Array<ArrayBuffer>, rowsWanted = Number.POSITIVE_INFINITY): Partition[] => {
  const metadata = parquetMetadata(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength))
  const partitions: Partition[] = []
  let left = rowsWanted
  for (const group of metadata.row_groups) {
    if (left <= 0) break
    const rows = Math.min(left, Number(group.num_rows))
    left -= rows
    const chunks = group.columns.flatMap(({ meta_data: chunk }): Chunk[] => {
      if (chunk === undefined) return []
      const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset)
      return [{ name: chunk.path_in_schema.join('.'), codec: chunk.codec, start, byteLength: Number(chunk.total_compressed_size) }]
    })
    partitions.push({ rows, chunks })
  }
  return partitions
}

/**
 * The columns of one partition.
 *
 * @param airportRow called once for each airport in the row group, not for each flight
 */
export const readColumns = (file: Uint8Array, { rows, chunks }: Partition, airportRow: (code: Uint8Array) => number): Columns => {
  const read = <A extends Int32Array | Uint16Array>(name: string, into: A, meaning: (entry: unknown) => number): A => {
    const chunk = chunks.find((one) => one.name === name)
    if (chunk === undefined) throw new Error(`the file has no column ${name}`)
    readChunk(file, chunk, into, meaning)
    return into
  }
  return {
    minute: read('date', new Int32Array(rows), (micros) => Number((micros as bigint) / MICROS_PER_MINUTE)),
    delay: read('delay', new Int32Array(rows), Number),
    distance: read('distance', new Int32Array(rows), Number),
    origin: read('origin', new Uint16Array(rows), (code) => airportRow(code as Uint8Array)),
    destination: read('destination', new Uint16Array(rows), (code) => airportRow(code as Uint8Array)),
  }
}

const MICROS_PER_MINUTE = 60_000_000n

/** A chunk is a page with its distinct values, then pages with the number of one of them for each row. */
const readChunk = (file: Uint8Array, chunk: Chunk, into: Int32Array | Uint16Array, meaning: (entry: unknown) => number): void => {
  const bytes = file.subarray(chunk.start, chunk.start + chunk.byteLength)
  const reader = { view: viewOf(bytes), offset: 0 }
  let dictionary = new Int32Array(0)
  let row = 0
  while (row < into.length) {
    const header = parquetHeader(reader)
    const compressed = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size)
    reader.offset += header.compressed_page_size
    const page = decompressPage(compressed, header.uncompressed_page_size, chunk.codec, compressors)
    if (header.dictionary_page_header !== undefined) {
      const type = chunk.name === 'origin' || chunk.name === 'destination' ? 'BYTE_ARRAY' : 'INT64'
      dictionary = numbersOf(readPlain({ view: viewOf(page), offset: 0 }, type, header.dictionary_page_header.num_values, undefined), meaning)
    } else {
      const indexes = indexesOf(page, header, chunk.name)
      // A page is decoded as a whole, so that a cut partition gets more than it asked for.
      const count = Math.min(indexes.length, into.length - row)
      for (let k = 0; k < count; k++) into[row + k] = dictionary[indexes[k] as number] as number
      row += count
    }
  }
}

const numbersOf = (entries: DecodedArray, meaning: (entry: unknown) => number): Int32Array<ArrayBuffer> => {
  const numbers = new Int32Array(entries.length)
  for (let k = 0; k < numbers.length; k++) numbers[k] = meaning(entries[k])
  return numbers
}

/** A page of version 1 says first which rows have a value at all, then which one. This file has a value everywhere. */
const indexesOf = (page: Uint8Array, { type, data_page_header: header }: PageHeader, column: string): Uint32Array => {
  if (header === undefined || !header.encoding.endsWith('_DICTIONARY')) throw new Error(`${column} has a page that is no list of dictionary entries: ${type}`)
  const values = new Uint32Array(header.num_values)
  const reader = { view: viewOf(page), offset: 0 }
  readRleBitPackedHybrid(reader, 1, values)
  if (values.includes(0)) throw new Error(`${column} has rows without a value`)
  const width = page[reader.offset++] as number
  if (width === 0) return values.fill(0)
  readRleBitPackedHybrid(reader, width, values, page.length - reader.offset)
  return values
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView => new DataView(buffer, byteOffset, byteLength)
