/** Kind: values that are no objects: undefined, null, booleans, numbers, BigInts, strings. */

import { PAYLOAD_SHIFT, TAG, TEXT_UNITS_MAX } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { isWide, writeText } from '../text.ts'
import type { Writer } from '../writer.ts'

const SMALL_INT_MIN = -0x80_0000
const SMALL_INT_MAX = 0x7f_ffff

export const writeNumber = (writer: Writer, value: number): void => {
  const int = value | 0
  if (int === value && (int !== 0 || 1 / value > 0)) {
    if (int >= SMALL_INT_MIN && int <= SMALL_INT_MAX) {
      writer.words[writer.at++] = TAG.smallInt | (int << PAYLOAD_SHIFT)
    } else {
      writer.words[writer.at] = TAG.int32
      writer.words[writer.at + 1] = int
      writer.at += 2
    }
    return
  }
  writer.words[writer.at++] = TAG.double
  writer.double(value)
}

export const writeString = (writer: Writer, value: string): void => {
  if (value.length > TEXT_UNITS_MAX) {
    writeLongString(writer, value)
    return
  }
  writer.words[writer.at++] = TAG.string | (value.length << PAYLOAD_SHIFT)
  writer.say(value)
}

const writeLongString = (writer: Writer, value: string): void => {
  const wide = isWide(value)
  const bytes = writer.scratch(wide ? value.length * 2 : value.length)
  writeText(bytes, value, 0, wide)
  writer.word(TAG.longString | (wide ? 1 << PAYLOAD_SHIFT : 0))
  writer.word(writer.plan.attach({ byteLength: bytes.length, own: 0, pieces: [{ at: 0, bytes }] }))
}

export const readLongString = (reader: Reader, head: number): string => {
  const bytes = reader.tableBytes(reader.word())
  const wide = head >>> PAYLOAD_SHIFT === 1
  if (wide && bytes.length % 2 !== 0) reader.damaged('a two-byte string of odd length')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(wide ? 'utf16le' : 'latin1')
}

/** Sign in the payload, then 32-bit digits, lowest first. By way of hexadecimal text, which takes linear time for long ones too. */
export const writeBigInt = (writer: Writer, value: bigint): void => {
  const hex = (value < 0n ? -value : value).toString(16)
  writer.word(TAG.bigint | (value < 0n ? 1 << PAYLOAD_SHIFT : 0))
  writer.word(Math.ceil(hex.length / 8))
  for (let end = hex.length; end > 0; end -= 8) writer.word(Number.parseInt(hex.slice(Math.max(0, end - 8), end), 16))
}

export const readBigInt = (reader: Reader, head: number): bigint => {
  const digits = reader.unsigned()
  reader.expectBytes(digits * 4)
  const parts: string[] = []
  for (let digit = 0; digit < digits; digit++) parts.push(reader.unsigned().toString(16).padStart(8, '0'))
  const value = BigInt(`0x0${parts.toReversed().join('')}`)
  return head >>> PAYLOAD_SHIFT === 1 ? -value : value
}
