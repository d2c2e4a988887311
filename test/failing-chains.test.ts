/** What depends on a task that fails, however long the chain and however many there are: it fails with the cause, without running, and leaves nothing. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cancel, get, type ObjectRef, remote, TaskCancelledError, TaskError, WorkerCrashedError } from '../src/index.ts'
import { collectGarbage, type Stats, stats } from '../src/testing.ts'
import * as shared from './fixtures/tasks/shared.ts'
import { rejection } from './support/with-runtime.ts'
import { begun, open, withWords } from './support/with-words.ts'

const file = new URL('./fixtures/tasks/shared.ts', import.meta.url)
/** Counts itself, as all of these do. */
const passes = remote.module<typeof shared.passes<unknown>>(file, 'passes')
const stay = remote.module<typeof shared.stay<number>>(file, 'stay')
const staysAndThrows = remote.module<typeof shared.staysAndThrows>(file, 'staysAndThrows')
const staysAndExits = remote.module<typeof shared.staysAndExits>(file, 'staysAndExits')
const echo = remote(<T>(x: T): T => x)

const LENGTH = 100_000
const WIDTH = 10_000
const WORKERS = 2
/** Slots that the driver and each worker may have in stock. */
const IN_STOCK = 256 * (1 + WORKERS)
/** V8 may keep what was used last through a collection or two; what is not gone after these is held. */
const COLLECTIONS = 6

type Failure = Error & Record<string, unknown>

const thrown = (error: Failure): void => {
  assert.instance(error, RangeError)
  assert.instance(error, TaskError)
  assert.is(error.message, 'thrown')
  assert.is(error.taskName, 'staysAndThrows')
}

/** The first task of a chain, which has begun and stays until it is made to fail; and what is expected of those after it. */
interface Head {
  readonly submit: () => ObjectRef<unknown>
  readonly fail: (ref: ObjectRef<unknown>, words: Int32Array) => void
  readonly check: (error: Failure) => void
}

const heads: Readonly<Record<string, Head>> = {
  throws: { submit: () => staysAndThrows.remote(), fail: (_, words) => open(words), check: thrown },
  'is cancelled': {
    submit: () => stay.remote(1),
    fail: (ref) => cancel(ref),
    check: (error) => {
      assert.instance(error, TaskCancelledError)
      assert.is(error.message, "task 'stay' was cancelled")
    },
  },
  'ends its thread': {
    submit: () => staysAndExits.options({ maxRetries: 0 }).remote(7),
    fail: (_, words) => open(words),
    check: (error) => {
      assert.instance(error, WorkerCrashedError)
      assert.is(error.exitCode, 7)
      assert.match(error.message, /task 'staysAndExits'/)
    },
  },
}

/** All have failed, each as expected. */
const checkAll = async (refs: readonly ObjectRef<unknown>[], check: Head['check']): Promise<void> => {
  // A thousand errors at a time: each is decoded anew, with its stack.
  for (let at = 0; at < refs.length; at += 1000) {
    await Promise.all(refs.slice(at, at + 1000).map(async (ref) => check(await rejection(get(ref)))))
  }
}

/** The first has run, and only it; nor does any of the others once there is nothing before it. */
const onlyOneRan = async (words: Int32Array): Promise<void> => {
  open(words)
  const count = 20 * WORKERS
  assert.is((await get(Array.from({ length: count }, (_, k) => echo.remote(k)))).length, count)
  assert.is(words[shared.BEGUN], 1, 'tasks that have run')
}

/** What nobody has any more is gone. */
const emptied = async (before: Stats): Promise<void> => {
  let now = await stats()
  for (let k = 0; k < COLLECTIONS && (k === 0 || now.refs > before.refs); k++) {
    await collectGarbage()
    now = await stats()
  }
  const told = ({ refs, store, tables: { edges, queued } }: Stats): unknown => ({ refs, objects: store.objects, pins: store.pins, edges, queued })
  assert.equal(told(now), told(before))
  const more = (now.tables.slots as number) - (before.tables.slots as number)
  assert.ok(more <= IN_STOCK, `${more} more slots`)
}

for (const [what, { submit, fail, check }] of Object.entries(heads)) {
  test(
    `a chain of ${LENGTH} behind a task that ${what}`,
    withWords({ numCpus: WORKERS }, async (words) => {
      await collectGarbage()
      const before = await stats()
      const fails = async (): Promise<void> => {
        const head = submit()
        await begun(words, 1)
        const refs = [head]
        for (let k = 1; k < LENGTH; k++) refs.push(passes.remote(refs[k - 1] as ObjectRef<unknown>))
        fail(head, words)
        await checkAll(refs, check)
        await onlyOneRan(words)
      }
      await fails()
      await emptied(before)
    }),
  )
}

test(
  `a chain of ${LENGTH} whose refs nobody has`,
  withWords({ numCpus: WORKERS }, async (words) => {
    await collectGarbage()
    const before = await stats()
    const fails = async (): Promise<void> => {
      let last = staysAndThrows.remote() as ObjectRef<unknown>
      await begun(words, 1)
      for (let k = 1; k < LENGTH; k++) {
        const next = passes.remote(last)
        last[Symbol.dispose]()
        last = next
      }
      open(words)
      thrown(await rejection(get(last)))
      await onlyOneRan(words)
    }
    await fails()
    await emptied(before)
  }),
)

test(
  `${WIDTH} that need the same task, one that needs them all, and ${WIDTH} that come when it has failed`,
  withWords({ numCpus: WORKERS }, async (words) => {
    await collectGarbage()
    const before = await stats()
    const fails = async (): Promise<void> => {
      const head = staysAndThrows.remote() as ObjectRef<unknown>
      await begun(words, 1)
      const wide = Array.from({ length: WIDTH }, () => passes.remote(head))
      const gathers = remote((...values: unknown[]) => values.length)
      const all = gathers.remote(...wide)
      // It needs the ref, not the value.
      const told = remote((given: { readonly ref: ObjectRef<unknown> }) => String(given.ref)).remote({ ref: head })
      open(words)
      await checkAll([head, ...wide, all], thrown)
      await checkAll(
        Array.from({ length: WIDTH }, () => passes.remote(head)),
        thrown,
      )
      assert.is(await get(told), String(head))
      await onlyOneRan(words)
    }
    await fails()
    await emptied(before)
  }),
)

test.run()
