/** Runs a test body over a runtime whose tasks share words with it. */

import { isDeepStrictEqual } from 'node:util'
import { setEnvironmentData } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import type { InitOptions } from '../../src/index.ts'
import { availableResources, clusterResources } from '../../src/state.ts'
import * as shared from '../fixtures/tasks/shared.ts'
import { eventually, withRuntime } from './with-runtime.ts'

/** Everything is there again: code that nobody waits for may take a moment to end. */
export const resourcesBack = async (): Promise<void> => {
  const total = await clusterResources()
  const end = Date.now() + 20_000
  while (Date.now() < end && !isDeepStrictEqual(await availableResources(), total)) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(await availableResources(), total)
}

/** A runtime whose tasks share words with the test; all of it must be there again at the end. */
export const withWords = (options: InitOptions, body: (words: Int32Array) => Promise<void>) => {
  const words = new Int32Array(new SharedArrayBuffer(4 * 1000))
  const runs = withRuntime(options, async () => {
    await body(words)
    await resourcesBack()
  })
  return async (): Promise<void> => {
    words.fill(0)
    setEnvironmentData('words', words as never)
    await runs()
  }
}

export const open = (words: Int32Array): void => {
  Atomics.store(words, shared.OPEN, 1)
  Atomics.notify(words, shared.OPEN)
}

export const begun = (words: Int32Array, count: number): Promise<void> => eventually(`${count} have begun`, () => Atomics.load(words, shared.BEGUN) >= count)
