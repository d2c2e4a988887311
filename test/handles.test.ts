/** Handles that nobody disposes of: watched late, in groups where values are small, and let go of all the same. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, getSync, init, type ObjectRef, put, registerCodec, remote, shutdown, wait } from '../src/index.ts'
import { collectGarbage, stats } from '../src/testing.ts'
import { withRuntime } from './support/with-runtime.ts'

const identity = remote((value: unknown) => value)
const large = remote((k: number) => new Uint8Array(100_000).fill(k))

/** V8 may keep what was used last through a collection or two; what is not gone after these is held. */
const COLLECTIONS = 6

/** How many refs more there are when all that was forgotten is gone. */
const refsAfter = async (act: () => unknown): Promise<number> => {
  await collectGarbage()
  const before = (await stats()).refs
  await act()
  let more = Number.POSITIVE_INFINITY
  for (let k = 0; k < COLLECTIONS && more > 0; k++) {
    await collectGarbage()
    more = (await stats()).refs - before
  }
  return more
}

const runtime = { numCpus: 1, objectStoreMemory: 64 * 2 ** 20 }

test(
  'forgotten refs are let go of: gotten, never gotten, waited for, put, failed, of several returns, and many at once',
  withRuntime(runtime, async () => {
    const fails = remote((): never => {
      throw new Error('no')
    })
    const pair = remote((a: unknown, b: unknown): [unknown, unknown] => [a, b], { numReturns: 2 })
    const ways: Readonly<Record<string, () => unknown>> = {
      'gotten together': () => get(Array.from({ length: 100 }, (_, k) => identity.remote(k))),
      'gotten one by one': async () => {
        for (let k = 0; k < 40; k++) await get(identity.remote({ k }))
      },
      'gotten without a turn of the loop': () => {
        for (let k = 0; k < 40; k++) getSync(identity.remote(k))
      },
      'never gotten': async () => {
        for (let k = 0; k < 100; k++) identity.remote(k)
        // Those before it are through, on one worker.
        await get(identity.remote(0))
      },
      'waited for': () =>
        wait(
          Array.from({ length: 50 }, (_, k) => identity.remote(k)),
          { numReturns: 50 },
        ),
      put: () => {
        for (let k = 0; k < 100; k++) put(k)
      },
      'put, and large': () => {
        for (let k = 0; k < 10; k++) put(new Uint8Array(100_000))
      },
      failed: async () => {
        for (let k = 0; k < 20; k++) await get(fails.remote()).catch(() => {})
      },
      'of several returns': async () => {
        for (let k = 0; k < 20; k++) await get(pair.remote(k, new Uint8Array(100_000)))
      },
      'in other values': async () => {
        await get(identity.remote([put(1), put(new Uint8Array(100_000)), identity.remote(2)]))
      },
      'more than are held fresh': () => get(Array.from({ length: 10_000 }, (_, k) => identity.remote(k))),
    }
    for (const [way, act] of Object.entries(ways)) assert.is(await refsAfter(act), 0, way)
  }),
)

test(
  'one small value that is kept keeps a few neighbours at most; large ones, and those with refs inside, keep none',
  withRuntime(runtime, async () => {
    const kept: ObjectRef<unknown>[] = []
    const everyTenth = async (make: (k: number) => ObjectRef<unknown>): Promise<void> => {
      for (let k = 0; k < 160; k++) {
        const ref = make(k)
        await get(ref)
        if (k % 40 === 0) kept.push(ref)
      }
    }
    const small = await refsAfter(() => everyTenth((k) => identity.remote(k)))
    assert.ok(small >= 4 && small <= 4 * 16, String(small))
    assert.is(await refsAfter(() => everyTenth((k) => large.remote(k))), 4, 'large')
    assert.is(await refsAfter(() => everyTenth((k) => put('x'.repeat(300 + k)))), 4, 'of some size')
    // Each keeps what is inside of it, too, which is small: the ref of the list, and its neighbours.
    const inner = put(0)
    assert.is(await refsAfter(() => everyTenth(() => identity.remote([inner]))), 4, 'with refs inside')
    assert.is(await get(kept[0] as ObjectRef<unknown>), 0)
    kept.length = 0
    assert.is((await refsAfter(() => {})) <= 0, true)
    assert.is(await get(inner), 0)
  }),
)

test(
  'a ref that was disposed of is let go of once, whatever watched it',
  withRuntime(runtime, async () => {
    const after = await refsAfter(async () => {
      const fresh = identity.remote(1)
      fresh[Symbol.dispose]()
      const grouped = Array.from({ length: 40 }, (_, k) => put(k))
      for (const ref of grouped) ref[Symbol.dispose]()
      const settled = Array.from({ length: 40 }, (_, k) => identity.remote(k))
      await get(settled)
      for (let k = 0; k < 40; k += 2) settled[k]?.[Symbol.dispose]()
      const single = large.remote(1)
      await get(single)
      single[Symbol.dispose]()
    })
    assert.is(after, 0)
    // Nothing of it was let go of twice: these took over the slots, and are there.
    const refs = Array.from({ length: 300 }, (_, k) => put(k))
    await collectGarbage()
    assert.equal(
      await get(refs),
      Array.from({ length: 300 }, (_, k) => k),
    )
  }),
)

test(
  'a ref that is disposed of while its list is read is let go of once',
  withRuntime(runtime, async () => {
    class Noisy {}
    let act = (): void => {}
    const undo = registerCodec(Noisy, {
      encode: () => 1,
      decode: () => {
        act()
        return new Noisy()
      },
    })
    const read = (): ObjectRef<ObjectRef<unknown>[]> => {
      const refs = [put<unknown>(new Noisy()), ...Array.from({ length: 600 }, (_, k) => identity.remote(k))]
      const last = refs.at(-1) as ObjectRef<unknown>
      const holder = put([last])
      act = () => last[Symbol.dispose]()
      getSync(refs)
      act = () => {}
      return holder
    }
    const holder = read()
    const [again] = await get(holder)
    holder[Symbol.dispose]()
    for (let k = 0; k < 3; k++) await collectGarbage()
    assert.is(await get(again as ObjectRef<unknown>), 599)
    undo()
  }),
)

test(
  'what was forgotten before its value was there makes room when the store fills up',
  withRuntime({ numCpus: 1, objectStoreMemory: 16 * 2 ** 20 }, async () => {
    for (let k = 0; k < 60; k++) {
      // Nobody ever gets the first: 60 MB through 16.
      large.remote(k)
      const megabyte = remote(() => new Uint8Array(2 ** 20)).remote()
      await wait([megabyte])
    }
    assert.is((await stats()).store.spilledBytes, 0)
  }),
)

test('refs of a runtime that was shut down disturb none of the next', async () => {
  await init(runtime)
  const old = [put(1), identity.remote(2), large.remote(3)]
  await wait(old, { numReturns: 3 })
  await shutdown()
  await init(runtime)
  const refs = Array.from({ length: 20 }, (_, k) => identity.remote(k))
  for (const ref of old) ref[Symbol.dispose]()
  await collectGarbage()
  assert.equal(
    await get(refs),
    Array.from({ length: 20 }, (_, k) => k),
  )
  await shutdown()
})

test.run()
