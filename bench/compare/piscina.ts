/** The rival most used: piscina, in each of the modes in which it can be at its best. */

import { fileURLToPath } from 'node:url'
import { FixedQueue, Piscina } from 'piscina'
import type { Pool, Work } from './pool.ts'

// With newer types of Node, piscina's own declaration of this list comes out as another overload's options.
type TransferList = NonNullable<NonNullable<Parameters<Piscina['run']>[1]>['transferList']>

/**
 * `latency`: a worker blocks in `Atomics.wait` for its next task, which answers single calls soonest.
 * `throughput`: workers wait with `Atomics.waitAsync` and take several tasks at a time.
 * `plain`: as it comes.
 */
export type Mode = 'latency' | 'throughput' | 'plain'

const tuned: Readonly<Record<Exclude<Mode, 'plain'>, { readonly atomics: 'sync' | 'async'; readonly concurrentTasksPerWorker: number }>> = {
  latency: { atomics: 'sync', concurrentTasksPerWorker: 1 },
  throughput: { atomics: 'async', concurrentTasksPerWorker: 32 },
}

export async function openPiscina({ threads, mode }: { readonly threads: number; readonly mode: Mode }): Promise<Pool> {
  const filename = fileURLToPath(new URL('./work.mjs', import.meta.url))
  const base = { filename, minThreads: threads, maxThreads: threads, idleTimeout: Number.POSITIVE_INFINITY }
  // A fixed queue and no histograms are what its manual advises where every microsecond counts.
  const pool = new Piscina(mode === 'plain' ? base : { ...base, ...tuned[mode], taskQueue: new FixedQueue(), recordTiming: false })
  await Promise.all(Array.from({ length: threads * 4 }, () => pool.run(undefined, { name: 'noop' })))
  return {
    who: `piscina (${mode})`,
    run: (work: Work, value?: unknown, transfer: readonly ArrayBuffer[] = []) =>
      pool.run(value, { name: work, transferList: [...transfer] as unknown as TransferList }),
    close: () => pool.close({ force: true }).then(() => pool.destroy()),
  }
}
