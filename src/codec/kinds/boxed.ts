/** Kind: boxed primitives, such as `new Number(1)`. */

import { types } from 'node:util'
import { REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { Refusal } from '../refusal.ts'
import type { Writer } from '../writer.ts'

export const writeBoxed = (writer: Writer, boxed: object): void => {
  if (types.isSymbolObject(boxed)) throw new Refusal('is a boxed symbol, which is unique to its thread; use a string')
  writer.open(boxed, TAG.boxed)
  writer.value(unboxed(boxed))
}

const unboxed = (boxed: object): unknown => {
  if (types.isNumberObject(boxed)) return Number.prototype.valueOf.call(boxed)
  if (types.isStringObject(boxed)) return String.prototype.valueOf.call(boxed)
  if (types.isBooleanObject(boxed)) return Boolean.prototype.valueOf.call(boxed)
  return BigInt.prototype.valueOf.call(boxed)
}

export const readBoxed = (reader: Reader, head: number, at: number): object => {
  const value = reader.value()
  if (value === null || value === undefined || typeof value === 'object') return reader.damaged('a box around what is not boxed')
  const boxed = Object(value) as object
  if ((head & REFERENCED) !== 0) reader.remember(at, boxed)
  return boxed
}
