/** Kind: Date, invalid ones too. */

import { REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import type { Writer } from '../writer.ts'

export const writeDate = (writer: Writer, date: Date): void => {
  writer.open(date, TAG.date)
  writer.double(Date.prototype.getTime.call(date))
}

export const readDate = (reader: Reader, head: number, at: number): Date => {
  const date = new Date(reader.double())
  if ((head & REFERENCED) !== 0) reader.remember(at, date)
  return date
}
