/** The process of bench/compare/child-process.ts: answers each message with the result of the function it names. */

import * as work from './work.mjs'

/** @type {Map<string, (value: any) => unknown>} */
const functions = new Map(Object.entries(work))

process.on('message', (message) => {
  const [name, value] = /** @type {[string, unknown]} */ (message)
  process.send?.(functions.get(name)?.(value))
})
