/** The runner of generators, by itself: over a port that grants room, and a clock that stands still for nobody. */

import { performance } from 'node:perf_hooks'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

/** Each look at the clock finds it so many milliseconds later: the thread was taken away in between. */
const LATER_MS = 1000

test('a generator is entered at once, however long the thread was away: calls that were made after it may begin', async () => {
  const { now } = performance
  let time = 0
  performance.now = () => (time += LATER_MS)
  try {
    const { Production } = await import('../src/worker/produce.ts')
    const port = { flush: () => {}, roomFor: () => 16, yieldItem: () => {} }
    const task = { name: 'numbers', ended: undefined, whenEnded: () => () => {} }
    const seen: string[] = []
    const numbers = function* (): Generator<number, string> {
      seen.push('begun')
      yield 1
      yield 2
      return 'over'
    }
    const over = new Promise((resolve, reject) => {
      const produced = { iteration: numbers(), ending: { returned: resolve, threw: reject }, most: undefined, beforeHandIn: () => {} }
      new Production(port as never, task as never, produced).start()
    })
    seen.push('the next call')
    assert.is(await over, 'over')
    assert.equal(seen, ['begun', 'the next call'])
  } finally {
    performance.now = now
  }
})

test.run()
