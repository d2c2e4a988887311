/** A rival that is older than worker threads: workerpool. */

import { fileURLToPath } from 'node:url'
import workerpool from 'workerpool'
import type { Pool, Work } from './pool.ts'

export async function openWorkerpool({ threads }: { readonly threads: number }): Promise<Pool> {
  const script = fileURLToPath(new URL('./workerpool-worker.mjs', import.meta.url))
  const pool = workerpool.pool(script, { minWorkers: threads, maxWorkers: threads, workerType: 'thread' })
  await Promise.all(Array.from({ length: threads * 4 }, () => pool.exec('noop', [])))
  return {
    who: 'workerpool',
    run: async (work: Work, value?: unknown, transfer: readonly ArrayBuffer[] = []) => pool.exec(work, [value], { transfer: [...transfer] }),
    close: async () => {
      await pool.terminate(true)
    },
  }
}
