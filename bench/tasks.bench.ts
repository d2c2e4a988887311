/** Measures how fast small tasks go: many at once, one after another, in chains, in large numbers. */

import { availableParallelism } from 'node:os'
import type { ObjectRef } from '../src/index.ts'
import { openPiscina } from './compare/piscina.ts'
import { type Pool, poolRival } from './compare/pool.ts'
import { openPostMessage } from './compare/post-message.ts'
import { openTinypool } from './compare/tinypool.ts'
import { openWorkerpool } from './compare/workerpool.ts'
import { type Mobula, openMobula, RETURNS } from './mobula.ts'
import { closeBusy, openBusy } from './support/busy.ts'
import { spread } from './support/measure.ts'
import { ownProcess } from './support/own-process.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

const THREADS = Math.min(2, availableParallelism())
const BATCH = 1000
/** So long each round goes on: the faster a rival, the more batches. */
const ROUND_MS = 500
const CALLS = 1000
/** Those who have many open at once. */
const MANY = 10_000
const QUEUED = 1_000_000

type Open = readonly [who: string, open: () => Promise<Pool>]

const batched: Open = ['postMessage (batched)', () => openPostMessage({ threads: THREADS, batched: true })]
const pools: readonly Open[] = [
  ['piscina (throughput)', () => openPiscina({ threads: THREADS, mode: 'throughput' })],
  ['piscina (latency)', () => openPiscina({ threads: THREADS, mode: 'latency' })],
  ['tinypool', () => openTinypool({ threads: THREADS })],
  ['workerpool', () => openWorkerpool({ threads: THREADS })],
  ['postMessage', () => openPostMessage({ threads: THREADS })],
]

const others = (run: (pool: Pool) => Promise<number>, of: readonly Open[] = pools): readonly Rival[] => of.map(([who, open]) => poolRival(who, open, run))

/** By a loop: `Array.from({ length })` takes longer for an element than some of these tasks do. */
const list = <T>(count: number, make: (k: number) => T): T[] => {
  const all = new Array<T>(count)
  for (let k = 0; k < count; k++) all[k] = make(k)
  return all
}

/** Batch after batch, as calls per second. */
const steadily = async (batch: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  let done = 0
  let ms = 0
  for (; ms < ROUND_MS; ms = performance.now() - start) {
    await batch()
    done += BATCH
  }
  return (done * 1000) / ms
}

/** Batches of calls: all are submitted, then all results are awaited. */
const batches = (call: (k: number) => Promise<unknown>): Promise<number> => steadily(() => Promise.all(list(BATCH, call)))

/** About 100 bytes of JSON. */
const record = (k: number): unknown => ({ id: k, name: 'Ada Lovelace', tags: ['a', 'b'], score: k / 7, active: true, note: 'first of many' })

/** A place among the sorted times that single calls take, each awaited before the next, in microseconds. */
const oneByOne = async (share: number, call: (k: number) => Promise<unknown>): Promise<number> => {
  const times: number[] = []
  const end = performance.now() + ROUND_MS
  for (let start = performance.now(); start < end; start = performance.now()) {
    await call(times.length)
    times.push(performance.now() - start)
  }
  return (Float64Array.from(times).sort()[Math.floor(times.length * share)] as number) * 1000
}

/** The median of what is measured again and again for the time of a round: a program that goes on is warm. */
const usually = async (once: () => Promise<number>): Promise<number> => {
  const figures: number[] = []
  const end = performance.now() + ROUND_MS
  while (performance.now() < end) figures.push(await once())
  return spread(figures).median
}

const milliseconds = async (work: () => unknown): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Microseconds that each of `CALLS` takes, one after another. */
const perHop = async (chain: () => Promise<unknown>): Promise<number> => ((await usually(() => milliseconds(chain))) * 1000) / CALLS

/** How much of what the threads could do in the time they did: 1 is all of it. */
const shareOfIdeal = async (count: number, microseconds: number, work: () => unknown): Promise<number> =>
  (100 * count * microseconds) / 1000 / THREADS / (await usually(() => milliseconds(work)))

const idealRow = (microseconds: number, count: number): Bench => ({
  bench: `tasks of ${microseconds} µs, share of ideal`,
  unit: '%',
  params: { tasks: count, threads: THREADS },
  rivals: [
    openMobula('mobula', THREADS, ({ busy, get }) => shareOfIdeal(count, microseconds, () => get(list(count, () => busy.remote(microseconds))))),
    ...others((pool) => shareOfIdeal(count, microseconds, () => Promise.all(list(count, () => pool.run('busy', microseconds))))),
  ],
})

const queueMany = ({ identity, get }: Mobula): Promise<number> =>
  milliseconds(async () => {
    const refs = new Array<ObjectRef<unknown>>(QUEUED)
    for (let k = 0; k < QUEUED; k++) refs[k] = identity.remote(k)
    await get(refs)
  })

