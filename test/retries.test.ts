/** `maxRetries`, `retryExceptions`, `maxCalls`: what is run again, how often, with what, and what it says of that. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, OutOfMemoryError, put, remote, TaskError, WorkerCrashedError } from '../src/index.ts'
import { collectGarbage as collectEverywhere } from '../src/testing.ts'
import { Refused } from './fixtures/classes/refused.ts'
import type * as tasks from './fixtures/tasks/retried.ts'
import { linesOf, runLog } from './support/run-log.ts'
import { eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'

const file = new URL('./fixtures/tasks/retried.ts', import.meta.url)
const diesUntil = remote.module<typeof tasks.diesUntil>(file, 'diesUntil')
const throwsUntil = remote.module<typeof tasks.throwsUntil>(file, 'throwsUntil')
const nests = remote.module<typeof tasks.nests>(file, 'nests')
const thread = remote(async () => (await import('node:worker_threads')).threadId)

test(
  'a task whose worker dies is run three more times, with the same arguments, and told which attempt it is',
  withRuntime({ numCpus: 1 }, async () => {
    const path = runLog()
    const big = put(new Float64Array(10_000).fill(7))
    assert.equal(await get(diesUntil.remote(path, 3, big, { a: [1] })), [3, 70_000, { a: [1] }])
    assert.equal(linesOf(path), ['0', '1', '2', '3'])
    const error = await rejection(get(diesUntil.remote(runLog(), 4, big, {})))
    assert.instance(error, WorkerCrashedError)
    assert.match(error.message, /task 'diesUntil' \(attempt 4\) died \(exit code 1\)/)
    assert.is(await get(thread.remote()), await get(thread.remote()))
  }),
)

test(
  'as often as maxRetries says: never, for ever',
  withRuntime({ numCpus: 1 }, async () => {
    const path = runLog()
    const error = await rejection(get(diesUntil.options({ maxRetries: 0 }).remote(path, 1, 0, {})))
    assert.match(error.message, /task 'diesUntil' died/)
    assert.equal(linesOf(path), ['0'])
    assert.equal(await get(diesUntil.options({ maxRetries: -1 }).remote(runLog(), 6, 0, {})), [6, 0, {}])
  }),
)

test(
  'arguments are kept for retries and no longer',
  withRuntime({ numCpus: 1 }, async () => {
    const argument = new Float64Array(100_000).fill(7)
    assert.equal(await get(diesUntil.remote(runLog(), 2, argument, {})), [2, 700_000, {}])
    // The worker that was given a view of them has no cause to look for what it has forgotten.
    await collectEverywhere()
    await eventually('they are gone', () => figures().storeObjects === 0)
  }),
)

test(
  'what others of the thread had not begun loses no retry, what they had begun does',
  withRuntime({ numCpus: 1, maxWorkers: 1 }, async () => {
    const dies = diesUntil.options({ maxRetries: 2 }).remote(runLog(), 2, 0, {})
    const queued = Array.from({ length: 30 }, (_, k) => remote((x: number) => x, { maxRetries: 0 }).remote(k))
    assert.equal(
      await get(queued),
      queued.map((_, k) => k),
    )
    assert.equal(await get(dies), [2, 0, {}])
  }),
)

test(
  'a heap at its limit is a death like others, with an error of its own',
  withRuntime({ numCpus: 1, resourceLimits: { maxOldGenerationSizeMb: 64 } }, async () => {
    const eats = remote(
      () => {
        const all: unknown[] = []
        for (;;) all.push(new Array(1000).fill(1))
      },
      { maxRetries: 1, name: 'eats' },
    )
    const error = await rejection(get(eats.remote()))
    assert.instance(error, OutOfMemoryError)
    assert.match(error.message, /task 'eats' \(attempt 2\)/)
  }),
)

test(
  'retryExceptions says which errors are tried again: all, none, of classes, for which a function says so',
  withRuntime({ numCpus: 1 }, async () => {
    for (const [retryExceptions, isRetried] of [
      [undefined, false],
      [false, false],
      [true, true],
      [[Refused], true],
      [[Error], true],
      [[TypeError, RangeError], true],
      [[SyntaxError, TypeError, WorkerCrashedError], false],
      [[], false],
      [(error: Error & { code?: string }) => error.code === 'REFUSED', true],
      [() => false, false],
    ] as const) {
      const path = runLog()
      const task = throwsUntil.options({ maxRetries: 2, ...(retryExceptions !== undefined && { retryExceptions }) })
      if (isRetried) {
        assert.is(await get(task.remote(path, 2)), 2)
        assert.equal(linesOf(path), ['0', '1', '2'])
      }
      const error = await rejection(get(task.remote(runLog(), 3)))
      assert.instance(error, TaskError)
      assert.instance(error, Refused)
      assert.is(error.attempt, isRetried ? 2 : 0, String(retryExceptions))
    }
  }),
)

test(
  'async errors are tried again like others',
  withRuntime({ numCpus: 1 }, async () => {
    const task = remote.module<typeof tasks.rejectsUntil>(file, 'rejectsUntil').options({ retryExceptions: [RangeError] })
    assert.is(await get(task.remote(runLog(), 3)), 3)
  }),
)

test(
  'deaths and errors share one budget',
  withRuntime({ numCpus: 1 }, async () => {
    const task = remote.module<typeof tasks.takesTurns>(file, 'takesTurns').options({ retryExceptions: true })
    const path = runLog()
    assert.is(await get(task.options({ maxRetries: 4 }).remote(path, 4)), 4)
    assert.equal(linesOf(path), ['0', '1', '2', '3', '4'])
    assert.instance(await rejection(get(task.options({ maxRetries: 3 }).remote(runLog(), 4))), RangeError)
  }),
)

test(
  'what an attempt in vain had handed in is forgotten',
  withRuntime({ numCpus: 1 }, async () => {
    const task = remote.module<typeof tasks.halfReturns>(file, 'halfReturns').options({ numReturns: 3, retryExceptions: true })
    assert.equal(await get(task.remote(runLog())), [1, 2, 3])
  }),
)

test(
  'a predicate that throws is a warning, and nothing is tried again',
  withRuntime({ numCpus: 1 }, async () => {
    const path = runLog()
    const task = throwsUntil.options({
      retryExceptions: () => {
        throw new Error('the predicate itself')
      },
    })
    assert.instance(await rejection(get(task.remote(path, 1))), Refused)
    assert.equal(linesOf(path), ['0'])
  }),
)

test(
  'a worker is replaced when it has called a function as often as maxCalls says, and what it has begun ends first',
  withRuntime({ numCpus: 1, maxWorkers: 1 }, async () => {
    const leaks = thread.options({ maxCalls: 3 })
    const ids: number[] = []
    for (let k = 0; k < 9; k++) ids.push(await get(leaks.remote()))
    assert.is(new Set(ids).size, 3)
    assert.equal(ids, [...ids].sort(), 'one after another')
    // The only thread is needed for what its tasks wait for.
    assert.is(await get(nests.options({ maxCalls: 1 }).remote(3)), 3)
    const slow = remote(async (ms: number) => new Promise((resolve) => setTimeout(resolve, ms, 'slept')), { maxRetries: 0 })
    const begun = slow.remote(500)
    await get([leaks.remote(), leaks.remote(), leaks.remote()])
    const after = Array.from({ length: 20 }, (_, k) => remote((x: number) => x).remote(k))
    assert.is(await get(begun), 'slept')
    assert.equal(
      await get(after),
      after.map((_, k) => k),
    )
  }),
)

test(
  'bad options are told by name',
  withRuntime({}, () => {
    const loose = thread.options as (options: unknown) => unknown
    for (const [options, Class, expected] of [
      [{ maxRetries: -2 }, RangeError, /^options\.maxRetries: expected a number from -1/],
      [{ maxRetries: 1.5 }, RangeError, /^options\.maxRetries: expected an integer/],
      [{ maxRetries: '3' }, TypeError, /^options\.maxRetries: expected a number/],
      [{ maxCalls: 0 }, RangeError, /^options\.maxCalls/],
      [{ retryExceptions: 'all' }, TypeError, /^options\.retryExceptions: expected a boolean, a list of error classes, or a function/],
      [{ retryExceptions: RangeError }, TypeError, /^options\.retryExceptions: expected/],
      [{ retryExceptions: [Map] }, TypeError, /^options\.retryExceptions\[0\]: expected a class of errors/],
      [{ signal: {} }, TypeError, /^options\.signal: expected an AbortSignal/],
    ] as const) {
      const error = thrown(() => loose(options))
      assert.instance(error, Class)
      assert.match(error.message, expected)
    }
  }),
)

test.run()
