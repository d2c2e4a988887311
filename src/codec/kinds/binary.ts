/** Kind: binary data: typed arrays, Buffer, DataView, ArrayBuffer. Views of one buffer share one after decoding too. */

import { FORM, FORM_SHIFT, writeBlankRecord, writeBufferRecord, writeViewRecord } from '../buffers.ts'
import { INLINE_BYTES_MAX, PAYLOAD_SHIFT, REFERENCED } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { Refusal } from '../refusal.ts'
import { refuse } from '../refuse.ts'
import type { Writer } from '../writer.ts'

type View = ArrayBufferView & { readonly buffer: ArrayBufferLike }

interface ViewClass {
  readonly name: string
  readonly prototype: object
  readonly unit: number
  make(buffer: ArrayBufferLike, at: number, byteLength: number): View
}

interface TypedArrayConstructor {
  new (buffer: ArrayBufferLike, at: number, length: number): View
  readonly name: string
  readonly prototype: View
  readonly BYTES_PER_ELEMENT: number
}

const typed = (Class: TypedArrayConstructor | undefined, name: string): ViewClass | undefined => {
  if (Class === undefined) return undefined
  const unit = Class.BYTES_PER_ELEMENT
  return { name, prototype: Class.prototype, unit, make: (buffer, at, byteLength) => new Class(buffer, at, byteLength / unit) }
}

/** By number: the order is part of the format. */
const classes: readonly (ViewClass | undefined)[] = [
  typed(Int8Array, 'Int8Array'),
  typed(Uint8Array, 'Uint8Array'),
  typed(Uint8ClampedArray, 'Uint8ClampedArray'),
  typed(Int16Array, 'Int16Array'),
  typed(Uint16Array, 'Uint16Array'),
  typed(Int32Array, 'Int32Array'),
  typed(Uint32Array, 'Uint32Array'),
  typed(Float32Array, 'Float32Array'),
  typed(Float64Array, 'Float64Array'),
  typed(BigInt64Array, 'BigInt64Array'),
  typed(BigUint64Array, 'BigUint64Array'),
  { name: 'Buffer', prototype: Buffer.prototype, unit: 1, make: (buffer, at, byteLength) => Buffer.from(buffer as ArrayBuffer, at, byteLength) },
  { name: 'DataView', prototype: DataView.prototype, unit: 1, make: (buffer, at, byteLength) => new DataView(buffer, at, byteLength) },
  typed((globalThis as { Float16Array?: TypedArrayConstructor }).Float16Array, 'Float16Array'),
]

const numberOf = new Map<object, number>()
const numberByName = new Map<string, number>()
for (const [number, viewClass] of classes.entries()) {
  if (viewClass === undefined) continue
  numberOf.set(viewClass.prototype, number)
  numberByName.set(viewClass.name, number)
}

/** `name` is that of the class in a foreign realm, whose prototypes are not ours. */
export const writeView = (writer: Writer, view: View, prototype: object | null, name: string): void => {
  const number = (prototype === null ? undefined : numberOf.get(prototype)) ?? numberByName.get(name)
  refuseDetached(view.buffer)
  if (number === undefined) refuse(view)
  else writeViewRecord(writer, number, view, view)
}

/** A `Uint8Array` whose bytes come later. */
export const writeBlank = (writer: Writer, byteLength: number): void => writeBlankRecord(writer, numberOf.get(Uint8Array.prototype) as number, byteLength)

export const writeArrayBuffer = (writer: Writer, buffer: ArrayBuffer): void => {
  refuseDetached(buffer)
  writeBufferRecord(writer, buffer)
}

/** A detached buffer has no length and takes no views. Asked only of empty ones: others cannot be. */
const refuseDetached = (buffer: ArrayBufferLike): void => {
  if (buffer.byteLength !== 0) return
  try {
    new Uint8Array(buffer)
  } catch {
    throw new Refusal('lies in a detached buffer (it was transferred); pass a copy made before')
  }
}

export const readView = (reader: Reader, head: number, at: number): View => {
  const payload = head >>> PAYLOAD_SHIFT
  const viewClass = classes[payload & 0xff]
  if (viewClass === undefined) return reader.damaged(`a view of class ${payload & 0xff}, which this Node does not have`)
  const view = readBytes(reader, viewClass, payload >>> (FORM_SHIFT - PAYLOAD_SHIFT))
  if ((head & REFERENCED) !== 0) reader.remember(at, view)
  return view
}

const readBytes = (reader: Reader, viewClass: ViewClass, form: number): View => {
  if (form === FORM.buffer) {
    const index = reader.unsigned()
    const byteLength = reader.long()
    return viewOf(reader, viewClass, { index, byteLength, offset: reader.long() })
  }
  const byteLength = reader.unsigned()
  const index = reader.unsigned()
  const offset = reader.unsigned()
  if (byteLength > INLINE_BYTES_MAX) return reader.damaged('too many bytes in the stream')
  const inline = reader.raw(byteLength)
  if (form === FORM.relocated) return viewOf(reader, viewClass, { index, byteLength, offset })
  if (form !== FORM.inline) return reader.damaged('a view of unknown form')
  expectWhole(reader, viewClass, byteLength)
  const copy = new ArrayBuffer(byteLength)
  new Uint8Array(copy).set(inline)
  return viewClass.make(copy, 0, byteLength)
}

const viewOf = (reader: Reader, viewClass: ViewClass, place: { index: number; byteLength: number; offset: number }): View => {
  const { index, byteLength, offset } = place
  const memory = reader.memory(index)
  if (offset + byteLength > memory.byteLength) return reader.damaged('a view beyond its buffer')
  expectWhole(reader, viewClass, byteLength)
  if (offset % viewClass.unit !== 0) return reader.damaged('a view that is not aligned')
  return viewClass.make(memory.buffer, memory.at + offset, byteLength)
}

const expectWhole = (reader: Reader, viewClass: ViewClass, byteLength: number): void => {
  if (byteLength % viewClass.unit !== 0) reader.damaged('half an element')
}

export const readArrayBuffer = (reader: Reader, head: number, at: number): ArrayBufferLike => {
  const memory = reader.memory(reader.unsigned())
  // Only an entry marked as a buffer's own is copied as one: anything else would lay bare all that lies around it.
  if (memory.at !== 0 || memory.buffer.byteLength !== memory.byteLength || memory.buffer instanceof SharedArrayBuffer)
    return reader.damaged('a buffer that is not one')
  if ((head & REFERENCED) !== 0) reader.remember(at, memory.buffer)
  return memory.buffer
}
