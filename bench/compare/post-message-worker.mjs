/** The thread of bench/compare/post-message.ts: answers each message, which holds calls, with the results of the functions they name. */

import { parentPort } from 'node:worker_threads'
import * as work from './work.mjs'

/** @type {Map<string, (value: any) => unknown>} */
const functions = new Map(Object.entries(work))

const port = parentPort
if (!port) throw new Error('this is the main module of a worker thread')

/** @param {[number, string, unknown]} call */
const answer = async ([id, name, value]) => {
  try {
    return [id, await functions.get(name)?.(value), null]
  } catch (error) {
    return [id, undefined, error]
  }
}

port.on('message', async (calls) => port.postMessage(await Promise.all(calls.map(answer))))
