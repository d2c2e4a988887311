/** Kind: Arrow tables, record batches and vectors, as an Arrow IPC stream whose buffers are gathered, not joined. The only file that knows apache-arrow. */

import { readFileSync } from 'node:fs'
import Module, { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Piece } from '../buffers.ts'
import { PAYLOAD_SHIFT, REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { isOutermost } from '../realm.ts'
import { Refusal } from '../refusal.ts'
import type { Writer } from '../writer.ts'
import { checkArrowStream } from './arrow-metadata.ts'

/** As much of apache-arrow as is used here. Its own types would be needed by everybody who has no Arrow. */
interface Region {
  offset: number
  readonly length: number
}
interface Assembled {
  byteLength: number
  bufferRegions: Region[]
  readonly buffers: ArrayBufferView[]
}
interface StreamWriter {
  write(table: unknown): void
  finish(): unknown
}
interface Arrow {
  readonly Table: new (content: unknown) => object
  readonly RecordBatch: new (...args: never[]) => object
  readonly Vector: new (...args: never[]) => object
  readonly RecordBatchStreamWriter: new () => StreamWriter
  readonly tableFromIPC: (bytes: Uint8Array) => { readonly batches: readonly object[]; getChildAt(index: number): object | null }
}

const FORM = { table: 0, batch: 1, vector: 2 } as const
type Form = (typeof FORM)[keyof typeof FORM]
const FORM_MASK = 3
/** Set for values of the copy that `require` gives: apache-arrow has one for each module system, and their classes differ. */
const COMMON_JS = 4

const ALIGNMENT = 64

interface Copy {
  readonly arrow: Arrow
  readonly write: (content: object) => Piece[]
}

const require = createRequire(import.meta.url)
const copies = new Map<number, Copy>()

/** Cheap and structural: apache-arrow is loaded only when something looks like it. */
export const looksLikeArrow = (value: object): boolean => {
  const { schema, batches, data, type, getChildAt } = value as Record<string, unknown>
  if (typeof getChildAt !== 'function') return false
  return (typeof schema === 'object' && (Array.isArray(batches) || typeof data === 'object')) || (Array.isArray(data) && typeof type === 'object')
}

export const writeArrow = (writer: Writer, value: object): void => {
  for (const flavour of [0, COMMON_JS]) {
    const copy = load(flavour)
    const form = copy === undefined ? undefined : formOf(copy.arrow, value)
    if (copy === undefined || form === undefined) continue
    writer.open(value, TAG.arrow | ((form | flavour) << PAYLOAD_SHIFT))
    const pieces = copy.write(contentOf(copy.arrow, form, value))
    const last = pieces.at(-1)
    writer.word(writer.plan.attach({ byteLength: last === undefined ? 0 : last.at + last.bytes.length, own: 0, pieces }))
    return
  }
  throw new Refusal('is an Arrow value of a copy of apache-arrow that mobula cannot import (version 21 is a peer dependency); pass tableToIPC(table)')
}

const formOf = (arrow: Arrow, value: object): Form | undefined => {
  if (isOf(arrow.Table, value)) return FORM.table
  if (isOf(arrow.RecordBatch, value)) return FORM.batch
  return isOf(arrow.Vector, value) ? FORM.vector : undefined
}

/** By prototype: apache-arrow's own `instanceof` also says yes to values of another copy, which its writer then writes without their data. */
const isOf = (Class: object, value: object): boolean => Function.prototype[Symbol.hasInstance].call(Class, value)

const contentOf = (arrow: Arrow, form: Form, value: object): object => {
  if (form === FORM.table) return value
  return new arrow.Table(form === FORM.batch ? [value] : { vector: value })
}

export const readArrow = (reader: Reader, head: number, at: number): object => {
  const payload = head >>> PAYLOAD_SHIFT
  const copy = load(payload & COMMON_JS)
  if (copy === undefined) throw new Error('the value is an Arrow one, and apache-arrow (a peer dependency, version 21) cannot be imported here')
  const bytes = reader.keptBytes(reader.unsigned())
  checkArrowStream(bytes, (what) => reader.damaged(what))
  const table = copy.arrow.tableFromIPC(bytes)
  const form = payload & FORM_MASK
  const value = form === FORM.table ? table : form === FORM.batch ? table.batches[0] : table.getChildAt(0)
  if (value === undefined || value === null) return reader.damaged('an Arrow stream without its one batch or column')
  if ((head & REFERENCED) !== 0) reader.remember(at, value)
  return value
}

const load = (flavour: number): Copy | undefined => {
  const known = copies.get(flavour)
  if (known !== undefined) return known
  try {
    return keep(flavour, flavour === COMMON_JS ? require('apache-arrow') : imported('apache-arrow'))
  } catch {
    // Not kept: it is not installed, or somebody is just importing it, and then it is there the next time.
    if (flavour !== COMMON_JS && !isOutermost()) loading ??= importSlowly('apache-arrow')
    return undefined
  }
}

const keep = (flavour: number, module: unknown): Copy => {
  const arrow = module as Arrow
  const copy = { arrow, write: gatherer(arrow) }
  copies.set(flavour, copy)
  return copy
}

/** True when it is there. In a realm of its own, as vitest's vmThreads have one, only whoever made that loads its modules, and not at once. */
let loading: Promise<boolean> | undefined

/** What reading an Arrow value began to load: whoever reads waits for it, and reads again. */
export const takeLoading = (): Promise<boolean> | undefined => {
  const taken = loading
  loading = undefined
  return taken
}

const importSlowly = (specifier: string): Promise<boolean> =>
  import(specifier).then(
    (module) => {
      keep(0, module)
      return true
    },
    () => false,
  )

type Loading = Module & { filename: string; _compile?: (source: string, filename: string, format: 'module') => void }

/**
 * The module that `import` gives, without waiting. `require` would do on plain Node; under tsx it gives a copy compiled to CommonJS,
 * whose classes are not the user's. Node's own step behind `require` of a module is the same on 20.19 to 26, and tsx leaves it alone.
 */
const imported = (specifier: string): unknown => {
  const filename = fileURLToPath(import.meta.resolve(specifier))
  // Node's step would make a copy in Node's realm. jest's `require` knows modules that were imported.
  if (!isOutermost()) return require(filename)
  const module = new Module(filename) as Loading
  if (module._compile === undefined) return require(filename)
  module.filename = filename
  module._compile(readFileSync(filename, 'utf8'), filename, 'module')
  return module.exports
}

/**
 * A stream writer that keeps the buffers it is given instead of joining them, so that each is copied once, into the store.
 * It also moves every buffer to a multiple of 64 bytes, which Arrow recommends and apache-arrow's own writer does not do.
 * The methods it overrides are internal to apache-arrow: a test compares what comes back on every version in use.
 */
const gatherer = (arrow: Arrow): Copy['write'] => {
  interface Internals extends StreamWriter {
    _started: boolean
    _position: number
    _writeMessage(message: object, alignment?: number): this
    _assembleRecordBatch(batch: object): Assembled
  }
  const Base = arrow.RecordBatchStreamWriter as unknown as new () => Internals
  class Gatherer extends Base {
    readonly pieces: Piece[] = []

    _write(chunk: ArrayBufferView): this {
      if (this._started && chunk.byteLength > 0) {
        this.pieces.push({ at: this._position, bytes: new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) })
        this._position += chunk.byteLength
      }
      return this
    }

    override _writeMessage(message: object): this {
      return super._writeMessage(message, ALIGNMENT)
    }

    override _assembleRecordBatch(batch: object): Assembled {
      const assembled = super._assembleRecordBatch(batch)
      let at = 0
      for (const region of assembled.bufferRegions) {
        region.offset = at
        at = Math.ceil((at + region.length) / ALIGNMENT) * ALIGNMENT
      }
      assembled.byteLength = at
      return assembled
    }

    _writeBodyBuffers(buffers: readonly ArrayBufferView[]): this {
      for (const buffer of buffers) {
        this._write(buffer)
        // A gap needs no bytes: what lies between buffers is undefined.
        this._position = Math.ceil(this._position / ALIGNMENT) * ALIGNMENT
      }
      return this
    }
  }
  return (content) => {
    const writer = new Gatherer()
    writer.write(content)
    writer.finish()
    return writer.pieces
  }
}
