/** `faults` of mobula/testing: what goes wrong at each point, what is refused, and that nothing is lost or left by any of it. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, getSync, ObjectLostError, put, remote, WorkerCrashedError, WorkerSetupError, wait } from '../src/index.ts'
import { collectGarbage, type Fault, faults, stats } from '../src/testing.ts'
import type * as tasks from './fixtures/tasks/faulty.ts'
import { linesOf, runLog } from './support/run-log.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

const file = new URL('./fixtures/tasks/faulty.ts', import.meta.url)
const logs = remote.module<typeof tasks.logs>(file, 'logs')
const logsLater = remote.module<typeof tasks.logsLater>(file, 'logsLater')
const add = remote((a: number, b: number) => a + b)
const zeros = remote((length: number) => new Float64Array(length))

/** In a scope of its own: nobody has the ref and the view afterwards. */
const lengthOfZeros = async (): Promise<number> => (await get(zeros.remote(1000))).length

test.after.each(() => faults.clear())

test('the points are named', () => {
  assert.equal(faults.points(), ['worker.start', 'task.beforeRun', 'task.afterRun', 'result.beforeSeal', 'object.lose', 'wake', 'completion'])
})

test(
  'what makes no sense is refused by name, and sets nothing',
  withRuntime({ numCpus: 1 }, async () => {
    const refused = (point: unknown, fault: unknown): Error => thrown(() => faults.set(point as string, fault as Fault))
    const says = (error: Error, Class: new (...args: never[]) => Error, text: RegExp): void => {
      assert.instance(error, Class)
      assert.match(error.message, text)
    }
    says(refused(3, { action: 'kill' }), TypeError, /^point: expected the name of a fault point, got 3 \(number\)/)
    says(refused('task.beforRun', { action: 'kill' }), RangeError, /^point: expected one of worker\.start, .*did you mean 'task\.beforeRun'\?/)
    says(refused('constructor', { action: 'kill' }), RangeError, /^point: expected one of/)
    says(refused('wake', undefined), TypeError, /^fault: expected an object, got undefined/)
    says(refused('wake', 'drop'), TypeError, /^fault: expected an object, got 'drop'/)
    says(refused('wake', {}), TypeError, /^fault\.action: expected a string, got undefined/)
    says(refused('wake', { action: 'kill' }), RangeError, /^fault\.action: expected 'delay' or 'drop' at wake, got 'kill'/)
    says(refused('object.lose', { action: 'delay' }), RangeError, /expected 'drop' at object\.lose/)
    says(refused('task.afterRun', { action: 'drop' }), RangeError, /expected 'kill' or 'delay' at task\.afterRun/)
    for (const nth of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      says(refused('task.beforeRun', { action: 'kill', nth }), RangeError, /^fault\.nth: expected/)
    for (const times of [0, -1, 0.5, Number.NaN]) says(refused('task.beforeRun', { action: 'kill', times }), RangeError, /^fault\.times: expected/)
    says(refused('task.beforeRun', { action: 'kill', seed: -1 }), RangeError, /^fault\.seed: expected/)
    says(refused('task.beforeRun', { action: 'kill', nth: '1' }), TypeError, /^fault\.nth: expected a number, got '1' \(string\)/)
    says(refused('task.beforeRun', { action: 'kill', ms: 5 }), RangeError, /^fault\.ms: expected nothing with 'kill'/)
    says(refused('task.beforeRun', { action: 'delay', ms: -5 }), RangeError, /^fault\.ms: expected/)
    says(refused('task.beforeRun', { action: 'kill', after: 1 }), TypeError, /^fault: unknown option 'after'/)
    assert.is(await get(add.options({ maxRetries: 0 }).remote(1, 2)), 3)
  }),
)

test(
  'task.beforeRun kill: the task that passes as the third dies unbegun and is run again',
  withRuntime({ numCpus: 1 }, async () => {
    faults.set('task.beforeRun', { action: 'kill', nth: 3 })
    const path = runLog()
    const refs = [1, 2, 3, 4].map((k) => logs.remote(path, k))
    // Which of them that is is not said.
    assert.equal((await get(refs)).toSorted(), [0, 0, 0, 1])
    assert.equal(linesOf(path).sort(), ['1', '2', '3', '4'])
    faults.set('task.beforeRun', { action: 'kill' })
    const error = await rejection(get(logs.options({ maxRetries: 0 }).remote(path, 5)))
    assert.instance(error, WorkerCrashedError)
    assert.match(error.message, /task 'logs' died \(exit code 1\).*ended by a fault at task\.beforeRun, as mobula\/testing was told/s)
    assert.is(linesOf(path).length, 4)
  }),
)

test(
  'task.beforeRun drop: the task is given back, and costs no attempt',
  withRuntime({ numCpus: 2 }, async () => {
    const path = runLog()
    faults.set('task.beforeRun', { action: 'drop', nth: 2, times: 20 })
    const refs = Array.from({ length: 30 }, (_, k) => (k % 2 ? logs : logsLater).options({ maxRetries: 0 }).remote(path, k))
    assert.equal(
      await get(refs),
      Array.from(refs, () => 0),
    )
    assert.equal(
      linesOf(path)
        .map(Number)
        .toSorted((a, b) => a - b),
      Array.from(refs, (_, k) => k),
    )
    // Inside of a wait, too.
    faults.set('task.beforeRun', { action: 'drop', times: 2 })
    assert.is(getSync(add.remote(20, 22)), 42)
  }),
)

test(
  'task.beforeRun drop is no call: it wears no thread out',
  withRuntime({ numCpus: 1 }, async () => {
    const thread = remote(async () => (await import('node:worker_threads')).threadId).options({ maxCalls: 3 })
    const first = await get(thread.remote())
    faults.set('task.beforeRun', { action: 'drop', times: 3 })
    assert.is(await get(thread.remote()), first)
  }),
)

for (const point of ['task.afterRun', 'result.beforeSeal'])
  test(
    `${point} kill: the code has run, nobody sees what it came to, and it runs again`,
    withRuntime({ numCpus: 1 }, async () => {
      const path = runLog()
      for (const task of [logs, logsLater]) {
        faults.set(point, { action: 'kill', times: 2 })
        assert.is(await get(task.remote(path, 1)), 2)
        faults.set(point, { action: 'kill' })
        assert.is(await lengthOfZeros(), 1000)
        faults.set(point, { action: 'kill' })
        const error = await rejection(get(task.options({ maxRetries: 0 }).remote(path, 2)))
        assert.instance(error, WorkerCrashedError)
        assert.match(error.message, new RegExp(`ended by a fault at ${point.replace('.', '\\.')}`))
      }
      assert.equal(linesOf(path), ['1', '1', '1', '2', '1', '1', '1', '2'])
      await collectGarbage()
      assert.is((await stats()).store.objects, 0)
    }),
  )

test(
  'a delay is as long as it should be, on the thread that passes',
  withRuntime({ numCpus: 1 }, async () => {
    await get(add.remote(0, 0))
    for (const point of ['task.beforeRun', 'task.afterRun', 'result.beforeSeal', 'completion', 'wake']) {
      faults.set(point, { action: 'delay', ms: 120 })
      const began = performance.now()
      await get(add.remote(1, 1))
      assert.ok(performance.now() - began >= 115, point)
    }
  }),
)

test(
  'worker.start: a thread that does not come up is replaced, the third in a row is the last',
  withRuntime({ numCpus: 1 }, async () => {
    faults.set('worker.start', { action: 'kill' })
    assert.is(await get(add.remote(1, 1)), 2)
  }),
)

test(
  'worker.start kill for ever: the work fails and says why',
  withRuntime({ numCpus: 1 }, async () => {
    faults.set('worker.start', { action: 'kill', times: Number.POSITIVE_INFINITY })
    const error = await rejection(get(add.remote(1, 1)))
    assert.instance(error, WorkerSetupError)
    assert.match(error.message, /ended by a fault at worker\.start/)
  }),
)

test(
  'a seed chooses the same tasks again',
  withRuntime({ numCpus: 1 }, async () => {
    const attempts = async (seed: number): Promise<number[]> => {
      faults.set('task.beforeRun', { action: 'kill', nth: 12, times: Number.POSITIVE_INFINITY, seed })
      const path = runLog()
      const all: number[] = []
      for (let k = 0; k < 40; k++) all.push(await get(logs.options({ maxRetries: -1 }).remote(path, k)))
      return all
    }
    const first = await attempts(5)
    assert.ok(first.some((attempt) => attempt > 0) && first.some((attempt) => attempt === 0), `${first}`)
    assert.equal(await attempts(5), first)
    assert.is.not(String(await attempts(6)), String(first))
  }),
)

test(
  'object.lose: stored values are lost, with all that depends on them, and leave nothing',
  withRuntime({ numCpus: 1 }, async () => {
    const size = remote((data: Float64Array) => data.length)
    faults.set('object.lose', { action: 'drop', nth: 2 })
    const [kept, lost, small] = [put(new Float64Array(1000)), put(new Float64Array(1000)), put(1)]
    const dependant = size.remote(lost)
    assert.is((await get(kept)).length, 1000)
    assert.is(await get(small), 1)
    for (const ref of [lost, dependant]) {
      const error = await rejection(get(ref as never))
      assert.instance(error, ObjectLostError)
      assert.match(error.message, /its value was lost/)
    }
    faults.set('object.lose', { action: 'drop' })
    const result = zeros.remote(1000)
    const after = size.remote(result)
    assert.instance(await rejection(get(after)), ObjectLostError)
    assert.instance(await rejection(get(result)), ObjectLostError)
    assert.equal(await wait([result]), [[result], []])
    faults.set('object.lose', { action: 'drop' })
    const [, second] = remote((length: number) => [new Float64Array(length), 'second'])
      .options({ numReturns: 2 })
      .remote(1000)
    assert.instance(await rejection(get(second as never)), ObjectLostError)
    kept[Symbol.dispose]()
    await collectGarbage()
    assert.is((await stats()).store.objects, 0)
  }),
)

for (const point of ['wake', 'completion'])
  test(
    `${point} drop: a wake-up that gets lost is found`,
    withRuntime({ numCpus: 2 }, async () => {
      await get([add.remote(0, 0), add.remote(0, 1)])
      for (let k = 0; k < 3; k++) {
        faults.set(point, { action: 'drop' })
        assert.is(await get(add.remote(k, k)), 2 * k)
        faults.set(point, { action: 'drop' })
        assert.is(getSync(add.remote(k, k)), 2 * k)
        faults.set(point, { action: 'drop', times: 2 })
        assert.equal((await wait([add.remote(k, k)]))[0].length, 1)
      }
    }),
  )

test('what is set stays set beyond a shutdown, until it is cleared', async () => {
  faults.set('task.beforeRun', { action: 'kill', nth: 2 })
  const path = runLog()
  await withRuntime({ numCpus: 1 }, async () => assert.is(await get(logs.remote(path, 0)), 0))()
  await withRuntime({ numCpus: 1 }, async () => assert.is(await get(logs.remote(path, 0)), 1))()
  faults.set('task.beforeRun', { action: 'kill' })
  faults.clear()
  await withRuntime({ numCpus: 1 }, async () => assert.is(await get(logs.remote(path, 0)), 0))()
})

test.run()
