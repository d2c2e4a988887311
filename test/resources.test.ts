/** What tasks need and in what order they go: nothing is ever used twice, everything comes back, nobody waits for ever. */

import { setEnvironmentData } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DeadlockError, free, get, init, ObjectFreedError, type ObjectRef, remote, shutdown, type TaskOptions, WorkerCrashedError } from '../src/index.ts'
import { availableResources, clusterResources } from '../src/state.ts'
import * as shared from './fixtures/tasks/shared.ts'
import { eventually, rejection, thrown, turn } from './support/with-runtime.ts'
import { begun, open, withWords } from './support/with-words.ts'

const named = <K extends keyof typeof shared & string>(name: K) =>
  remote.module<(typeof shared)[K] extends (...args: never[]) => unknown ? (typeof shared)[K] : never>(
    new URL('./fixtures/tasks/shared.ts', import.meta.url),
    name,
  )
const stay = named('stay')
const awaits = named('awaits')
const passes = named('passes')
const note = named('note')
const echo = remote((x: unknown) => x)

const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k)

const warnings = (): { readonly texts: string[]; stop(): void } => {
  const texts: string[] = []
  const listen = ({ name, message }: Error): void => {
    if (name === 'MobulaWarning') texts.push(message)
  }
  process.on('warning', listen)
  return { texts, stop: () => process.off('warning', listen) }
}

test(
  'as many run at once as a named resource allows, and never more',
  withWords({ numCpus: 8, maxWorkers: 8, resources: { db: 4 } }, async (words) => {
    const refs = range(20).map((k) => stay.options({ resources: { db: 2 } }).remote(k))
    await begun(words, 2)
    assert.equal(await availableResources(), { CPU: 6, GPU: 0, db: 0 })
    assert.is(await get(echo.remote('others go on')), 'others go on')
    open(words)
    assert.equal(await get(refs), range(20))
    assert.is(words[shared.MOST], 2)
  }),
)

test(
  'parts add up exactly: ten tenths are one, and hundreds of them leave nothing behind',
  withWords({ numCpus: 1, resources: { r: 1 } }, async (words) => {
    const tenth = awaits.options({ numCpus: 0, resources: { r: 0.1 } })
    const refs = range(11).map((k) => tenth.remote(k))
    await begun(words, 10)
    assert.is((await availableResources()).r, 0)
    assert.is(words[shared.NOW], 10)
    open(words)
    assert.equal(await get(refs), range(11))
    assert.is(words[shared.MOST], 10)
    const many = echo.options({ numCpus: 0.1, resources: { r: 0.3 } })
    for (let round = 0; round < 3; round++) await get(range(200).map((k) => many.remote(k)))
  }),
)

test(
  'tasks of half a CPU run two on one, each on a thread of its own',
  withWords({ numCpus: 1 }, async (words) => {
    const refs = range(5).map((k) => stay.options({ numCpus: 0.5 }).remote(k))
    await begun(words, 2)
    assert.is((await availableResources()).CPU, 0)
    open(words)
    assert.equal(await get(refs), range(5))
    assert.is(words[shared.MOST], 2)
  }),
)

test(
  'a task that needs no CPU runs where all are taken, and where there are none',
  withWords({ numCpus: 1 }, async (words) => {
    const busy = stay.remote(1)
    await begun(words, 1)
    assert.equal(await get(range(3).map((k) => echo.options({ numCpus: 0 }).remote(k))), range(3))
    open(words)
    await get(busy)
  }),
)

test('without CPUs tasks of no CPU run, and others stay pending with one warning', async () => {
  const heard = warnings()
  await init({ numCpus: 0 })
  const never = [echo.remote(1), echo.remote(2), remote(() => 3).remote()]
  assert.is(await get(echo.options({ numCpus: 0 }).remote('runs')), 'runs')
  await rejection(get(never[0] as ObjectRef, { timeout: 1 }))
  heard.stop()
  assert.is(heard.texts.length, 1)
  assert.match(heard.texts[0] as string, /^task '.*' needs 1 CPU \(there is none\): its calls stay pending/)
  await shutdown()
})

