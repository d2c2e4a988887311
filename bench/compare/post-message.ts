/** The rival without any library: worker threads, `postMessage`, and turns taken round-robin. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Pool, Work } from './pool.ts'

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

export async function openPostMessage({ threads }: { readonly threads: number }): Promise<Pool> {
  const waiting = new Map<number, Waiting>()
  const workers = await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL('./post-message-worker.mjs', import.meta.url))
      worker.on('message', ([id, value, error]: [number, unknown, unknown]) => {
        const one = waiting.get(id)
        waiting.delete(id)
        if (error === null) one?.resolve(value)
        else one?.reject(error)
      })
      worker.on('error', (error) => {
        for (const one of waiting.values()) one.reject(error)
        waiting.clear()
      })
      await once(worker, 'online')
      return worker
    }),
  )
  let next = 0
  return {
    who: 'postMessage',
    run: (work: Work, value?: unknown, transfer: readonly ArrayBuffer[] = []) =>
      new Promise((resolve, reject) => {
        const id = next++
        waiting.set(id, { resolve, reject })
        workers[id % workers.length]?.postMessage([id, work, value], [...transfer])
      }),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}
