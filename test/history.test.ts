/** What is kept of every run: when it was submitted, could begin, began and ended, on which worker, which attempt it was, and how it ended. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { TaskRun } from '../src/engine/engine.ts'
import { cancel, free, get, getSync, type ObjectRef, remote } from '../src/index.ts'
import { current } from '../src/runtime/current.ts'
import type * as tasks from './fixtures/tasks/history.ts'
import { eventually, rejection, withRuntime } from './support/with-runtime.ts'

const file = new URL('./fixtures/tasks/history.ts', import.meta.url)
const throwsOften = remote.module<typeof tasks.throwsOften>(file, 'throwsOften')

const runs = (): readonly TaskRun[] => current()?.engine.runs() ?? []
const runsOf = ({ id }: ObjectRef<unknown>): readonly TaskRun[] => runs().filter((run) => run.id === id)
const outcomes = (ref: ObjectRef<unknown>): readonly string[] => runsOf(ref).map(({ outcome }) => outcome)
/** The only run of a task. */
const runOf = (ref: ObjectRef<unknown>): TaskRun => {
  const [run, ...others] = runsOf(ref)
  assert.equal(others, [])
  return run as TaskRun
}
const length = ({ started = Number.NaN, finished = Number.NaN }: TaskRun): number => finished - started

const spin = remote(function spin(ms: number): number {
  const end = performance.now() + ms
  while (performance.now() < end);
  return ms
})
const nap = remote(async function nap(ms: number) {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})
const fails = remote(function fails(): never {
  throw new Error('as it should')
})
const worker = remote.module<typeof tasks.worker>(file, 'worker')
const add = remote(function add(a: number, b: number): number {
  return a + b
})
const dies = remote(function dies(): never {
  process.exit(3)
})

test(
  'a run has its four moments in order, its worker, its name',
  withRuntime({ numCpus: 1 }, async () => {
    const before = Date.now()
    const ref = spin.remote(30)
    const place = worker.remote()
    await get([ref, place])
    const run = runOf(ref)
    assert.is(run.name, 'spin')
    assert.is(run.attempt, 0)
    assert.is(run.outcome, 'returned')
    const { submitted, ready, started, finished } = run as Required<TaskRun>
    // The calendar and the clock that runs on may be set apart a little.
    assert.ok(submitted >= before - 100 && finished <= Date.now() + 100, `${before} ${submitted} ${finished} ${Date.now()}`)
    assert.ok(submitted <= ready && ready <= started && started <= finished, JSON.stringify(run))
    assert.ok(length(run) >= 29, JSON.stringify(run))
    assert.is(String(runOf(place).worker), await get(place))
  }),
)

test(
  'what waits for others is ready when they have ended',
  withRuntime({ numCpus: 2 }, async () => {
    const first = spin.remote(40)
    const sum = add.remote(first, 2)
    assert.equal(outcomes(sum), ['waiting'])
    assert.is(runOf(sum).ready, undefined)
    assert.is(await get(sum), 42)
    const { submitted, ready, started } = runOf(sum) as Required<TaskRun>
    assert.ok(ready - submitted >= 30, 'it waited')
    // The end of the first is told by the same crossing, or the one before.
    assert.ok(ready >= (runOf(first).finished as number) - 1 && started >= ready)
  }),
)

test(
  'what has not ended is told as far as it has come',
  withRuntime({ numCpus: 1 }, async () => {
    const running = spin.remote(300)
    await eventually('it runs', () => outcomes(running)[0] === 'running')
    const queued = spin.remote(0)
    assert.equal(outcomes(queued), ['queued'])
    const { started, finished, worker: place } = runOf(queued)
    assert.equal([started, finished, place], [undefined, undefined, undefined])
    assert.type(runOf(running).started, 'number')
    assert.is(runOf(running).finished, undefined)
    await get([running, queued])
    assert.equal([...outcomes(running), ...outcomes(queued)], ['returned', 'returned'])
  }),
)

test(
  'async tasks that overlap have their own times',
  withRuntime({ numCpus: 1 }, async () => {
    await get(nap.remote(1))
    const [long, short] = [nap.remote(120), nap.remote(40)]
    await get([long, short])
    const [first, second] = [runOf(long), runOf(short)] as [Required<TaskRun>, Required<TaskRun>]
    assert.ok(length(first) >= 118 && length(second) >= 38, JSON.stringify([first, second]))
    assert.ok(second.started < first.finished && second.finished < first.finished)
  }),
)

