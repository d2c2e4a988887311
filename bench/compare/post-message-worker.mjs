/** The thread of bench/compare/post-message.ts: answers each message with the result of the function it names. */

import { parentPort } from 'node:worker_threads'
import * as work from './work.mjs'

/** @type {Map<string, (value: any) => unknown>} */
const functions = new Map(Object.entries(work))

const port = parentPort
if (!port) throw new Error('this is the main module of a worker thread')

port.on('message', async ([id, name, value]) => {
  try {
    port.postMessage([id, await functions.get(name)?.(value), null])
  } catch (error) {
    port.postMessage([id, undefined, error])
  }
})
