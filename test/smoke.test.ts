/** Start, run, nest, get, survive a worker's death, end: what must hold on every Node. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, getSync, init, isInitialized, ObjectRef, put, remote, shutdown, WorkerCrashedError, wait } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { rejection, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/tasks.ts', import.meta.url)
const fib = remote.module<typeof tasks.fib>(module, 'fib')
const fibAsync = remote.module<typeof tasks.fibAsync>(module, 'fibAsync')
const sum = remote.module<typeof tasks.sum>(module, 'sum')
const add = remote((a: number, b: number) => a + b)

test('the very first call may be getSync, with the main thread blocked', async () => {
  assert.is(getSync(add.remote(40, 2)), 42)
  await shutdown()
})

test('init tells what was started, and shutdown ends it', async () => {
  const info = await init({ numCpus: 1 })
  assert.is(info.workers, 1)
  assert.is(info.node, process.versions.node)
  assert.ok(isInitialized())
  await shutdown()
  assert.not(isInitialized())
})

test(
  'refs are resolved before a task starts',
  withRuntime({}, async () => {
    const ref = add.remote(1, put(2))
    assert.instance(ref, ObjectRef)
    assert.is(await get(add.remote(ref, ref)), 6)
  }),
)

test(
  'nested tasks by await, on one CPU',
  withRuntime({ numCpus: 1 }, async () => {
    assert.is(await get(fibAsync.remote(10)), 55)
  }),
)

test(
  'nested tasks by getSync, from a blocked main thread',
  withRuntime({}, () => {
    assert.is(getSync(fib.remote(12)), 144)
  }),
)

test(
  'a large array is read where it lies',
  withRuntime({}, async () => {
    const array = new Float64Array(1_000_000).fill(0.5)
    const ref = put(array)
    array.fill(9)
    assert.is(await get(sum.remote(ref)), 500_000)
    const [first, second] = await get([ref, ref])
    assert.is(first.length, 1_000_000)
    assert.is(second[999_999], 0.5)
  }),
)

test(
  'wait splits refs into ready and not ready, in input order',
  withRuntime({}, async () => {
    const slow = remote((ms: number) => new Promise<number>((resolve) => setTimeout(resolve, ms, ms)))
    const refs = [slow.remote(60_000), slow.remote(1), slow.remote(60_001)]
    const [ready, notReady] = await wait(refs)
    assert.equal(ready, [refs[1]])
    assert.equal(notReady, [refs[0], refs[2]])
  }),
)

test(
  'a worker that dies rejects what it ran, and is replaced',
  withRuntime({ numCpus: 1 }, async () => {
    const die = remote((code: number) => process.exit(code), { maxRetries: 0 })
    const doomed = die.remote(3)
    const queued = Array.from({ length: 50 }, (_, k) => add.remote(k, 1))
    const error = await rejection(get(doomed))
    assert.instance(error, WorkerCrashedError)
    assert.is(error.exitCode, 3)
    assert.equal(
      await get(queued),
      queued.map((_, k) => k + 1),
    )
  }),
)

test(
  'shutdown ends busy workers',
  withRuntime({}, async () => {
    const spin = remote(() => {
      for (;;);
    })
    const ref = spin.remote()
    await get(add.remote(1, 1))
    const pending = rejection(get(ref))
    await shutdown()
    assert.is((await pending).code, 'ERR_SHUTDOWN')
  }),
)

test.run()
