/** Kind: functions, classes and whatever else travels by its description (`codec/capsules`). */

import { type Capsule, capsulesHere, Taken } from '../capsules.ts'
import { PAYLOAD_SHIFT, REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { failCapture } from '../refusal.ts'
import type { Writer } from '../writer.ts'

/** Something among its values refers back to it. */
const IS_RING = 1

/** True if the value was one that travels so. */
export const writeCapsuleOf = (writer: Writer, value: unknown): boolean => {
  const capsule = capsulesHere()?.take(value, writer.taking)
  if (capsule === undefined) return false
  writeCapsule(writer, value, capsule)
  return true
}

const writeCapsule = (writer: Writer, value: unknown, { template, values, steps, id }: Capsule): void => {
  const at = isObject(value) ? writer.open(value, TAG.capsule) : writer.at
  if (!isObject(value)) writer.word(TAG.capsule)
  writer.value(template)
  writer.value(id)
  writer.word(values.length)
  writer.capsules += 1
  let k = 0
  try {
    for (; k < values.length; k++) writer.value(values[k])
  } catch (error) {
    failCapture(error, typeof steps === 'function' ? steps(k) : (steps[k] ?? ''))
  } finally {
    writer.capsules -= 1
  }
  // What referred to it so far did so from inside.
  const { words } = writer
  if (((words[at] as number) & REFERENCED) !== 0) words[at] = (words[at] as number) | (IS_RING << PAYLOAD_SHIFT)
}

const isObject = (value: unknown): value is object => (typeof value === 'object' && value !== null) || typeof value === 'function'

export const readCapsule = (reader: Reader, head: number, at: number): unknown => {
  const capsules = capsulesHere()
  const template = reader.value()
  const id = reader.value()
  if (capsules === undefined || typeof template !== 'string' || typeof id !== 'string') return reader.damaged('a description that is none')
  const count = reader.unsigned()
  reader.expectBytes(count * 4)
  const known = id === '' ? undefined : capsules.known(id)
  if (known !== undefined) {
    if ((head & REFERENCED) !== 0) reader.remember(at, known)
    capsules.refresh(known, template, readValues(reader, count), id)
    return known
  }
  if (head >>> PAYLOAD_SHIFT === IS_RING) {
    const unfinished = capsules.begin(template, id)
    reader.remember(at, unfinished.value)
    unfinished.finish(readValues(reader, count))
    return unfinished.value
  }
  const value = capsules.make(template, readValues(reader, count), id)
  if ((head & REFERENCED) !== 0) reader.remember(at, value)
  return value
}

const readValues = (reader: Reader, count: number): unknown[] => {
  const values = new Array<unknown>(count)
  for (let k = 0; k < count; k++) values[k] = reader.value()
  return values
}

export const isTaken = (value: object): boolean => value instanceof Taken

export const writeTaken = (writer: Writer, value: object): void => {
  if (!writeCapsuleOf(writer, value)) throw new Error('an object that was to travel by its description has none: please report this')
}
