/** Measures what it costs to bring an array to a worker, by its size. */

import { availableParallelism } from 'node:os'
import { openPiscina } from './compare/piscina.ts'
import { type Pool, poolRival } from './compare/pool.ts'
import { openPostMessage } from './compare/post-message.ts'
import { openMobula } from './mobula.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

const THREADS = Math.min(2, availableParallelism())
const SIZES = [8, 1024, 64 * 1024, 2 ** 20, 16 * 2 ** 20, 128 * 2 ** 20]
/** Tasks that look at one array. */
const READERS = 8

const label = (bytes: number): string => (bytes < 1024 ? `${bytes} B` : bytes < 2 ** 20 ? `${bytes / 1024} KiB` : `${bytes / 2 ** 20} MiB`)
const repeats = (bytes: number): number => Math.max(1, Math.min(200, Math.round((32 * 2 ** 20) / bytes)))

/** Microseconds that one of `count` takes. */
const each = async (count: number, work: () => Promise<unknown> | unknown): Promise<number> => {
  const start = performance.now()
  for (let k = 0; k < count; k++) await work()
  return ((performance.now() - start) * 1000) / count
}

/** A pool that is given the array with every call, as it must be. */
const summing = (who: string, open: () => Promise<Pool>, array: Float64Array, count: number): Rival =>
  poolRival(who, open, (pool) => each(count, () => Promise.all(Array.from({ length: READERS }, () => pool.run('sum', array)))))

export const suite: Suite = {
  question: 'What does it cost to bring an array to a worker, by its size?',
  notEvidenceOf: 'what the workers do with it: they add it up, which for large arrays takes as long as reading memory does',
  benches: (): readonly Bench[] => {
    const benches: Bench[] = []
    for (const bytes of SIZES) {
      const array = new Float64Array(bytes / 8).fill(1.5)
      const count = repeats(bytes)
      const params = { size: label(bytes), threads: THREADS }
      benches.push(
        {
          bench: 'put',
          unit: 'µs',
          params,
          runs: 5,
          rivals: [
            openMobula('mobula put', THREADS, ({ put }) => each(count, () => put(array)[Symbol.dispose]())),
            { who: 'structuredClone', run: () => each(count, () => structuredClone(array)) },
            { who: 'Float64Array.slice', run: () => each(count, () => array.slice()) },
          ],
        },
        {
          bench: 'get of a put array',
          unit: 'µs',
          params,
          runs: 5,
          rivals: [
            openMobula('mobula get', THREADS, async ({ put, get }) => {
              const ref = put(array)
              return each(count, async () => (await get(ref))[0])
            }),
            { who: 'structuredClone', run: () => each(count, () => structuredClone(array)) },
          ],
        },
        {
          bench: `${READERS} tasks add up one array`,
          unit: 'µs',
          params,
          runs: 5,
          rivals: [
            openMobula('mobula', THREADS, ({ put, get, sum }) =>
              each(count, async () => {
                using ref = put(array)
                await get(Array.from({ length: READERS }, () => sum.remote(ref)))
              }),
            ),
            summing('piscina (latency)', () => openPiscina({ threads: THREADS, mode: 'latency' }), array, count),
            summing('postMessage', () => openPostMessage({ threads: THREADS }), array, count),
          ],
        },
      )
    }
    return benches
  },
}
