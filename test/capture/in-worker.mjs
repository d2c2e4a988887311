/** Runs the cases in a thread of the user's own, which is then the driver: `node in-worker.mjs`. */

import { Worker } from 'node:worker_threads'

const worker = new Worker(new URL('./run.mjs', import.meta.url), { argv: process.argv.slice(2) })
worker.on('exit', (code) => {
  process.exitCode = code
})
