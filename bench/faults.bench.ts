/** Measures how soon work goes on after a fault, and what the means against faults cost while nothing fails. */

import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { cancel, type ObjectRef } from '../src/index.ts'
import { type Mobula, openMobula } from './mobula.ts'
import { ownProcess } from './support/own-process.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

const THREADS = Math.min(2, availableParallelism())
const BATCH = 1000
const ROUND_MS = 500
/** Nothing that a bench does takes so long. */
const FAR_AWAY_MS = 600_000

const settled = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    () => undefined,
  )

const since = (start: number): number => performance.now() - start

const piscina = (who: string, run: (pool: Piscina) => Promise<number>): Rival => {
  let pool: Piscina | undefined
  return {
    who,
    open: async () => {
      pool = new Piscina({
        filename: fileURLToPath(new URL('./compare/work.mjs', import.meta.url)),
        minThreads: THREADS,
        maxThreads: THREADS,
        idleTimeout: Number.POSITIVE_INFINITY,
      })
      pool.on('error', () => {})
      await Promise.all(Array.from({ length: THREADS * 4 }, () => pool?.run(undefined, { name: 'noop' })))
    },
    run: () => run(pool as Piscina),
    close: async () => pool?.destroy(),
  }
}

/** Milliseconds from the wish to end a task that runs to the news that it is settled. */
const toSettled = async (begin: () => { readonly ref: Promise<unknown>; readonly end: () => void }): Promise<number> => {
  const { ref, end } = begin()
  // It is under way by then.
  await new Promise((resolve) => setTimeout(resolve, 20))
  const start = performance.now()
  end()
  await settled(ref)
  return since(start)
}

const cancelling = (get: Mobula['get'], ref: ObjectRef<unknown>, force: boolean): ReturnType<Parameters<typeof toSettled>[0]> => ({
  ref: get(ref),
  end: () => cancel(ref, { force }),
})

const aborting = (pool: Piscina, name: string, value: unknown): ReturnType<Parameters<typeof toSettled>[0]> => {
  const controller = new AbortController()
  return { ref: pool.run(value, { name, signal: controller.signal }), end: () => controller.abort() }
}

/** What one task costs more, in nanoseconds, than the same without: both in turns. */
const surplus = (options: () => object): Rival =>
  openMobula('mobula', THREADS, async ({ identity, get }) => {
    const perTask = async (task: typeof identity): Promise<number> => {
      let done = 0
      const start = performance.now()
      for (; since(start) < ROUND_MS / 10; done += BATCH) {
        const refs = new Array<ObjectRef<unknown>>(BATCH)
        for (let k = 0; k < BATCH; k++) refs[k] = task.remote(k)
        await get(refs)
      }
      return (since(start) * 1e6) / done
    }
    const special = identity.options(options())
    const differences: number[] = []
    for (let k = 0; k < 20; k++) {
      const without = await perTask(identity)
      differences.push((await perTask(special)) - without)
    }
    return differences.sort((a, b) => a - b)[10] as number
  })

export const suite: Suite = {
  question: 'How soon does work go on after a fault, and what do the means against faults cost while nothing fails?',
  notEvidenceOf: 'how long code takes to notice its signal: that is up to the code',
  benches: (): readonly Bench[] => [
    {
      bench: 'a thread that ends itself, until all threads give results again',
      unit: 'ms',
      params: { threads: 2 },
      rivals: [ownProcess('mobula', 'death', 'mobula'), ownProcess('piscina', 'death', 'piscina')],
    },
    {
      bench: 'cancel of a queued task, until it is settled',
      unit: 'ms',
      params: { threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, async ({ busy, identity, get }) => {
          const before = Array.from({ length: THREADS }, () => busy.remote(50_000))
          const figure = await toSettled(() => cancelling(get, identity.remote(1), false))
          await get(before)
          return figure
        }),
        piscina('piscina', async (pool) => {
          const before = Array.from({ length: THREADS }, () => pool.run(50_000, { name: 'busy' }))
          const figure = await toSettled(() => aborting(pool, 'identity', 1))
          await Promise.all(before)
          return figure
        }),
      ],
    },
    {
      bench: 'cancel of a running async task, until it is settled',
      unit: 'ms',
      params: { threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, ({ sleep, get }) => toSettled(() => cancelling(get, sleep.remote(FAR_AWAY_MS), false))),
        piscina('piscina (ends the thread)', (pool) => toSettled(() => aborting(pool, 'sleep', FAR_AWAY_MS))),
      ],
    },
    {
      bench: 'forced cancel of code that computes, until it is settled',
      unit: 'ms',
      params: { threads: THREADS },
      rivals: [
        openMobula('mobula', THREADS, ({ busy, get }) => toSettled(() => cancelling(get, busy.remote(FAR_AWAY_MS * 1000), true))),
        piscina('piscina', (pool) => toSettled(() => aborting(pool, 'busy', FAR_AWAY_MS * 1000))),
      ],
    },
    {
      bench: 'timeout that is not reached, more per task',
      unit: 'ns',
      params: { batch: BATCH, threads: THREADS },
      rivals: [surplus(() => ({ timeout: FAR_AWAY_MS }))],
    },
    {
      bench: 'signal that does not fire, more per task',
      unit: 'ns',
      params: { batch: BATCH, threads: THREADS },
      rivals: [surplus(() => ({ signal: new AbortController().signal }))],
    },
  ],
}
