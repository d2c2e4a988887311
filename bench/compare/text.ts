/** The rival without any library for functions: their text by `postMessage`, made again by `new Function`. What they capture stays behind. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export interface TextPool {
  run(fn: (value: number) => unknown, value: number): Promise<unknown>
  close(): Promise<void>
}

/** One thread: its functions are called one by one. */
export async function openText(): Promise<TextPool> {
  const worker = new Worker(new URL('./text-worker.mjs', import.meta.url))
  await once(worker, 'online')
  return {
    run: async (fn, value) => {
      const answer = once(worker, 'message')
      worker.postMessage([String(fn), value])
      const [result] = (await answer) as [unknown]
      return result
    },
    close: async () => {
      await worker.terminate()
    },
  }
}