/** Waits for whatever settles next, until all have. */
const waitForEach = async ({ identity, wait }: Mobula): Promise<number> => {
  let left: readonly ObjectRef<unknown>[] = list(CALLS, (k) => identity.remote(k))
  return milliseconds(async () => {
    while (left.length > 0) [, left] = await wait(left)
  })
}

export const suite: Suite = {
  question: 'How fast do small tasks go, many at once and one after another?',
  notEvidenceOf: 'work that takes time, but for the rows that say so: these tasks return their argument, so only the way there and back is seen',
  benches: (): readonly Bench[] => [
    {
      bench: 'no-op tasks, batches',
      unit: 'tasks/s',
      params: { batch: BATCH, threads: THREADS },
      rivals: [
        openMobula('mobula (one get)', THREADS, ({ identity, get }) => steadily(() => get(list(BATCH, (k) => identity.remote(k))))),
        openMobula('mobula (a get each)', THREADS, ({ identity, get }) => batches((k) => get(identity.remote(k)))),
        ...others((pool) => batches((k) => pool.run('identity', k)), [...pools, batched]),
      ],
    },
    {
      bench: 'objects of 100 bytes there and back, batches',
      unit: 'tasks/s',
      params: { batch: BATCH, threads: THREADS },
      rivals: [
        openMobula('mobula (a get each)', THREADS, ({ identity, get }) => batches((k) => get(identity.remote(record(k))))),
        ...others((pool) => batches((k) => pool.run('identity', record(k))), [...pools, batched]),
      ],
    },
    ...([0.5, 0.99] as const).map(
      (share): Bench => ({
        bench: `one by one, p${share * 100}`,
        unit: 'µs',
        params: { threads: THREADS },
        rivals: [
          openMobula('mobula', THREADS, ({ identity, get }) => oneByOne(share, (k) => get(identity.remote(k)))),
          ...others((pool) => oneByOne(share, (k) => pool.run('identity', k))),
        ],
      }),
    ),
    {
      bench: 'one by one beside 4 busy processes, p99',
      unit: 'µs',
      params: { threads: THREADS },
      runs: 7,
      rivals: beside([
        openMobula('mobula', THREADS, ({ identity, get }) => oneByOne(0.99, (k) => get(identity.remote(k)))),
        ...others((pool) => oneByOne(0.99, (k) => pool.run('identity', k))),
      ]),
    },
    {
      bench: 'chain of dependent tasks, per hop',
      unit: 'µs',
      params: { hops: CALLS, threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, ({ identity, get }) =>
          perHop(async () => {
            let ref = identity.remote(0)
            for (let k = 1; k < CALLS; k++) ref = identity.remote(ref)
            await get(ref)
          }),
        ),
        // They have no graph: each hop is awaited on the main thread.
        ...others((pool) =>
          perHop(async () => {
            for (let k = 0; k < CALLS; k++) await pool.run('identity', k)
          }),
        ),
      ],
    },
    {
      bench: `wait over ${CALLS} refs, one by one to the end`,
      unit: 'ms',
      params: { threads: THREADS },
      rivals: [openMobula('mobula', THREADS, (mobula) => usually(() => waitForEach(mobula)))],
    },
    idealRow(20, 10_000),
    idealRow(100, 2000),
    {
      bench: `${QUEUED} tasks queued, then gotten`,
      unit: 's',
      params: { threads: THREADS },
      runs: 3,
      warmup: 1,
      rivals: [openMobula('mobula', THREADS, async (mobula) => (await queueMany(mobula)) / 1000)],
    },
    {
      bench: 'native memory of a queued task, of a million',
      unit: 'bytes',
      params: { threads: THREADS },
      runs: 3,
      warmup: 0,
      rivals: [ownProcess('mobula', 'queued', String(QUEUED))],
    },
    {
      bench: `${MANY} refs as arguments of one task`,
      unit: 'ms',
      params: { threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, ({ count, get, put }) =>
          usually(() => {
            const refs = list(MANY, put)
            return milliseconds(() => get(count.remote(...refs)))
          }),
        ),
      ],
    },
    {
      bench: `${RETURNS} returns of one task`,
      unit: 'ms',
      params: { threads: THREADS },
      rivals: [openMobula('mobula', THREADS, ({ several, get }) => usually(() => milliseconds(() => get(several.remote(RETURNS)))))],
    },
    {
      bench: `get of ${MANY} objects`,
      unit: 'ms',
      params: { threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, ({ get, put }) =>
          usually(() => {
            const refs = list(MANY, put)
            return milliseconds(() => get(refs))
          }),
        ),
      ],
    },
  ],
}

/** The same rivals while other processes compute. */
function beside(rivals: readonly Rival[]): readonly Rival[] {
  return rivals.map((rival) => ({
    ...rival,
    open: async () => {
      await rival.open?.()
      await openBusy()
    },
    close: async () => {
      closeBusy()
      await rival.close?.()
    },
  }))
}
