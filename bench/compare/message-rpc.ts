/** The rival of actors without any library: an object in a worker thread, and a promise for each message. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { RemoteCounter } from './remote-counter.ts'

export const openMessageRpc = async (): Promise<RemoteCounter> => {
  const worker = new Worker(new URL('./actor-worker.mjs', import.meta.url), { workerData: { comlink: false } })
  const waiting = new Map<number, (value: unknown) => void>()
  worker.on('message', ([id, value]: [number, unknown]) => {
    waiting.get(id)?.(value)
    waiting.delete(id)
  })
  await once(worker, 'online')
  let next = 0
  const call = (method: string, argument: unknown): Promise<unknown> =>
    new Promise((resolve) => {
      const id = next++
      waiting.set(id, resolve)
      worker.postMessage([id, method, [argument]])
    })
  return {
    add: (k) => call('add', k),
    addLater: (k) => call('addLater', k),
    echo: (value) => call('echo', value),
    close: async () => void (await worker.terminate()),
  }
}
