/** Whether two runs came to the same: whole numbers exactly, sums of floating-point numbers to the last bit, tensors byte by byte. */

import type { Outcome } from './job.ts'

export interface Check {
  readonly what: string
  readonly one: number
  readonly other: number
  readonly equal: boolean
}

/** What is compared of an outcome; the timing is not. */
export type Computed = Pick<Outcome, 'sums' | 'tensors'>

export const compare = (one: Computed, other: Computed): Check[] => {
  const check = (what: string, of: (run: Computed) => number): Check => ({ what, one: of(one), other: of(other), equal: Object.is(of(one), of(other)) })
  const differing = one.tensors.reduce((count, { values }, k) => count + (sameBytes(values, other.tensors[k]?.values) ? 0 : 1), 0)
  const groups = (['byWeekday', 'byHour', 'byOrigin'] as const).flatMap((key) =>
    (['flights', 'delay', 'late'] as const).filter((figure) => !sameBytes(one.sums[key][figure], other.sums[key][figure])),
  )
  return [
    check('rows', ({ sums }) => sums.rows),
    check('minutes of delay', ({ sums }) => total(sums.byOrigin.delay)),
    check('miles flown', ({ sums }) => sums.miles),
    check('sum of the features', ({ sums }) => total(sums.sum)),
    check('sum of their squares', ({ sums }) => total(sums.squares)),
    check('sum of the tensors', ({ tensors }) => total(tensors.map(({ sum }) => sum))),
    { what: 'figures by group that differ', one: 0, other: groups.length, equal: groups.length === 0 },
    { what: 'tensors that differ in a byte', one: 0, other: differing, equal: differing === 0 && one.tensors.length === other.tensors.length },
  ]
}

const total = (numbers: Iterable<number>): number => {
  let sum = 0
  for (const number of numbers) sum += number
  return sum
}

const sameBytes = (one: Float32Array | Float64Array, other: Float32Array | Float64Array | undefined): boolean =>
  other !== undefined && Buffer.from(one.buffer, one.byteOffset, one.byteLength).equals(Buffer.from(other.buffer, other.byteOffset, other.byteLength))
