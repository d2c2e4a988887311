/** Takes what streams give, and what their producers note meanwhile. */

import * as assert from 'uvu/assert'
import { get, type ObjectRef, type ObjectRefGenerator } from '../../src/index.ts'
import { NOTES } from '../fixtures/tasks/shared.ts'
import { eventually } from './with-runtime.ts'

/** What was noted so far. */
export const noted = (words: Int32Array): number[] => [...words.slice(NOTES + 1, NOTES + 1 + (words[NOTES] as number))]

export const notes = (words: Int32Array, expected: readonly number[]): Promise<void> =>
  eventually(
    () => `${expected} are noted: ${noted(words)}`,
    () => `${noted(words)}` === `${expected}`,
  )

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, k) => k)

/** All values that are left. */
export const rest = async <T>(stream: ObjectRefGenerator<T>): Promise<T[]> => {
  const values: T[] = []
  for await (const ref of stream) values.push(await get(ref))
  return values
}

export const next = async <T>(stream: ObjectRefGenerator<T>): Promise<ObjectRef<T>> => {
  const { value, done } = await stream.next()
  assert.is(done, false)
  return value as ObjectRef<T>
}

export const isOver = async (stream: ObjectRefGenerator<unknown>): Promise<void> => {
  for (let k = 0; k < 3; k++) assert.equal(await stream.next(), { done: true, value: undefined })
}
