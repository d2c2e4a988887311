/** The producing end of `message-stream.ts`. */

import assert from 'node:assert'
import { parentPort } from 'node:worker_threads'

assert(parentPort)
const port = parentPort

/** @param {number} count */
function* numbers(count) {
  for (let k = 0; k < count; k++) yield k
}

let source = numbers(0)
let room = 0

const goOn = () => {
  while (room > 0) {
    const { value, done } = source.next()
    port.postMessage([value, done])
    if (done) {
      // What is still taken says nothing more.
      room = Number.NEGATIVE_INFINITY
      return
    }
    room -= 1
  }
}

port.on('message', ([kind, count, most]) => {
  if (kind === 'begin') {
    source = numbers(count)
    room = most
  } else room += 1
  goOn()
})
