/** `timeout`: a run that takes too long settles in time, whatever its thread does, and nobody else is concerned. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, getSync, type ObjectRef, remote, TaskTimeoutError, wait } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/cancelled.ts'
import * as shared from './fixtures/tasks/shared.ts'
import { eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'
import { begun, open, resourcesBack, withWords } from './support/with-words.ts'

const file = new URL('./fixtures/tasks/cancelled.ts', import.meta.url)
const untilAborted = remote.module<typeof tasks.untilAborted>(file, 'untilAborted')
const spins = remote.module<typeof tasks.spins>(file, 'spins')
const nativeCode = remote.module<typeof tasks.nativeCode>(file, 'nativeCode')
const parent = remote.module<typeof tasks.parent>(file, 'parent')
const stay = remote.module<typeof shared.stay<number>>(new URL('./fixtures/tasks/shared.ts', import.meta.url), 'stay')
const echo = remote(<T>(x: T): T => x)

const isTimeout = async (ref: ObjectRef<unknown>): Promise<void> => {
  const error = await rejection(get(ref))
  assert.instance(error, TaskTimeoutError)
  assert.is(error.code, 'ERR_TASK_TIMEOUT')
  assert.match(error.message, /task '\w+' took longer than its timeout of \d+ ms/)
}

test(
  'an async task settles, its signal fires, and its worker goes on',
  withWords({ numCpus: 1 }, async (words) => {
    const ref = untilAborted.options({ timeout: 50 }).remote()
    const dependant = echo.remote(ref as ObjectRef<unknown>)
    for (const one of [ref, dependant]) await isTimeout(one)
    await eventually('it has noted', () => words[shared.NOTES + 1] === 'TaskTimeoutError'.length)
    assert.is(await get(echo.remote(1)), 1)
  }),
)

test(
  'synchronous code settles, and its thread is replaced',
  withWords({ numCpus: 1, resources: { db: 1 } }, async () => {
    const ref = spins.options({ timeout: 50, resources: { db: 1 } }).remote()
    await isTimeout(ref)
    assert.is(await get(echo.options({ resources: { db: 1 } }).remote(1)), 1)
    await resourcesBack()
  }),
)

test(
  'also while the main thread blocks',
  withWords({ numCpus: 1 }, async () => {
    const error = thrown(() => getSync(spins.options({ timeout: 50 }).remote()))
    assert.instance(error, TaskTimeoutError)
    assert.is(getSync(echo.remote(3)), 3)
  }),
)

test(
  'native code settles at once, others go on on other threads, and the thread is counted until it has ended',
  withWords({ numCpus: 2, maxWorkers: 2 }, async (words) => {
    // Some seconds, on any machine.
    const ref = nativeCode.options({ timeout: 50 }).remote(5_000_000)
    await begun(words, 1)
    await isTimeout(ref)
    await eventually('it is given up', () => figures().abandonedThreads === 1)
    const range = Array.from({ length: 20 }, (_, k) => k)
    assert.equal(await get(range.map((k) => echo.remote(k))), range)
    assert.is(figures().abandonedThreads, 1, 'this took less than what it is in')
    await eventually('it has ended', () => figures().abandonedThreads === 0, 60)
  }),
)

test(
  'time in the queue does not count, nor does that of others in the same thread',
  withWords({ numCpus: 1, maxWorkers: 1 }, async (words) => {
    const blocking = stay.remote(1)
    await begun(words, 1)
    const timed = echo.options({ timeout: 5000 })
    const refs = Array.from({ length: 100 }, (_, k) => timed.remote(k))
    await wait(refs, { timeout: 100 })
    open(words)
    assert.is(await get(blocking), 1)
    assert.equal(
      await get(refs),
      refs.map((_, k) => k),
    )
  }),
)

test(
  'what a run started ends with it',
  withWords({ numCpus: 1 }, async (words) => {
    await isTimeout(parent.options({ timeout: 2000 }).remote(2))
    await eventually('nothing waits any more', () => figures().edges === 0)
    const noted = words.slice(shared.NOTES + 1, shared.NOTES + 1 + (words[shared.NOTES] as number))
    assert.ok(
      noted.every((note) => note === 'TaskCancelledError'.length),
      'the innermost, if it came so far, was not at its own limit',
    )
  }),
)

test(
  'it is not tried again',
  withWords({ numCpus: 1 }, async (words) => {
    await isTimeout(spins.options({ timeout: 50, maxRetries: 5, retryExceptions: true }).remote())
    assert.is(await get(echo.remote(1)), 1)
    assert.is(words[shared.BEGUN], 1)
  }),
)

test(
  'limits of many weeks, and none, are no limits',
  withRuntime({ numCpus: 1 }, async () => {
    for (const timeout of [2 ** 31, 2 ** 53, Number.POSITIVE_INFINITY]) assert.is(await get(echo.options({ timeout }).remote(timeout)), timeout)
  }),
)

test(
  'bad limits are told by name',
  withRuntime({}, () => {
    const loose = echo.options as (options: unknown) => unknown
    for (const [timeout, Class] of [
      [0, RangeError],
      [-1, RangeError],
      [Number.NaN, RangeError],
      ['1', TypeError],
      [null, TypeError],
    ] as const) {
      const error = thrown(() => loose({ timeout }))
      assert.instance(error, Class)
      assert.match(error.message, /^options\.timeout: expected a number/)
    }
  }),
)

test.run()
