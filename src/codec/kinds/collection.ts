/** Kind: Map and Set. */

import { REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { failUnder, stepTo } from '../refusal.ts'
import type { Writer } from '../writer.ts'

export const writeMap = (writer: Writer, map: Map<unknown, unknown>): void => {
  writer.open(map, TAG.map)
  // A copy: a getter inside may change the map while it is written.
  const entries = [...Map.prototype.entries.call(map)] as [unknown, unknown][]
  writer.word(entries.length)
  let at = 0
  let step = ''
  try {
    for (; at < entries.length; at++) {
      const [key, value] = entries[at] as [unknown, unknown]
      step = '.keys()'
      writer.value(key)
      step = '.get'
      writer.value(value)
    }
  } catch (error) {
    const key = (entries[at] as [unknown, unknown])[0]
    failUnder(
      error,
      step === '.get' && typeof key === 'string' ? `.get(${JSON.stringify(key.slice(0, 60))})` : `${step === '.get' ? '.values()' : step}${stepTo(at)}`,
    )
  }
}

export const readMap = (reader: Reader, head: number, at: number): Map<unknown, unknown> => {
  const map = new Map<unknown, unknown>()
  if ((head & REFERENCED) !== 0) reader.remember(at, map)
  const count = reader.unsigned()
  reader.expectBytes(count * 8)
  for (let index = 0; index < count; index++) {
    const key = reader.value()
    map.set(key, reader.value())
  }
  return map
}

export const writeSet = (writer: Writer, set: Set<unknown>): void => {
  writer.open(set, TAG.set)
  const members = [...Set.prototype.values.call(set)] as unknown[]
  writer.word(members.length)
  let at = 0
  try {
    for (; at < members.length; at++) writer.value(members[at])
  } catch (error) {
    failUnder(error, `.values()${stepTo(at)}`)
  }
}

export const readSet = (reader: Reader, head: number, at: number): Set<unknown> => {
  const set = new Set<unknown>()
  if ((head & REFERENCED) !== 0) reader.remember(at, set)
  const count = reader.unsigned()
  reader.expectBytes(count * 4)
  for (let index = 0; index < count; index++) set.add(reader.value())
  return set
}
