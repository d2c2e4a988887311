/** The job on one thread: the same functions, called one after another. */

import { type Job, type Outcome, type Progress, Stopwatch } from './job.ts'
import { mergeSums, scalingOf } from './sums.ts'
import { decode, fit, type Tensor, transform } from './tasks.ts'

export const runOnOneThread = ({ file, partitions, airports }: Job, progress: Progress): Outcome => {
  const watch = new Stopwatch()
  const tables = partitions.map((partition) => {
    const table = decode(file, partition, airports)
    progress('decode')
    return table
  })
  watch.lap('decode')
  const parts = tables.map((table) => {
    const sums = fit(table, airports)
    progress('fit')
    return sums
  })
  watch.lap('fit')
  const sums = mergeSums(parts)
  const scaling = scalingOf(sums)
  watch.lap('merge')
  const tensors = tables.map((table): Tensor => {
    const tensor = transform(table, airports, scaling)
    progress('transform')
    return tensor
  })
  watch.lap('transform')
  return { sums, scaling, tensors, times: watch.times }
}