test('what needs more than there is stays pending, with one warning for each need, and holds up nobody', async () => {
  const heard = warnings()
  await init({ numCpus: 2, numGpus: 1, resources: { db: 1 } })
  const needs = [{ numCpus: 3 }, { numGpus: 2 }, { resources: { db: 1.0001 } }, { resources: { other: 1 } }]
  const never = needs.flatMap((options) => range(3).map((k) => echo.options({ ...options, name: `n${k}` }).remote(k)))
  const dependant = echo.remote(never[0])
  assert.equal(await get(range(100).map((k) => echo.remote(k))), range(100))
  for (const ref of [...never, dependant]) assert.is((await rejection(get(ref, { timeout: 0 }))).code, 'ERR_GET_TIMEOUT')
  await turn()
  heard.stop()
  const needed = heard.texts.map((text) => /needs (.*): its calls/.exec(text)?.[1])
  assert.equal(needed, ['3 CPU (there is 2)', '2 GPU (there is 1)', '1.0001 db (there is 1)', '1 other (there is none)'])
  assert.equal(await availableResources(), await clusterResources())
  await shutdown()
})

test(
  'GPUs are given out by number, whole ones to one task, parts of one to several',
  withWords({ numCpus: 8, numGpus: 3, maxWorkers: 8 }, async (words) => {
    const staysAndTells = named('staysAndTells')
    const [half, whole] = [staysAndTells.options({ numGpus: 0.5 }), staysAndTells.options({ numGpus: 1 })]
    const halves = [half.remote(), half.remote()]
    await begun(words, 2)
    const wholes = [whole.remote(), whole.remote(), whole.remote()]
    await begun(words, 4)
    assert.equal(await availableResources(), { CPU: 4, GPU: 0 })
    open(words)
    const [first, second] = await get(halves)
    assert.equal(first?.assignedResources, { CPU: 1, GPU: 0.5 })
    assert.equal(first?.gpuIds, second?.gpuIds)
    // The third comes when one of the others has ended, and has what that had.
    const given = (await get(wholes)).flatMap(({ gpuIds }) => gpuIds)
    assert.equal([...new Set([...(first?.gpuIds ?? []), ...given])].sort(), [0, 1, 2])
    assert.is(given.length, 3)
    const two = await get(staysAndTells.options({ numGpus: 2, numCpus: 0, resources: {} }).remote())
    assert.equal([two.assignedResources, new Set(two.gpuIds).size], [{ GPU: 2 }, 2])
  }),
)

const resources = { db: 1 }

test(
  'everything comes back after a result, a throw, a death, and when a queued or a dependent task fails',
  withWords({ numCpus: 2, numGpus: 1, resources }, async () => {
    const total = await clusterResources()
    const needs = { resources, numGpus: 1 }
    for (let round = 0; round < 3; round++) {
      assert.is(await get(echo.options(needs).remote(round)), round)
      assert.equal(await availableResources(), total)
      const thrown = named('throws').options(needs).remote()
      const dependant = echo.options(needs).remote(thrown)
      for (const ref of [thrown, dependant]) assert.instance(await rejection(get(ref)), RangeError)
      assert.equal(await availableResources(), total)
      const queued = echo.options(needs).remote(round)
      const error = await rejection(
        get(
          named('exits')
            .options({ ...needs, maxRetries: 0 })
            .remote(round),
        ),
      )
      assert.instance(error, WorkerCrashedError)
      assert.is(await get(queued), round)
      assert.equal(await availableResources(), total)
    }
  }),
)

test(
  'what a freed task holds comes back when its code has ended, not before',
  withWords({ numCpus: 2, resources }, async (words) => {
    const ref = stay.options({ resources }).remote(1)
    await begun(words, 1)
    const next = echo.options({ resources }).remote('next')
    const freedInQueue = echo.options({ resources }).remote('freed')
    free([ref, freedInQueue])
    assert.instance(await rejection(get(ref)), ObjectFreedError)
    assert.equal(await availableResources(), { CPU: 1, GPU: 0, db: 0 })
    open(words)
    assert.is(await get(next), 'next')
  }),
)

test('a runtime that was shut down in the middle leaves all to the next', async () => {
  const words = new Int32Array(new SharedArrayBuffer(4000))
  setEnvironmentData('words', words as never)
  for (let round = 0; round < 3; round++) {
    await init({ numCpus: 1, resources })
    const total = { CPU: 1, GPU: 0, db: 1 }
    assert.equal(await availableResources(), total)
    for (const k of range(3)) stay.options({ resources }).remote(k)
    await begun(words, round + 1)
    assert.equal(await availableResources(), { CPU: 0, GPU: 0, db: 0 })
    await shutdown()
  }
})

