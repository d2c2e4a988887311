/** Measures how fast small tasks go: many at once, and one after another. */

import { availableParallelism } from 'node:os'
import { openPiscina } from './compare/piscina.ts'
import { type Pool, poolRival } from './compare/pool.ts'
import { openPostMessage } from './compare/post-message.ts'
import { openMobula } from './mobula.ts'
import { rate } from './support/measure.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

const THREADS = Math.min(2, availableParallelism())
const BATCH = 1000
const BATCHES = 50
const CALLS = 1000

const pools: readonly (readonly [who: string, open: () => Promise<Pool>])[] = [
  ['piscina (throughput)', () => openPiscina({ threads: THREADS, mode: 'throughput' })],
  ['piscina (latency)', () => openPiscina({ threads: THREADS, mode: 'latency' })],
  ['postMessage', () => openPostMessage({ threads: THREADS })],
]

const others = (run: (pool: Pool) => Promise<number>): readonly Rival[] => pools.map(([who, open]) => poolRival(who, open, run))

/** Batches of no-ops: all are submitted, then all results are awaited. */
const batches = (pool: Pool): Promise<number> =>
  rate(BATCH * BATCHES, async () => {
    for (let round = 0; round < BATCHES; round++) await Promise.all(Array.from({ length: BATCH }, (_, k) => pool.run('identity', k)))
  })

/** The middle of the times that single calls take, each awaited before the next. */
const oneByOne = async (call: (k: number) => Promise<unknown>): Promise<number> => {
  const times = new Float64Array(CALLS)
  for (let k = 0; k < CALLS; k++) {
    const start = performance.now()
    await call(k)
    times[k] = performance.now() - start
  }
  return (times.sort()[CALLS / 2] as number) * 1000
}

export const suite: Suite = {
  question: 'How fast do small tasks go, many at once and one after another?',
  notEvidenceOf: 'work that takes time: these tasks return their argument, so only the way there and back is seen',
  benches: (): readonly Bench[] => [
    {
      bench: 'no-op tasks, batches',
      unit: 'tasks/s',
      params: { batch: BATCH, threads: THREADS },
      rivals: [
        openMobula('mobula (one get)', THREADS, ({ identity, get }) =>
          rate(BATCH * BATCHES, async () => {
            for (let round = 0; round < BATCHES; round++) await get(Array.from({ length: BATCH }, (_, k) => identity.remote(k)))
          }),
        ),
        openMobula('mobula (a promise each)', THREADS, ({ identity, get }) =>
          rate(BATCH * BATCHES, async () => {
            for (let round = 0; round < BATCHES; round++) await Promise.all(Array.from({ length: BATCH }, (_, k) => get(identity.remote(k))))
          }),
        ),
        ...others(batches),
      ],
    },
    {
      bench: 'one by one, p50',
      unit: 'µs',
      params: { calls: CALLS, threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, ({ identity, get }) => oneByOne((k) => get(identity.remote(k)))),
        ...others((pool) => oneByOne((k) => pool.run('identity', k))),
      ],
    },
    {
      bench: 'chain of dependent tasks, per hop',
      unit: 'µs',
      params: { hops: CALLS, threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, async ({ identity, get }) => {
          const start = performance.now()
          let ref = identity.remote(0)
          for (let k = 1; k < CALLS; k++) ref = identity.remote(ref)
          await get(ref)
          return ((performance.now() - start) * 1000) / CALLS
        }),
        // They have no graph: each hop is awaited on the main thread.
        ...others(async (pool) => {
          const start = performance.now()
          for (let k = 0; k < CALLS; k++) await pool.run('identity', k)
          return ((performance.now() - start) * 1000) / CALLS
        }),
      ],
    },
  ],
}
