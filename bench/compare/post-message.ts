/** The rival without any library: worker threads, `postMessage`, and turns taken round-robin. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Pool, Work } from './pool.ts'

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

export interface PostMessageOptions {
  readonly threads: number
  /** Calls of one turn go in one message to each thread, and so do their answers: the most that can be had this way. */
  readonly batched?: boolean
}

type Call = readonly [id: number, work: Work, value: unknown]
type Answer = readonly [id: number, value: unknown, error: unknown]

export async function openPostMessage({ threads, batched = false }: PostMessageOptions): Promise<Pool> {
  const waiting = new Map<number, Waiting>()
  const workers = await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL('./post-message-worker.mjs', import.meta.url))
      worker.on('message', (answers: readonly Answer[]) => {
        for (const [id, value, error] of answers) {
          const one = waiting.get(id)
          waiting.delete(id)
          if (error === null) one?.resolve(value)
          else one?.reject(error)
        }
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
  let gathered: Call[][] = workers.map(() => [])
  const send = (): void => {
    const calls = gathered
    gathered = workers.map(() => [])
    calls.forEach((some, k) => {
      if (some.length > 0) workers[k]?.postMessage(some)
    })
  }
  const gather = (call: Call): void => {
    if (gathered.every((some) => some.length === 0)) queueMicrotask(send)
    gathered[call[0] % workers.length]?.push(call)
  }
  return {
    who: batched ? 'postMessage (batched)' : 'postMessage',
    run: (work: Work, value?: unknown, transfer: readonly ArrayBuffer[] = []) =>
      new Promise((resolve, reject) => {
        const id = next++
        waiting.set(id, { resolve, reject })
        if (batched && transfer.length === 0) gather([id, work, value])
        else workers[id % workers.length]?.postMessage([[id, work, value]], [...transfer])
      }),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}
