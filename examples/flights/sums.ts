/** What the first pass finds out about a partition, how partitions are added up, and the scaling that follows from it. */

import { FEATURE_COUNT } from './features.ts'

/** Whole numbers by group (a weekday, an hour, an airport), each far below 2^53, so that they are exact in any order. */
export interface Tally {
  readonly flights: Float64Array
  readonly delay: Float64Array
  /** Flights that were 15 minutes late or more: the US DOT's definition of a delay. */
  readonly late: Float64Array
}

export interface Sums {
  readonly rows: number
  readonly miles: number
  /** Per feature. */
  readonly sum: Float64Array
  readonly squares: Float64Array
  readonly byWeekday: Tally
  readonly byHour: Tally
  readonly byOrigin: Tally
}

/** A feature minus its mean, times one over its standard deviation, has the mean 0 and the standard deviation 1. */
export interface Scaling {
  readonly mean: Float64Array
  readonly factor: Float64Array
}

export const LATE_MINUTES = 15

export const emptyTally = (groups: number): Tally => ({
  flights: new Float64Array(groups),
  delay: new Float64Array(groups),
  late: new Float64Array(groups),
})

/** In the order of the list: sums of floating-point numbers depend on it, and both runs add in the order of the partitions. */
export const mergeSums = (parts: readonly Sums[]): Sums => {
  const first = parts[0]
  if (first === undefined) throw new Error('there is nothing to merge')
  return {
    rows: parts.reduce((rows, part) => rows + part.rows, 0),
    miles: parts.reduce((miles, part) => miles + part.miles, 0),
    sum: added(parts.map((part) => part.sum)),
    squares: added(parts.map((part) => part.squares)),
    byWeekday: mergeTallies(parts.map((part) => part.byWeekday)),
    byHour: mergeTallies(parts.map((part) => part.byHour)),
    byOrigin: mergeTallies(parts.map((part) => part.byOrigin)),
  }
}

export const scalingOf = ({ rows, sum, squares }: Sums): Scaling => {
  const mean = new Float64Array(FEATURE_COUNT)
  const factor = new Float64Array(FEATURE_COUNT)
  for (let k = 0; k < FEATURE_COUNT; k++) {
    const average = (sum[k] as number) / rows
    const variance = (squares[k] as number) / rows - average * average
    mean[k] = average
    // A constant column has no deviation, and rounding may leave a trace of one that must not be blown up.
    factor[k] = variance > 1e-12 * (1 + average * average) ? 1 / Math.sqrt(variance) : 0
  }
  return { mean, factor }
}

const mergeTallies = (parts: readonly Tally[]): Tally => ({
  flights: added(parts.map((part) => part.flights)),
  delay: added(parts.map((part) => part.delay)),
  late: added(parts.map((part) => part.late)),
})

const added = (parts: readonly Float64Array[]): Float64Array => {
  const total = new Float64Array(parts[0]?.length ?? 0)
  for (const part of parts) {
    for (let k = 0; k < total.length; k++) total[k] = (total[k] as number) + (part[k] as number)
  }
  return total
}
