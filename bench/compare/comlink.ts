/** comlink as a rival of actors: a proxy of an object in a worker thread. */

import { once } from 'node:events'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { wrap } from 'comlink'
import type { RemoteCounter } from './remote-counter.ts'

type Endpoint = Parameters<typeof wrap>[0]

export const openComlink = async (): Promise<RemoteCounter> => {
  const endpointOf = createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js') as (worker: Worker) => Endpoint
  const worker = new Worker(new URL('./actor-worker.mjs', import.meta.url), { workerData: { comlink: true } })
  await once(worker, 'online')
  const remote = wrap<Omit<RemoteCounter, 'close'>>(endpointOf(worker))
  await remote.add(0)
  return {
    add: (k) => remote.add(k),
    addLater: (k) => remote.addLater(k),
    echo: (value) => remote.echo(value as never),
    close: async () => void (await worker.terminate()),
  }
}
