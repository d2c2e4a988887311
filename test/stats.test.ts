/** What the runtime says of itself: figures, who holds what, and a collection on every thread. */

import { once } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, ObjectRef, ObjectStoreFullError, put, remote, shutdown } from '../src/index.ts'
import { memorySummary } from '../src/state.ts'
import { collectGarbage, stats } from '../src/testing.ts'
import { thrown, withRuntime } from './support/with-runtime.ts'

const MB = 2 ** 20

test(
  'stats count what there is, and come back to what they were',
  withRuntime({ numCpus: 2, objectStoreMemory: 64 * MB }, async () => {
    await collectGarbage()
    const before = await stats()
    assert.is(before.store.capacity, 64 * MB)
    const keep = remote((bytes: Uint8Array) => bytes.length)
    {
      const refs = Array.from({ length: 4 }, () => put(new Uint8Array(MB)))
      await get(refs.map((ref) => keep.remote(ref)))
      const during = await stats()
      assert.is(during.store.objects - before.store.objects, 4)
      assert.ok(during.store.bytes - before.store.bytes >= 4 * MB)
      assert.ok(during.refs >= before.refs + 4)
      assert.ok((during.tables.slots as number) > 0)
      for (const ref of refs) ref[Symbol.dispose]()
    }
    await collectGarbage()
    const after = await stats()
    assert.is(after.store.objects, before.store.objects)
    assert.is(after.store.pins, 0)
    assert.is(after.tables.edges, before.tables.edges)
  }),
)

test(
  'what views and running tasks pin is told in objects and bytes, and is nothing in the end',
  withRuntime({ numCpus: 1, objectStoreMemory: 64 * MB }, async () => {
    const pinned = async (): Promise<readonly [number, number]> => {
      const { pinnedObjects, pinnedBytes } = (await memorySummary()).store
      return [pinnedObjects, pinnedBytes]
    }
    await collectGarbage()
    assert.equal(await pinned(), [0, 0])
    const HEAD = 128
    const refs = [put(new Uint8Array(MB)), put(new Uint8Array(2 * MB))] as const
    assert.equal(await pinned(), [0, 0], 'what nobody looks at')
    const hold = async (): Promise<void> => {
      // Two views of the second are one object.
      const views = [...(await get(refs)), await get(refs[1])]
      assert.equal(await pinned(), [2, 3 * MB + 2 * HEAD])
      assert.is(views.length, 3)
    }
    await hold()
    await collectGarbage()
    assert.equal(await pinned(), [0, 0])
    const name = 'mobula-test-stats'
    const channel = new BroadcastChannel(name)
    const runs = remote(async (bytes: Uint8Array<ArrayBufferLike>, name: string) => {
      const mine = new BroadcastChannel(name)
      mine.postMessage('begun')
      await new Promise((resolve) => {
        mine.onmessage = resolve
      })
      mine.close()
      return bytes.length
    })
    const result = runs.remote(refs[0], name)
    await once(channel, 'message')
    assert.equal(await pinned(), [1, MB + HEAD], 'the argument of a task that runs')
    channel.postMessage('end')
    assert.is(await get(result), MB)
    channel.close()
    await collectGarbage()
    assert.equal(await pinned(), [0, 0])
    assert.is((await memorySummary()).strandedBytes, 0)
  }),
)

test(
  'collectGarbage finds what was forgotten, here and on workers',
  withRuntime({ numCpus: 2 }, async () => {
    await collectGarbage()
    const before = await stats()
    const hoards = remote((bytes: Uint8Array) => {
      const cache = globalThis as { hoard?: Uint8Array | undefined }
      cache.hoard = bytes
      return bytes.length
    })
    const forgets = remote(() => {
      const cache = globalThis as { hoard?: Uint8Array | undefined }
      cache.hoard = undefined
    })
    await get(Array.from({ length: 8 }, () => hoards.remote(put(new Uint8Array(MB)))))
    await collectGarbage()
    const hoarded = (await stats()).store.pins
    assert.ok(hoarded >= 1, 'a view in a worker holds its object')
    await get(Array.from({ length: 64 }, () => forgets.remote()))
    await collectGarbage()
    // Whichever worker took none of them still has its one.
    const left = (await stats()).store
    assert.ok(left.pins < hoarded || left.pins <= 1)
    assert.ok(left.objects <= before.store.objects + 1)
  }),
)

test(
  'views that were dropped are gone when collectGarbage resolves, those that V8 frees on a thread of its own among them',
  withRuntime({ numCpus: 1 }, async () => {
    const fn = remote((bytes: Uint8Array) => bytes.length)
    for (let round = 0; round < 40; round++) {
      using ref = put(new Uint8Array(50_000))
      for (let k = 0; k < 150; k++) assert.is(await get(fn.remote(ref)), (await get(ref)).length)
      await collectGarbage()
      // Of 300. On each thread a frame, or what is being compiled just then, may hold one of the last.
      assert.ok((await stats()).store.pins <= 8, `${(await stats()).store.pins} pins in round ${round}`)
    }
  }),
)

test(
  'a worker that computes does it afterwards, and is waited for',
  withRuntime({ numCpus: 1 }, async () => {
    const spin = remote((ms: number) => {
      const end = Date.now() + ms
      while (Date.now() < end);
      return ms
    })
    await get(spin.remote(1))
    const ref = spin.remote(200)
    await new Promise((resolve) => setTimeout(resolve, 30))
    await collectGarbage()
    assert.is(await get(ref, { timeout: 0 }), 200, 'it had ended')
  }),
)

test(
  'memorySummary says where objects come from and who has handles',
  withRuntime({ numCpus: 1 }, async () => {
    await collectGarbage()
    const make = remote(function make(length: number) {
      return new Uint8Array(length)
    })
    const results = [make.remote(3 * MB), make.remote(2 * MB)]
    const one = put(new Uint8Array(MB))
    const small = put('small')
    await get(results)
    const summary = await memorySummary()
    assert.equal(
      summary.holdings.map(({ kind, name, objects }) => [kind, name, objects]),
      [
        ['result', 'make', 2],
        ['put', '', 1],
      ],
    )
    assert.ok((summary.holdings[0]?.bytes as number) >= 5 * MB)
    assert.is(summary.handles[0], 4)
    assert.is(summary.handles.length, 2)
    assert.ok([one, small].every((ref) => ref instanceof ObjectRef))
  }),
)

test(
  'a full store names its largest holders',
  withRuntime({ numCpus: 1, objectStoreMemory: 16 * MB, spillDirectory: false }, async () => {
    const fill = remote(function fill(length: number) {
      return new Uint8Array(length)
    })
    const refs = [fill.remote(6 * MB), fill.remote(6 * MB), put(new Uint8Array(MB))]
    await get(refs)
    const error = thrown(() => put(new Uint8Array(8 * MB)))
    assert.instance(error, ObjectStoreFullError)
    assert.match(error.message, /It holds 2 results of 'fill' \(12\.6 MB\), 1 value put \(1\.0 MB\)\./)
  }),
)

test(
  'without a runtime there is nothing, and nothing is waited for',
  withRuntime({}, async () => {
    await shutdown()
    const { store, refs, tables } = await stats()
    assert.equal([store.objects, refs, tables.slots], [0, 0, 0])
    await collectGarbage()
  }),
)

test.run()
