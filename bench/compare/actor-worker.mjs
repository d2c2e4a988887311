/** The thread of the rivals of actors: one object, by messages of our own, or by comlink. */

import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort)

class Counter {
  n = 0
  /** @param {number} k */
  add(k) {
    this.n += k
    return this.n
  }
  /** @param {number} k */
  async addLater(k) {
    this.n += k
    return this.n
  }
  /** @param {unknown} value */
  echo(value) {
    return value
  }
}

if (workerData.comlink) {
  const { expose } = await import('comlink')
  expose(new Counter(), createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js')(port))
} else {
  const counter = /** @type {Record<string, any>} */ (/** @type {unknown} */ (new Counter()))
  port.on('message', ([id, method, args]) => {
    const result = counter[method](...args)
    if (result instanceof Promise) result.then((value) => port.postMessage([id, value]))
    else port.postMessage([id, result])
  })
}
