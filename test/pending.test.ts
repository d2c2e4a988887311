/** `maxPendingTasks`: how many tasks may be under way. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, init, isInitialized, type ObjectRef, PendingCallsLimitError, remote, wait } from '../src/index.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

const echo = remote((x: number) => x)
const sleep = remote((ms: number) => new Promise<number>((resolve) => setTimeout(resolve, ms, ms)))

test(
  'one more than may be pending is refused, queues nothing, and there is room when one has ended',
  withRuntime({ numCpus: 1, maxPendingTasks: 3 }, async () => {
    for (let round = 0; round < 20; round++) {
      const refs = [sleep.remote(20), sleep.remote(20), sleep.remote(20)]
      const error = thrown(() => echo.remote(2))
      assert.instance(error, PendingCallsLimitError)
      assert.is(error.code, 'ERR_PENDING_CALLS_LIMIT')
      assert.match(error.message, /task 'anonymous'.*maxPendingTasks.*Nothing was queued/)
      await get(refs)
    }
    assert.is(await get(echo.remote(3)), 3)
  }),
)

test(
  'tasks that fail, and those that fail with them, make room',
  withRuntime({ numCpus: 1, maxPendingTasks: 4 }, async () => {
    const boom = remote((ms: number) => new Promise<number>((_, reject) => setTimeout(reject, ms, new Error('boom'))))
    for (let round = 0; round < 5; round++) {
      let ref: ObjectRef<number> = boom.remote(5)
      for (let k = 0; k < 3; k++) ref = echo.remote(ref)
      assert.instance(
        thrown(() => echo.remote(0)),
        PendingCallsLimitError,
      )
      assert.match((await rejection(get(ref))).message, /boom/)
    }
    const dies = remote((): number => process.exit(1), { maxRetries: 0 })
    await rejection(get(dies.remote()))
    const refs = [1, 2, 3, 4].map((x) => echo.remote(x))
    assert.equal(await get(refs), [1, 2, 3, 4])
  }),
)

test(
  'a producer that waits when it is told to loses nothing',
  withRuntime({ numCpus: 2, maxPendingTasks: 16 }, async () => {
    let pending: readonly ObjectRef<number>[] = []
    let total = 0
    for (let k = 0; k < 500; k++) {
      for (;;) {
        try {
          pending = [...pending, echo.remote(k)]
          break
        } catch (error) {
          assert.instance(error, PendingCallsLimitError)
          const [ready, rest] = await wait(pending)
          for (const value of await get(ready)) total += value
          pending = rest
        }
      }
    }
    for (const value of await get(pending)) total += value
    assert.is(total, (499 * 500) / 2)
  }),
)

test('bad limits are refused by name, and nothing is started', () => {
  for (const bad of [0, -1, 1.5, Number.NaN]) assert.match(thrown(() => init({ maxPendingTasks: bad })).message, /options\.maxPendingTasks/)
  assert.instance(
    thrown(() => init({ maxPendingTasks: '3' as never })),
    TypeError,
  )
  assert.not(isInitialized())
})

test.run()