test(
  'a slow task among quick ones is seen, and their times do not overlap',
  withRuntime({ numCpus: 1 }, async () => {
    const warm = Array.from({ length: 2000 }, () => spin.remote(0))
    await get(warm)
    const refs = Array.from({ length: 64 }, (_, k) => spin.remote(k === 20 ? 60 : 0))
    await get(refs)
    const mine = refs.map(runOf) as Required<TaskRun>[]
    const slow = Math.max(...mine.map(length))
    // It shares its time with those that were begun between the same two looks at the clock.
    assert.ok(slow >= 60 / 10, `${slow}`)
    assert.ok(mine.reduce((sum, run) => sum + length(run), 0) >= 59)
    const inTurn = mine.toSorted((a, b) => a.started - b.started)
    for (const [k, run] of inTurn.entries()) assert.ok(k === 0 || run.started >= (inTurn[k - 1] as Required<TaskRun>).finished - 0.001, `${k}`)
  }),
)

test(
  'each attempt is a run of its own, with its reason',
  withRuntime({ numCpus: 1 }, async () => {
    const again = throwsOften.options({ maxRetries: 2, retryExceptions: true }).remote(2)
    await get(again)
    assert.equal(
      runsOf(again).map(({ attempt, outcome }) => [attempt, outcome]),
      [
        [0, 'threw'],
        [1, 'threw'],
        [2, 'returned'],
      ],
    )
    const died = dies.options({ maxRetries: 1 }).remote()
    await rejection(get(died))
    assert.equal(outcomes(died), ['died', 'died'])
    const [one, two] = runsOf(died) as [Required<TaskRun>, Required<TaskRun>]
    assert.is.not(one.worker, two.worker)
    assert.ok(two.ready >= one.finished && two.started >= two.ready)
  }),
)

test(
  'what fails says why: thrown, upstream, cancelled in the queue and at work, timed out, freed',
  withRuntime({ numCpus: 1 }, async () => {
    const thrown = fails.remote()
    const upstream = add.remote(thrown, 1)
    await rejection(get(upstream))
    assert.equal([outcomes(thrown), outcomes(upstream)], [['threw'], ['upstream failed']])
    assert.is(runOf(upstream).started, undefined)
    const late = add.remote(thrown, 1)
    await rejection(get(late))
    assert.equal(outcomes(late), ['upstream failed'], 'also if that had failed before')
    const slow = nap.options({ timeout: 20 }).remote(60_000)
    await rejection(get(slow))
    assert.equal(outcomes(slow), ['timed out'])
    const running = nap.remote(60_000)
    await eventually('it runs', () => outcomes(running)[0] === 'running')
    cancel(running)
    assert.equal(outcomes(running), ['cancelled'])
    assert.type(runOf(running).started, 'number')
    const busy = spin.remote(100)
    const [queued, unwanted] = [spin.remote(0), spin.remote(0)]
    cancel(queued)
    free(unwanted)
    await get(busy)
    assert.equal([outcomes(queued), outcomes(unwanted)], [['cancelled'], ['freed']])
    assert.equal([runOf(queued).started, runOf(queued).worker], [undefined, undefined])
  }),
)

test(
  'what is submitted after a burst and a long computation is told as of then',
  withRuntime({ numCpus: 1 }, async () => {
    for (let burst = 17; burst < 22; burst++) {
      getSync(Array.from({ length: burst }, (_, k) => add.remote(k, k)))
      const end = performance.now() + 50
      while (performance.now() < end);
      const before = Date.now()
      const late = add.remote(5, 5)
      getSync(late)
      const { submitted, ready } = runOf(late) as Required<TaskRun>
      assert.ok(submitted >= before - 20 && ready >= submitted, `${submitted - before} ms`)
    }
  }),
)

test(
  'only the last runs of each worker are kept',
  withRuntime({ numCpus: 1 }, async () => {
    const kept = 16 * 1024
    const first = add.remote(0, 0)
    await get(first)
    for (let k = 0; k < 20; k++) await get(Array.from({ length: 1000 }, (_, j) => add.remote(k, j)))
    const all = runs()
    assert.is(all.filter(({ outcome }) => outcome === 'returned').length, kept)
    assert.equal(outcomes(first), [])
  }),
)

test.run()
