/** The job on workers: a task for each partition and phase, with refs as arguments, so that bytes stay where they were written. */

import { get, type ObjectRef, put, remote, wait } from 'mobula'
import { tableBytes } from './arrow.ts'
import { type Job, type Outcome, type Phase, type Progress, Stopwatch } from './job.ts'
import { mergeSums, scalingOf } from './sums.ts'
import type * as tasks from './tasks.ts'
import { bytesIn, type Traffic } from './traffic.ts'

const module = new URL('./tasks.ts', import.meta.url)
const decode = remote.module<typeof tasks.decode>(module, 'decode')
const fit = remote.module<typeof tasks.fit>(module, 'fit')
const transform = remote.module<typeof tasks.transform>(module, 'transform')
const ready = remote.module<typeof tasks.ready>(module, 'ready')

export const runOnWorkers = async (job: Job, workers: number, progress: Progress): Promise<Outcome & { readonly traffic: readonly Traffic[] }> => {
  const watch = new Stopwatch()
  await get(Array.from({ length: workers }, () => ready.remote()))
  watch.lap('start')

  const file = put(job.file)
  const airports = put(job.airports)
  const tables = job.partitions.map((partition) => decode.remote(file, partition, airports))
  // A pass begins as soon as there is a table for it: workers that find nothing left to decode start with the sums.
  const parts = tables.map((table) => fit.remote(table, airports))
  await eachDone(tables, 'decode', progress)
  watch.lap('decode')
  await eachDone(parts, 'fit', progress)
  watch.lap('fit')
  const sumsOfParts = await get(parts)
  const sums = mergeSums(sumsOfParts)
  const scaling = scalingOf(sums)
  watch.lap('merge')

  const shared = put(scaling)
  const results = tables.map((table) => transform.remote(table, airports, shared))
  await eachDone(results, 'transform', progress)
  watch.lap('transform')
  const tensors = await get(results)
  watch.lap('merge')

  const n = job.partitions.length
  const airportBytes = bytesIn(job.airports)
  const bytesOfTables = (await get(tables)).reduce((bytes, table) => bytes + tableBytes(table), 0)
  const partBytes = bytesIn(sumsOfParts)
  const tensorBytes = bytesIn(tensors)
  const ranges = job.partitions.flatMap(({ chunks }) => chunks).reduce((bytes, { byteLength }) => bytes + byteLength, 0)
  const traffic: Traffic[] = [
    { what: 'parquet file', objects: 1, written: job.file.byteLength, read: ranges, readers: 'decode, each its row group' },
    {
      what: 'airports',
      objects: 1,
      written: airportBytes,
      read: n * (job.airports.codes.byteLength + 2 * job.airports.positions.byteLength),
      readers: 'all tasks',
    },
    { what: 'Arrow tables', objects: n, written: bytesOfTables, read: 2 * bytesOfTables, readers: 'fit, transform' },
    { what: 'partial sums', objects: n, written: partBytes, read: partBytes, readers: 'the driver' },
    { what: 'tensors', objects: n, written: tensorBytes, read: tensorBytes, readers: 'the driver, to compare' },
  ]
  return { sums, scaling, tensors, traffic, times: watch.times }
}

/** Reports refs as they settle, in whatever order. Failures count as settled: a `get` tells of them. */
const eachDone = async (refs: readonly ObjectRef[], phase: Phase, progress: Progress): Promise<void> => {
  let pending = refs
  while (pending.length > 0) {
    const [settled, rest] = await wait(pending)
    for (const _ of settled) progress(phase)
    pending = rest
  }
}
