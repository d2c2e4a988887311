/** The thread of bench/compare/text.ts: makes each text a function once, and answers with what it returns. */

import { parentPort } from 'node:worker_threads'

/** @type {Map<string, (value: number) => unknown>} */
const made = new Map()

const port = parentPort
if (!port) throw new Error('this is the main module of a worker thread')

port.on('message', (/** @type {[string, number]} */ [text, value]) => {
  let fn = made.get(text)
  if (fn === undefined) {
    fn = /** @type {(value: number) => unknown} */ (new Function(`return (${text})`)())
    made.set(text, fn)
  }
  port.postMessage(fn(value))
})
