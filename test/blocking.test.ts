/** Waits that block a thread: what they may hold up, and when they can never end. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, type ObjectRef, remote } from '../src/index.ts'
import * as shared from './fixtures/tasks/shared.ts'
import type * as slow from './fixtures/tasks/slow-import.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { rejection, withRuntime } from './support/with-runtime.ts'
import { begun, withWords } from './support/with-words.ts'

const module = new URL('./fixtures/tasks/tasks.ts', import.meta.url)
const identity = remote((x: unknown) => x)

test(
  'getSync for a task whose module is still being imported is no deadlock: another thread does it',
  withRuntime({ numCpus: 1 }, async () => {
    const waits = remote.module<typeof tasks.waitsFor>(module, 'waitsFor')
    const pass = remote.module<typeof tasks.double>(module, 'double')
    // Both are handed out before the module is there.
    const [a, b] = await get([waits.remote({ ref: pass.remote(21) }), waits.remote({ ref: pass.remote(4) })])
    assert.equal([a, b], [42, 8])
  }),
)

test(
  'a task whose module is still being imported does not wait for other code on its thread',
  withWords({ numCpus: 1 }, async (words) => {
    const half = { numCpus: 0.5 }
    const stay = remote.module<typeof shared.stay<number>>(new URL('./fixtures/tasks/shared.ts', import.meta.url), 'stay').options(half)
    const opens = remote.module<typeof slow.opens>(new URL('./fixtures/tasks/slow-import.ts', import.meta.url), 'opens').options(half)
    Atomics.store(words, shared.OPEN, 1)
    await get(stay.remote(0))
    Atomics.store(words, shared.OPEN, 0)
    const waits = opens.remote()
    await begun(words, 2)
    // The only worker imports, and has time for this, which stays until the other task has run.
    const stays = stay.remote(1)
    await begun(words, 3)
    Atomics.store(words, shared.ENDED, 1)
    assert.equal(await get([waits, stays]), [undefined, 1])
  }),
)

test(
  'a task that blocks for what only its own thread can finish learns of it, with the way there',
  withRuntime({ numCpus: 1, maxWorkers: 1 }, async () => {
    const waits = remote.module<typeof tasks.waitsFor>(module, 'waitsFor')
    await get(waits.remote({ ref: identity.remote(1) as ObjectRef<number> }))
    const later = remote(async function later(ms: number) {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return 1
    })
    const slow = later.remote(500)
    const after = remote(function next(x: number) {
      return x + 1
    }).remote(slow)
    // Once it is under way, only its thread can end it.
    await get(later.remote(20))
    const error = await rejection(get(waits.remote({ ref: after })))
    assert.is(error.code, 'ERR_DEADLOCK')
    assert.match(error.message, /waits for task 'next', which waits for task 'later', which runs on this very thread/)
    assert.is(await get(after), 2, 'what was waited for goes on')
  }),
)

test(
  'getSync for a task that runs on the same thread is a DeadlockError, not a hang',
  withRuntime({ numCpus: 1 }, async () => {
    const deadlock = remote(async (url: string) => {
      const { getSync, remote } = (await import(url)) as typeof import('../src/index.ts')
      const never = remote(async () => {
        await new Promise((resolve) => setTimeout(resolve, 60_000))
      })
      const ref = never.remote()
      // Let it begin here: this worker is the only one.
      await new Promise((resolve) => setTimeout(resolve, 50))
      return getSync(ref)
    })
    const error = await rejection(get(deadlock.remote(new URL('../src/index.ts', import.meta.url).href)))
    assert.is(error.code, 'ERR_DEADLOCK')
  }),
)

test(
  'when all workers wait by getSync and no more may start, one of them gives up, and the rest goes on',
  withRuntime({ numCpus: 1, maxWorkers: 2 }, async () => {
    const nested = remote.module<typeof tasks.blocksOnAsync>(module, 'blocksOnAsync')
    const error = await rejection(get(nested.remote(6)))
    assert.is(error.code, 'ERR_DEADLOCK')
    assert.match(error.message, /maxWorkers/)
    assert.is(await get(identity.remote('alive')), 'alive')
  }),
)

test(
  'getSync for a function that returns a promise without being async is a DeadlockError, too',
  withRuntime({ numCpus: 1 }, async () => {
    const blocks = remote(async (url: string) => {
      const { getSync, remote } = (await import(url)) as typeof import('../src/index.ts')
      return getSync(remote(() => new Promise<number>((resolve) => setTimeout(resolve, 1, 1))).remote())
    })
    assert.is((await rejection(get(blocks.remote(new URL('../src/index.ts', import.meta.url).href)))).code, 'ERR_DEADLOCK')
  }),
)

for (const numCpus of [1, 2]) {
  test(
    `with ${numCpus} CPUs, tasks that block for async ones begin on other threads than those`,
    withRuntime({ numCpus }, async () => {
      const waits = remote.module<typeof tasks.waitsFor>(module, 'waitsFor')
      const nap = remote(async (ms: number) => {
        await new Promise((resolve) => setTimeout(resolve, ms))
        return ms
      })
      // Each is under way before somebody blocks for it, and may be on the thread that would be nearest.
      for (let round = 0; round < 5; round++) {
        const naps = Array.from({ length: 4 }, (_, k) => nap.remote(20 + k))
        const blocked = naps.map((ref) => waits.remote({ ref }))
        assert.equal(await get(blocked), [20, 21, 22, 23])
      }
    }),
  )

  test(
    `with ${numCpus} CPUs, the same for functions of which only a call shows that they are async`,
    withRuntime({ numCpus }, async () => {
      const waits = remote.module<typeof tasks.waitsFor>(module, 'waitsFor')
      const nap = remote((ms: number) => new Promise<number>((resolve) => setTimeout(resolve, ms, ms)))
      const naps = Array.from({ length: 20 }, () => nap.remote(30))
      assert.equal(await get(naps.map((ref) => waits.remote({ ref }))), Array(20).fill(30))
    }),
  )
}

test(
  'a thousand nested tasks of which some await and some block, on one CPU',
  withRuntime({ numCpus: 1 }, async () => {
    const root = remote.module<typeof tasks.mixedAsync>(module, 'mixedAsync')
    let count = 0
    while (count < 1_000) count += await get(root.remote(3))
    assert.is(count % 15, 0)
  }),
)

test.run()
