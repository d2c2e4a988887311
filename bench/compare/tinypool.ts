/** The rival that vitest uses: tinypool, piscina's small relative. */

import { fileURLToPath } from 'node:url'
import Tinypool from 'tinypool'
import type { Pool, Work } from './pool.ts'

export async function openTinypool({ threads }: { readonly threads: number }): Promise<Pool> {
  const filename = fileURLToPath(new URL('./work.mjs', import.meta.url))
  const pool = new Tinypool({ filename, minThreads: threads, maxThreads: threads, concurrentTasksPerWorker: 8, isolateWorkers: false })
  await Promise.all(Array.from({ length: threads * 4 }, () => pool.run(undefined, { name: 'noop' })))
  return {
    who: 'tinypool',
    run: (work: Work, value?: unknown, transfer: readonly ArrayBuffer[] = []) => pool.run(value, { name: work, transferList: [...transfer] as never }),
    close: () => pool.destroy(),
  }
}