test(
  'a task that awaits gives its CPU back and keeps the rest',
  withWords({ numCpus: 1, resources }, async (words) => {
    const holds = awaits.options({ resources }).remote('held')
    await begun(words, 1)
    const next = passes.options({ resources }).remote('next')
    assert.equal(await get(range(50).map((k) => echo.remote(k))), range(50))
    assert.is((await availableResources()).db, 0)
    assert.is(words[shared.BEGUN], 1)
    open(words)
    assert.equal(await get([holds, next]), ['held', 'next'])
  }),
)

for (const [what, options] of Object.entries<TaskOptions>({
  'one CPU': {},
  'half a CPU': { numCpus: 0.5 },
  'no CPU': { numCpus: 0 },
  'a resource each': { resources: { db: 0.1 } },
  'a priority': { priority: 1 },
})) {
  test(
    `tasks that block for their own calls come to their end on one CPU: ${what}`,
    withWords({ numCpus: 1, resources }, async () => {
      const nested = named('nested')
      assert.is(await get(nested.options(options).remote(5, options)), 5)
      // From a task that holds less CPU than its call needs.
      assert.is(await get(nested.options({ numCpus: 0 }).remote(3, options)), 3)
    }),
  )
}

test(
  'a task of more CPUs gives them all back while it blocks, and has them again afterwards',
  withWords({ numCpus: 3 }, async (words) => {
    const two = stay.options({ numCpus: 2, name: 'two' }).remote('two')
    const blocked = named('blocks').options({ numCpus: 3 }).remote({ ref: two })
    await begun(words, 1)
    assert.is((await availableResources()).CPU, 1)
    open(words)
    assert.is(await get(blocked), 'two')
  }),
)

test(
  'a task that blocks for one that needs what it holds itself is told so',
  withWords({ numCpus: 2, resources: { db: 2 } }, async () => {
    const nested = named('nested')
    const options = { resources: { db: 1 } }
    assert.is(await get(nested.options(options).remote(1, options)), 1)
    const error = await rejection(get(nested.options(options).remote(2, options)))
    assert.instance(error, DeadlockError)
    assert.match(error.message, /task 'nested'/)
  }),
)

test(
  'higher priorities go first, and each in the order of submission',
  withWords({ numCpus: 1 }, async (words) => {
    // Its module is there from here on: a call that must wait for it is queued again, behind others.
    await get(note.remote(0))
    words.fill(0)
    const gate = stay.remote(0)
    await begun(words, 1)
    const low = range(5).map((k) => note.options({ priority: -1 }).remote(k))
    const normal = range(5).map((k) => note.remote(100 + k))
    const high = range(5).map((k) => note.options({ priority: 1 }).remote(200 + k))
    open(words)
    await get([gate, ...low, ...normal, ...high])
    const notes = Array.from(words.subarray(shared.NOTES + 1, shared.NOTES + 16))
    assert.equal(notes.slice(0, 5), [200, 201, 202, 203, 204])
    assert.equal(notes.slice(5, 10).sort(), [100, 101, 102, 103, 104])
    assert.equal(notes.slice(10), [0, 1, 2, 3, 4])
  }),
)

/** Streams that never end by themselves must let one task of other terms come to its turn. */
const starving: readonly (readonly [what: string, stream: TaskOptions, task: TaskOptions])[] = [
  ['priority -1 behind priority 1', { priority: 1 }, { priority: -1 }],
  ['priority -1 behind priority 0', {}, { priority: -1 }],
  ['priority 0 behind priority 1', { priority: 1 }, {}],
  ['all CPUs behind single ones', {}, { numCpus: 2 }],
  ['all CPUs at priority -1 behind halves at priority 1', { numCpus: 0.5, priority: 1 }, { numCpus: 2, priority: -1 }],
  ['all of a resource behind pieces of it', { resources: { db: 1 } }, { resources: { db: 4 } }],
]
for (const [what, stream, task] of starving) {
  test(
    `no one starves: ${what}`,
    withWords({ numCpus: 2, resources: { db: 4 } }, async (words) => {
      const streams = range(8).map(() => named('streams').options(stream).remote(stream))
      await begun(words, 20)
      await get(named('end').options(task).remote())
      await get(streams)
      await eventually('the streams have ended', () => words[shared.ENDED] === 1)
      await settled()
    }),
  )
}

