/** `init({ asyncConcurrency })`: how many async tasks one worker has under way, and that waiting for others is not held up by it. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, init, isInitialized, type ObjectRef, remote } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { thrown, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/tasks.ts', import.meta.url)

/** How many of these were under way on its thread when it was, at most; and which thread that was. */
const peak = remote(async (ms: number) => {
  const state = globalThis as unknown as { now?: number; most?: number }
  state.now = (state.now ?? 0) + 1
  state.most = Math.max(state.most ?? 0, state.now)
  await new Promise((resolve) => setTimeout(resolve, ms))
  state.now -= 1
  return [(await import('node:worker_threads')).threadId, state.most] as const
})

for (const numCpus of [1, 2]) {
  test(
    `${numCpus} workers each have as many under way as it says, no fewer and no more`,
    withRuntime({ numCpus, asyncConcurrency: 3 }, async () => {
      const results = await get(Array.from({ length: 40 }, () => peak.remote(5)))
      assert.ok(new Set(results.map(([thread]) => thread)).size <= numCpus)
      assert.is(Math.max(...results.map(([, most]) => most)), 3)
    }),
  )
}

test(
  'sharing the only worker with as many as may be, what is not async waits until one has ended',
  withRuntime({ numCpus: 1, maxWorkers: 1, asyncConcurrency: 1 }, async () => {
    const order: string[] = []
    const note = async (name: string, ref: ObjectRef<unknown>): Promise<void> => {
      await get(ref)
      order.push(name)
    }
    const naps = [peak.remote(50)]
    const sync = remote((x: number) => x).remote(1)
    await Promise.all([note('sync', sync), ...naps.map((nap) => note('nap', nap))])
    assert.is(order[0], 'nap')
  }),
)

const nested = remote.module<typeof tasks.napsThenGets>(module, 'napsThenGets')

for (const how of ['get', 'wait', 'asCompleted', 'getSync'] as const) {
  test(
    `with one at a time on the only worker, tasks that wait for others by ${how} are no obstacle to those`,
    withRuntime({ numCpus: 1, asyncConcurrency: 1 }, async () => {
      assert.equal(
        await get(Array.from({ length: 10 }, (_, k) => nested.remote(how, 3, k))),
        Array.from({ length: 10 }, (_, k) => k + 3),
      )
    }),
  )
}

for (const [what, stream, other] of [
  ['common', {}, {}],
  ['of several CPUs', {}, { numCpus: 2 }],
  ['of a part', { numCpus: 0.9 }, {}],
  ['with priorities', { priority: 1 }, { priority: 1 }],
] as const) {
  test(
    `a stream of async tasks holds up no other task: ${what}`,
    withRuntime({ numCpus: 2 }, async () => {
      const step = remote(async () => {
        const end = performance.now() + 1
        while (performance.now() < end);
        await new Promise((resolve) => setTimeout(resolve, 50))
      }, stream)
      const plain = remote(() => 'done', other)
      await get([plain.remote(), step.remote()])
      let isOver = false
      const line = async (): Promise<void> => {
        while (!isOver) await get(step.remote())
      }
      const lines = Array.from({ length: 150 }, line)
      await new Promise((resolve) => setTimeout(resolve, 300))
      // The stream goes on until this has ended.
      assert.is(await get(plain.remote()), 'done')
      isOver = true
      await Promise.all(lines)
    }),
  )
}

test(
  'and many levels deep',
  withRuntime({ numCpus: 1, asyncConcurrency: 1 }, async () => {
    assert.is(await get(remote.module<typeof tasks.fibAsync>(module, 'fibAsync').remote(12)), 144)
  }),
)

for (const [value, class_] of [
  [0, RangeError],
  [1.5, RangeError],
  [Number.POSITIVE_INFINITY, RangeError],
  ['2', TypeError],
] as const) {
  test(`${String(value)} is refused at once`, () => {
    const error = thrown(() => init({ asyncConcurrency: value as number }))
    assert.instance(error, class_)
    assert.match(error.message, /^options\.asyncConcurrency/)
    assert.not(isInitialized())
  })
}

test.run()
