/** `cancel` and `signal`: what is not wanted settles at once, does not begin, is told, and gives everything back. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { cancel, get, getRuntimeContext, getSync, init, type ObjectRef, put, remote, ShutdownError, shutdown, TaskCancelledError, wait } from '../src/index.ts'
import { availableResources } from '../src/state.ts'
import type * as tasks from './fixtures/tasks/cancelled.ts'
import * as shared from './fixtures/tasks/shared.ts'
import { eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'
import { begun, open, resourcesBack, withWords } from './support/with-words.ts'

const file = new URL('./fixtures/tasks/cancelled.ts', import.meta.url)
const untilAborted = remote.module<typeof tasks.untilAborted>(file, 'untilAborted')
const asksLate = remote.module<typeof tasks.asksLate>(file, 'asksLate')
const waitsFor = remote.module<typeof tasks.waitsFor>(file, 'waitsFor')
const spins = remote.module<typeof tasks.spins>(file, 'spins')
const parent = remote.module<typeof tasks.parent>(file, 'parent')
const stay = remote.module<typeof shared.stay<number>>(new URL('./fixtures/tasks/shared.ts', import.meta.url), 'stay')
const note = remote.module<typeof shared.note>(new URL('./fixtures/tasks/shared.ts', import.meta.url), 'note')
const echo = remote(<T>(x: T): T => x)

const isCancelled = async (ref: ObjectRef<unknown>): Promise<void> => {
  const error = await rejection(get(ref))
  assert.instance(error, TaskCancelledError)
  assert.is(error.code, 'ERR_TASK_CANCELLED')
}

const notes = (words: Int32Array, ...expected: number[]): Promise<void> =>
  eventually(
    () => `${expected} noted: ${words.slice(shared.NOTES, shared.NOTES + 6)}`,
    () => words[shared.NOTES] === expected.length && expected.every((note, k) => words[shared.NOTES + 1 + k] === note),
  )

test(
  'a queued task never begins, and what depends on it fails with it, by name',
  withWords({ numCpus: 1, maxWorkers: 1 }, async (words) => {
    const blocking = stay.remote(1)
    await begun(words, 1)
    const queued = note.remote(7)
    const dependant = echo.remote(queued as ObjectRef<unknown>)
    cancel(queued)
    cancel(queued)
    for (const ref of [queued, dependant]) await isCancelled(ref)
    assert.match((await rejection(get(dependant))).message, /task 'note' was cancelled/)
    const [ready] = await wait([queued, dependant], { numReturns: 2, timeout: 0 })
    assert.is(ready.length, 2)
    open(words)
    assert.is(await get(blocking), 1)
    await get(note.remote(8))
    await notes(words, 8)
  }),
)

test(
  'of a chain only what comes after is cancelled',
  withWords({ numCpus: 1 }, async (words) => {
    const first = stay.remote(1)
    const second = echo.remote(first)
    const third = echo.remote(second)
    cancel(second)
    await isCancelled(third)
    open(words)
    assert.is(await get(first), 1)
  }),
)

test(
  'an async task settles at once, its signal fires with the error, and the worker goes on',
  withWords({ numCpus: 1, resources: { db: 1 } }, async (words) => {
    const thread = remote(async () => (await import('node:worker_threads')).threadId)
    const before = await get(thread.remote())
    const ref = untilAborted.options({ resources: { db: 1 } }).remote()
    await begun(words, 1)
    cancel(ref)
    await isCancelled(ref)
    await notes(words, 'TaskCancelledError'.length)
    await eventually('what it held is back', () => figures().edges === 0)
    assert.is(await get(thread.options({ resources: { db: 1 } }).remote()), before)
  }),
)

test(
  'a signal that is asked for late has fired',
  withWords({ numCpus: 1 }, async (words) => {
    const ref = asksLate.remote()
    await begun(words, 1)
    cancel(ref)
    await isCancelled(ref)
    open(words)
    await notes(words, 1)
  }),
)

for (const way of ['get', 'get of a list', 'get with a limit', 'wait', 'getSync', 'getSync after an await'] as const) {
  test(
    `a task that waits by ${way} is woken with the error, and what it started ends with it`,
    withWords({ numCpus: 1 }, async (words) => {
      const ref = waitsFor.remote(way)
      await begun(words, 2)
      cancel(ref)
      await isCancelled(ref)
      // The task, and what it waits for, whose signal fires, in either order.
      await eventually('both have noted', () => words[shared.NOTES] === 2)
      assert.equal([...words.slice(shared.NOTES + 1, shared.NOTES + 3)].sort(), [1, 'TaskCancelledError'.length])
      await eventually('nothing waits any more', () => figures().edges === 0)
    }),
  )
}

test(
  'what a task submitted ends with it, levels deep, unless that is not wanted',
  withWords({ numCpus: 1 }, async (words) => {
    const ref = parent.remote(3)
    await begun(words, 5)
    cancel(ref)
    await isCancelled(ref)
    await notes(words, 'TaskCancelledError'.length)
    const alone = parent.remote(1)
    await begun(words, 8)
    cancel(alone, { recursive: false })
    await isCancelled(alone)
    assert.is(await get(echo.remote(1)), 1)
    assert.is(words[shared.NOTES], 1, 'its child goes on')
  }),
)

test(
  'synchronous code runs on unobserved, and its CPU comes back when it has ended',
  withWords({ numCpus: 1 }, async (words) => {
    const ref = spins.remote()
    await begun(words, 1)
    cancel(ref)
    await isCancelled(ref)
    assert.is((await availableResources()).CPU, 0)
    const next = echo.remote(1)
    open(words)
    assert.is(await get(next), 1)
    await notes(words, 1)
    await isCancelled(ref)
  }),
)

test(
  'force ends code that does not let go of its thread: the thread is replaced, and what it had not begun runs elsewhere',
  withWords({ numCpus: 1, resources: { db: 1 } }, async (words) => {
    for (let round = 1; round <= 3; round++) {
      const ref = spins.options({ resources: { db: 1 } }).remote()
      await begun(words, round)
      const queued = Array.from({ length: 20 }, (_, k) => echo.remote(k))
      cancel(ref, { force: true })
      await isCancelled(ref)
      assert.equal(
        await get(queued),
        queued.map((_, k) => k),
      )
      await resourcesBack()
    }
    await eventually('no thread is being ended any more', () => figures().abandonedThreads === 0)
    assert.is(words[shared.NOTES], 0)
  }),
)

test(
  'force while the main thread blocks works, too',
  withWords({ numCpus: 1, maxWorkers: 1 }, async (words) => {
    const ref = spins.remote()
    await begun(words, 1)
    cancel(ref, { force: true })
    assert.instance(
      thrown(() => getSync(ref)),
      TaskCancelledError,
    )
    assert.is(getSync(echo.remote(2)), 2)
  }),
)

test(
  'an async task that lets go in time keeps its thread, also when it is forced',
  withWords({ numCpus: 1 }, async (words) => {
    const thread = remote(async () => (await import('node:worker_threads')).threadId)
    const before = await get(thread.remote())
    const ref = untilAborted.remote()
    await begun(words, 1)
    cancel(ref, { force: true })
    await isCancelled(ref)
    await notes(words, 'TaskCancelledError'.length)
    // Longer than a thread is given.
    await new Promise((resolve) => setTimeout(resolve, 1200))
    assert.is(await get(thread.remote()), before)
  }),
)

test(
  'what is there, or was put, is not concerned',
  withRuntime({}, async () => {
    const done = echo.remote(1)
    assert.is(await get(done), 1)
    const stored = put(2)
    for (const ref of [done, stored]) cancel(ref, { force: true })
    assert.equal(await get([done, stored]), [1, 2])
  }),
)

test(
  'one of several returns stands for all',
  withWords({ numCpus: 1, maxWorkers: 1 }, async (words) => {
    const blocking = stay.remote(1)
    await begun(words, 1)
    const refs = remote((): [number, number, number] => [1, 2, 3], { numReturns: 3 }).remote()
    cancel(refs[2])
    for (const ref of refs) await isCancelled(ref)
    open(words)
    assert.is(await get(blocking), 1)
  }),
)

test(
  'a signal in the options cancels all calls that have not ended, also those whose refs are gone',
  withWords({ numCpus: 1, maxWorkers: 1 }, async (words) => {
    const controller = new AbortController()
    const options = { signal: controller.signal }
    const done = echo.options(options).remote(1)
    assert.is(await get(done), 1)
    const running = untilAborted.options(options).remote()
    await begun(words, 1)
    const blocking = stay.remote(1)
    await begun(words, 2)
    for (let k = 0; k < 200; k++) note.options(options).remote(5)[Symbol.dispose]()
    const queued = echo.options(options).remote(2)
    controller.abort()
    for (const ref of [running, queued, echo.options(options).remote(3)]) await isCancelled(ref)
    assert.is(await get(done), 1)
    open(words)
    assert.is(await get(blocking), 1)
    await notes(words, 'TaskCancelledError'.length)
  }),
)

test('a signal that fires after shutdown does nothing', async () => {
  const controller = new AbortController()
  await init({ numCpus: 1 })
  const ref = remote(() => new Promise(() => {}), { signal: controller.signal }).remote()
  await shutdown()
  controller.abort()
  assert.instance(await rejection(get(ref)), ShutdownError)
  await init({ numCpus: 1 })
  assert.is(await get(echo.remote(1)), 1)
  await shutdown()
})

test(
  'outside of tasks there is a signal that never fires',
  withRuntime({}, () => {
    assert.instance(getRuntimeContext().signal, AbortSignal)
    assert.not(getRuntimeContext().signal.aborted)
  }),
)

test(
  'bad input is told by name, and changes nothing',
  withRuntime({ numCpus: 1 }, async () => {
    const ref = echo.remote(1)
    const loose = cancel as (...args: unknown[]) => unknown
    for (const [args, expected] of [
      [[], /^ref: expected an ObjectRef/],
      [[{}], /^ref: expected an ObjectRef/],
      [[ref, { forced: true }], /did you mean 'force'/],
      [[ref, { force: 1 }], /^options\.force: expected a boolean/],
      [[ref, { recursive: 'no' }], /^options\.recursive: expected a boolean/],
      [[ref, true], /^cancel: options: expected an object/],
    ] as const) {
      const error = thrown(() => loose(...args))
      assert.instance(error, TypeError)
      assert.match(error.message, expected)
    }
    assert.is(await get(ref), 1)
  }),
)

test('a ref of a runtime that was shut down is a ShutdownError', async () => {
  await init({ numCpus: 1 })
  const ref = echo.remote(1)
  await shutdown()
  assert.instance(
    thrown(() => cancel(ref)),
    ShutdownError,
  )
})

test.run()
