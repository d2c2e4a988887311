/** Runs a test body over a runtime of its own, and takes care that it ends. */

import { collectHere as collectGarbage } from '../../src/engine/local/collect.ts'
import { type InitOptions, init, shutdown } from '../../src/index.ts'

export const withRuntime = (options: InitOptions, body: () => Promise<void> | void) => async (): Promise<void> => {
  await init({ numCpus: 2, objectStoreMemory: 256 * 2 ** 20, ...options })
  try {
    await body()
  } finally {
    await shutdown()
    // Views that the body dropped still pin what they show: the next runtime takes the store over.
    collectGarbage()
    await turn()
  }
}

/** The rejection of a promise. Fails the test if it resolves. */
export const rejection = async (promise: Promise<unknown>): Promise<Error & Record<string, unknown>> => {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error(`expected a rejection, got ${String(value)}`)
}

/** What a call throws. Fails the test if it returns. */
export const thrown = (call: () => unknown): Error & Record<string, unknown> => {
  let value: unknown
  try {
    value = call()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error(`expected an exception, got ${String(value)}`)
}

/** Waits until a condition holds: for what happens in other threads and tells nobody. `what` may tell how things stand at the end. */
export const eventually = async (what: string | (() => string), condition: () => boolean, seconds = 20): Promise<void> => {
  const end = Date.now() + seconds * 1000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${typeof what === 'string' ? what : what()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A turn of the loop: finalizers of ordinary buffers run in it. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export { collectGarbage }
