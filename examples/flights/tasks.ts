/** The three tasks of the job. They are plain functions: workers are sent to them by name, and the run on one thread calls them. */

import type { Table } from 'apache-arrow'
import { type Airports, airportFinder } from './airports.ts'
import { arrowOf, columnsOf } from './arrow.ts'
import { FEATURE_COUNT, featuresOf, hourOf, weekdayOf } from './features.ts'
import { type Partition, readColumns } from './parquet.ts'
import { emptyTally, LATE_MINUTES, type Scaling, type Sums, type Tally } from './sums.ts'

/** Decodes one row group into an Arrow table. What is returned goes into the store, and whoever gets it reads it there. */
export const decode = (file: Uint8Array, partition: Partition, airports: Airports): Table => arrowOf(readColumns(file, partition, airportFinder(airports)))

/** The first pass: what the scaling needs, and the figures of the results. */
export const fit = (table: Table, airports: Airports): Sums => {
  const columns = columnsOf(table)
  const { features, compute } = featuresOf(columns, airports)
  const { minute, delay, distance, origin } = columns
  const rows = minute.length
  const sum = new Float64Array(FEATURE_COUNT)
  const squares = new Float64Array(FEATURE_COUNT)
  const byWeekday = emptyTally(7)
  const byHour = emptyTally(24)
  const byOrigin = emptyTally(airports.codes.length)
  let miles = 0
  for (let row = 0; row < rows; row++) {
    compute(row)
    for (let k = 0; k < FEATURE_COUNT; k++) {
      const value = features[k] as number
      sum[k] = (sum[k] as number) + value
      squares[k] = (squares[k] as number) + value * value
    }
    const when = minute[row] as number
    const late = delay[row] as number
    miles += distance[row] as number
    count(byWeekday, weekdayOf(when), late)
    count(byHour, hourOf(when), late)
    count(byOrigin, origin[row] as number, late)
  }
  return { rows, miles, sum, squares, byWeekday, byHour, byOrigin }
}

export interface Tensor {
  /** Row by row, `FEATURE_COUNT` numbers each. */
  readonly values: Float32Array
  /** Of the values as they were rounded, in their order. */
  readonly sum: number
}

/** The second pass: scaled features, ready for a model. */
export const transform = (table: Table, airports: Airports, { mean, factor }: Scaling): Tensor => {
  const columns = columnsOf(table)
  const { features, compute } = featuresOf(columns, airports)
  const rows = columns.minute.length
  const values = new Float32Array(rows * FEATURE_COUNT)
  let sum = 0
  let at = 0
  for (let row = 0; row < rows; row++) {
    compute(row)
    for (let k = 0; k < FEATURE_COUNT; k++) {
      values[at] = ((features[k] as number) - (mean[k] as number)) * (factor[k] as number)
      sum += values[at] as number
      at++
    }
  }
  return { values, sum }
}

/** Has a worker load this module, which takes longer than its thread does to start. */
export const ready = (): true => true

const count = (tally: Tally, group: number, delay: number): void => {
  tally.flights[group] = (tally.flights[group] as number) + 1
  tally.delay[group] = (tally.delay[group] as number) + delay
  if (delay >= LATE_MINUTES) tally.late[group] = (tally.late[group] as number) + 1
}