/** What the streams have called last ends by itself. */
const settled = async (): Promise<void> => {
  const isIdle = async (): Promise<boolean> => JSON.stringify(await availableResources()) === JSON.stringify(await clusterResources())
  for (let calm = 0; calm < 3; ) {
    await get(echo.options({ priority: -1 }).remote(calm))
    calm = (await isIdle()) ? calm + 1 : 0
  }
}

test(
  'a function has one life in a worker, whatever its options',
  withWords({ numCpus: 1 }, async () => {
    const counts = named('counts')
    assert.is(await get(counts.remote()), 1)
    assert.is(await get(counts.options({ name: 'other' }).remote()), 2)
    assert.is(await get(counts.options({ numCpus: 0.5, priority: 1 }).remote()), 3)
    assert.is(await get(counts.options({ numCpus: 0.5 }).options({ name: 'third' }).remote()), 4)
  }),
)

test('the totals are told by init and by clusterResources', async () => {
  const info = await init({ numCpus: 1.5, numGpus: 1, resources: { db: 0.25, none: 0 } })
  assert.equal(info.resources, { CPU: 1.5, GPU: 1, db: 0.25 })
  assert.equal(await clusterResources(), { CPU: 1.5, GPU: 1, db: 0.25 })
  assert.is(info.workers, 2)
  await shutdown()
})

type Case = readonly [options: object, class_: typeof TypeError | typeof RangeError, message: RegExp]
const both: readonly Case[] = [
  [{ numCpus: -1 }, RangeError, /^options\.numCpus: expected a number/],
  [{ numCpus: Number.NaN }, RangeError, /^options\.numCpus/],
  [{ numCpus: Number.POSITIVE_INFINITY }, RangeError, /^options\.numCpus/],
  [{ numCpus: 0.00001 }, RangeError, /^options\.numCpus: expected a multiple of 0\.0001, got 0\.00001/],
  [{ numCpus: '1' }, TypeError, /^options\.numCpus: expected a number/],
  [{ numGpus: -1 }, RangeError, /^options\.numGpus/],
  [{ numGpus: 1.5 }, RangeError, /^options\.numGpus: expected (an integer|less than 1, or a whole number), got 1\.5/],
  [{ resources: 4 }, TypeError, /^options\.resources: expected an object of numbers by name/],
  [{ resources: ['db'] }, TypeError, /^options\.resources: expected an object of numbers by name/],
  [{ resources: { db: '4' } }, TypeError, /^options\.resources\.db: expected a number/],
  [{ resources: { db: undefined } }, TypeError, /^options\.resources\.db: expected a number/],
  [{ resources: { db: -1 } }, RangeError, /^options\.resources\.db/],
  [{ resources: { db: 1.00001 } }, RangeError, /^options\.resources\.db: expected a multiple of 0\.0001/],
  [{ resources: { CPU: 1 } }, RangeError, /^options\.resources\.CPU: expected names of your own \(say CPU by the option numCpus\)/],
  [{ resources: { GPU: 1 } }, RangeError, /by the option numGpus/],
  [{ resources: { '': 1 } }, RangeError, /^options\.resources: expected names that are not empty/],
  [{ numCPUs: 1 }, TypeError, /unknown option 'numCPUs', did you mean 'numCpus'/],
  [{ resource: { db: 1 } }, TypeError, /did you mean 'resources'/],
]
const ofTasks: readonly Case[] = [
  [{ priority: 2 }, RangeError, /^options\.priority: expected -1, 0 or 1, got 2/],
  [{ priority: 0.5 }, RangeError, /^options\.priority/],
  [{ priority: 'high' }, TypeError, /^options\.priority: expected -1, 0 or 1, got 'high'/],
  [{ prio: 1 }, TypeError, /unknown option 'prio'/],
]

test('wrong amounts are synchronous errors that name the option', () => {
  const check = (act: (options: never) => unknown, [options, class_, message]: Case): void => {
    const error = thrown(() => act(options as never))
    assert.instance(error, class_, String(error))
    assert.match(error.message, message)
  }
  for (const one of both) {
    check((options) => init(options), one)
    check((options) => remote(() => 1, options), one)
    check((options) => echo.options(options), one)
  }
  for (const one of ofTasks) check((options) => echo.options(options), one)
})

test('sums of decimals are the amounts they look like', () => {
  for (const numCpus of [0.1 + 0.2, 1 - 0.9, 0.7 + 0.1, 1e9]) echo.options({ numCpus })
})

test.run()
