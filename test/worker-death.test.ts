/** Workers that die: what they ran fails, what they had not begun goes on, and nothing of them is left. */

import { readdirSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, getSync, init, put, remote, shutdown, TaskError, WorkerCrashedError, WorkerSetupError, wait } from '../src/index.ts'
import { collectGarbage, eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'

const echo = remote((x: unknown) => x)
/** What comes of a death alone is the question here. */
const once = { maxRetries: 0 }

test(
  'an uncaught error names itself in the crash',
  withRuntime({ numCpus: 1 }, async () => {
    const boom = remote(() => {
      setTimeout(() => {
        throw new TypeError('out of band')
      })
      return new Promise(() => {})
    }, once)
    const error = await rejection(get(boom.remote()))
    assert.instance(error, WorkerCrashedError)
    assert.match(error.message, /task 'boom'|task 'anonymous'/)
    assert.match(error.message, /TypeError: out of band/)
    assert.is(error.exitCode, 1)
    assert.is(await get(echo.remote(1)), 1)
  }),
)

test(
  'all async tasks of a worker that dies fail; dependants fail with the same cause',
  withRuntime({ numCpus: 1, maxWorkers: 1 }, async () => {
    const never = remote(() => {
      Object.assign(globalThis, { begun: 1 + ((globalThis as { begun?: number }).begun ?? 0) })
      return new Promise(() => {})
    }, once)
    const die = remote(async () => {
      while ((globalThis as { begun?: number }).begun !== 2) await new Promise((resolve) => setTimeout(resolve, 1))
      process.exit(9)
    }, once)
    const refs = [never.remote(), never.remote(), die.remote()]
    const dependant = echo.remote(refs[0])
    for (const ref of [...refs, dependant]) {
      const error = await rejection(get(ref))
      assert.instance(error, WorkerCrashedError)
      assert.is(error.exitCode, 9)
    }
  }),
)

test(
  'deaths that a blocked main thread hears of late are no failed starts',
  withRuntime({ numCpus: 1 }, async () => {
    const die = remote((code: number) => process.exit(code), once)
    for (let k = 0; k < 5; k++) assert.is(thrown(() => getSync(die.remote(k))).exitCode, k)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.is(await get(echo.remote(1)), 1)
    for (let k = 0; k < 5; k++) assert.is(thrown(() => getSync(die.remote(k))).exitCode, k)
    assert.is(getSync(echo.remote(2)), 2)
  }),
)

test(
  'results written just before the end arrive',
  withRuntime({ numCpus: 1 }, async () => {
    const last = remote((code: number) => {
      process.on('exit', () => {})
      setImmediate(() => process.exit(code))
      return 'done'
    })
    for (let k = 0; k < 5; k++) assert.is(await get(last.remote(k)), 'done')
  }),
)

test(
  '24 deaths leave workers, objects, pins and threads as they were',
  withRuntime({ numCpus: 2 }, async () => {
    const ref = put(new Float64Array(100_000).fill(1))
    const die = remote((array: Float64Array) => {
      if (array[0] !== 1) throw new Error('wrong bytes')
      array.fill(0)
      process.exit(1)
    }, once)
    await get([echo.remote(1), echo.remote(2)])
    const before = readdirSync('/proc/self/task').length
    for (let k = 0; k < 12; k++) {
      const doomed = [die.remote(ref), die.remote(ref)]
      const fine = Array.from({ length: 20 }, (_, n) => echo.remote(n))
      for (const one of doomed) assert.instance(await rejection(get(one)), WorkerCrashedError)
      assert.equal(
        await get(fine),
        fine.map((_, n) => n),
      )
    }
    assert.ok((await get(ref)).every((x) => x === 1))
    await eventually('threads, pins and edges are back', () => {
      collectGarbage()
      const now = figures()
      return readdirSync('/proc/self/task').length <= before + 4 && (now.storePins as number) <= 1 && now.edges === 0
    })
  }),
)

test('a thread that somebody terminates is told from one that ran out of memory', async () => {
  const threads: Worker[] = []
  const keep = (worker: Worker): void => {
    threads.push(worker)
  }
  process.on('worker', keep)
  await init({ numCpus: 1 })
  try {
    await get(echo.remote(1))
    const forEver = remote(function forEver() {
      for (;;);
    }, once)
    const doomed = forEver.remote()
    await wait([doomed], { timeout: 100 })
    await Promise.all(threads.map((thread) => thread.terminate()))
    const error = await rejection(get(doomed))
    assert.instance(error, WorkerCrashedError)
    assert.is(error.message, "the worker that ran task 'forEver' died: it was terminated from outside")
    assert.is(await get(echo.remote(2)), 2)
  } finally {
    process.off('worker', keep)
    await shutdown()
  }
})

test('workers that cannot start fail the work instead of hanging it', async () => {
  await init({ numCpus: 1, execArgv: ['--import', 'data:text/javascript,throw new Error("no such luck")'] })
  const error = await rejection(get(echo.remote(1)))
  assert.instance(error, WorkerSetupError)
  assert.instance(await rejection(get(echo.remote(2))), WorkerSetupError)
  await shutdown()
})

test(
  'a thrown value keeps what it was, and the same worker goes on',
  withRuntime({ numCpus: 1 }, async () => {
    const throws = remote((what: string) => {
      if (what === 'undefined') throw undefined
      if (what === 'string') throw 'text'
      throw { plain: true }
    })
    const thread = remote(async () => (await import('node:worker_threads')).threadId)
    const before = await get(thread.remote())
    for (const [what, cause] of [
      ['undefined', undefined],
      ['string', 'text'],
      ['object', { plain: true }],
    ] as const) {
      const error = await rejection(get(throws.remote(what)))
      assert.instance(error, TaskError)
      assert.equal(error.cause, cause)
    }
    assert.is(await get(thread.remote()), before)
  }),
)

test.run()
