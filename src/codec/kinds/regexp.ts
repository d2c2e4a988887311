/** Kind: RegExp, with the `lastIndex` it stands at. */

import { REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import type { Writer } from '../writer.ts'

export const writeRegExp = (writer: Writer, regexp: RegExp): void => {
  writer.open(regexp, TAG.regexp)
  writer.value(regexp.source)
  writer.value(regexp.flags)
  writer.value(regexp.lastIndex)
}

export const readRegExp = (reader: Reader, head: number, at: number): RegExp => {
  const source = reader.value()
  const flags = reader.value()
  if (typeof source !== 'string' || typeof flags !== 'string') return reader.damaged('a RegExp without text')
  const regexp = new RegExp(source, flags)
  if ((head & REFERENCED) !== 0) reader.remember(at, regexp)
  regexp.lastIndex = reader.value() as number
  return regexp
}
