/** Where a worker thread begins. Plain JavaScript: a TypeScript entry fails in worker threads of Node 20. */

import { workerData } from 'node:worker_threads'

/** Called by piscina once; our loop then lives in the thread's event loop. */
export async function boot() {
  // piscina wraps the data that it was given in a pair with its own.
  const data = Array.isArray(workerData) ? workerData[1] : workerData
  if (data.tsx !== undefined) (await import(data.tsx)).register()
  const { install } = await import(data.loop)
  await install(data)
}
