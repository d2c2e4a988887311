/** Objects: shared and not copied, never changed by who reads them, and given back when nobody refers to them. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { createBuffer, get, type ObjectRef, ObjectStoreFullError, put, remote } from '../src/index.ts'
import { stats } from '../src/testing.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { collectGarbage, eventually, rejection, thrown, turn, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/tasks.ts', import.meta.url)
const MIB = 2 ** 20

const anonymousKiB = (): number => Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0)

test(
  'tiny, small and large values come back as they were',
  withRuntime({}, async () => {
    for (const length of [0, 1, 100, 1000, 1025, 16_384, 16_385, 100_000, 3_000_001]) {
      const bytes = Uint8Array.from({ length }, (_, k) => k * 31)
      const [here, there] = await get([put(bytes), remote((x: Uint8Array) => x).remote(bytes)])
      for (const copy of [here, there]) {
        assert.is(copy.length, length)
        assert.ok(Buffer.compare(copy, bytes) === 0, `bytes of length ${length}`)
      }
    }
  }),
)

test(
  'every kind of element is aligned, whatever lies before it',
  withRuntime({}, async () => {
    const value = {
      text: 'odd',
      a: new Float64Array(5000).fill(1.5),
      more: 'x'.repeat(13),
      b: new BigInt64Array(4000).fill(7n),
      c: new Uint8Array(33),
      d: new Float32Array(9000),
    }
    const back = await get(put(value))
    assert.equal(back.b[3999], 7n)
    assert.is(back.a[4999], 1.5)
    for (const view of [back.a, back.b, back.d]) assert.is(view.byteOffset % 64, 0)
  }),
)

test(
  'a get of a large array copies nothing',
  withRuntime({}, async () => {
    if (process.platform !== 'linux') return
    const ref = put(new Float64Array((64 * MIB) / 8).fill(1))
    const sum = remote.module<typeof tasks.sum>(module, 'sum')
    await get(sum.remote(ref))
    collectGarbage()
    const before = anonymousKiB()
    const views = [await get(ref), await get(ref), await get(ref)]
    assert.is(
      views[2]?.reduce((a, b) => a + b, 0),
      (64 * MIB) / 8,
    )
    assert.is(await get(sum.remote(ref)), (64 * MIB) / 8)
    const grown = anonymousKiB() - before
    // One copy would be 64 MiB. Threads that start or collect meanwhile take up to 36.
    assert.ok(grown < 56 * 1024, `anonymous memory grew by ${grown} KiB for four readers of 64 MiB`)
  }),
)

test(
  'what a reader writes, no later reader sees',
  withRuntime({ numCpus: 1 }, async () => {
    const ref = put(new Float64Array(100_000).fill(3))
    const meddle = remote.module<typeof tasks.writeAndReadAgain>(module, 'writeAndReadAgain')
    for (let round = 0; round < 20; round++) assert.equal(await get(meddle.remote({ ref })), [3, -1, 3])
    const mine = await get(ref)
    assert.ok(mine.every((x) => x === 3))
    mine.sort().fill(0)
    assert.ok((await get(ref)).every((x) => x === 3))
  }),
)

test(
  'a view in use is given out again, until somebody writes into it',
  withRuntime({}, async () => {
    if (process.platform !== 'linux') return
    const ref = put(new Float64Array(100_000).fill(1))
    const first = await get(ref)
    const second = await get(ref)
    assert.is(second.buffer, first.buffer)
    assert.is((await get(ref, { copy: true })).buffer === first.buffer, false)
    first[0] = 2
    const third = await get(ref)
    assert.is(third[0], 1)
    assert.is(third.buffer === first.buffer, false)
  }),
)

test(
  'memory that a reader wrote into shows nothing of it when it is used again',
  withRuntime({ objectStoreMemory: 16 * MIB }, async () => {
    for (let round = 0; round < 200; round++) {
      using ref = put(new Uint8Array(1_000_000).fill(round))
      const view = await get(ref)
      assert.is(view[123_456], round % 256)
      view.fill(255)
      if (round % 5 === 4) {
        collectGarbage()
        await turn()
      }
    }
  }),
)

test(
  'get with copy gives private, ordinary memory',
  withRuntime({}, async () => {
    const ref = put({ data: new Float64Array(10_000).fill(2) })
    const { data } = await get(ref, { copy: true })
    assert.instance(data.buffer, ArrayBuffer)
    data.fill(0)
    assert.is((await get(ref)).data[0], 2)
  }),
)

test(
  'disposed refs give their memory back at once, in the order of the program',
  withRuntime({ objectStoreMemory: MIB }, async () => {
    const length = remote((bytes: Uint8Array) => bytes.length)
    const results: ObjectRef<number>[] = []
    for (let k = 0; k < 1000; k++) {
      using ref = put(new Uint8Array(16_000))
      // The release is written after the use, and does not overtake it.
      results.push(length.remote(ref))
      if (k % 20 === 19) await get(results)
    }
    assert.ok((await get(results)).every((n) => n === 16_000))
  }),
)

test(
  'a full store is a synchronous ObjectStoreFullError, and the runtime goes on',
  withRuntime({ spillDirectory: false, objectStoreMemory: 8 * MIB }, async () => {
    const held = [put(new Uint8Array(6 * MIB))]
    const error = thrown(() => put(new Uint8Array(4 * MIB)))
    assert.instance(error, ObjectStoreFullError)
    assert.match(error.message, /\d/)
    const fn = remote((bytes: Uint8Array) => bytes.length)
    assert.instance(
      thrown(() => fn.remote(new Uint8Array(4 * MIB))),
      ObjectStoreFullError,
    )
    const make = remote((length: number) => new Uint8Array(length))
    assert.instance(await rejection(get(make.remote(4 * MIB))), ObjectStoreFullError)
    held.pop()?.[Symbol.dispose]()
    assert.is(await get(fn.remote(new Uint8Array(4 * MIB))), 4 * MIB)
  }),
)

test(
  'nothing is left of 10,000 tasks with arguments and results of every size',
  withRuntime({}, async () => {
    const echo = remote((x: unknown) => x)
    const base = figures()
    for (let round = 0; round < 20; round++) {
      const refs = Array.from({ length: 500 }, (_, k) => echo.remote(k % 50 === 0 ? new Uint8Array(10_000) : k % 7 === 0 ? 'x'.repeat(3000) : k))
      await get(refs)
      for (const ref of refs) ref[Symbol.dispose]()
    }
    await eventually('slots and objects are back', () => {
      collectGarbage()
      const now = figures()
      return (now.storeObjects as number) <= (base.storeObjects as number) && (now.edges as number) === 0
    })
  }),
)

// What depends on the collector runs in a process of its own, where nothing but the program itself holds on to anything.
for (const what of ['views', 'forgotten', 'stream', 'shutdown']) {
  test(`in a program: ${what}`, () => {
    const program = fileURLToPath(new URL('./fixtures/programs/collects.ts', import.meta.url))
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program, what], { encoding: 'utf8', timeout: 60_000 })
    assert.is(status, 0, stderr)
    assert.is(stdout, 'as it should be\n')
  })
}

test('MOBULA_REPORT_WRITES=1 names the task that wrote into an object', () => {
  if (process.platform !== 'linux') return
  const program = fileURLToPath(new URL('./fixtures/programs/writes.ts', import.meta.url))
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, MOBULA_REPORT_WRITES: '1' },
  })
  assert.is(stdout.trim().split('\n').at(-1), '5', stderr)
  const reports = stderr.split('\n').filter((line) => line.startsWith('mobula: '))
  assert.is(reports.length, 2, stderr)
  assert.match(reports[0] as string, /task 'sorts' wrote into 8\d{5} bytes/)
  assert.match(reports[1] as string, /code outside of tasks/)
})

test(
  'a loop that never yields may forget what it puts, also in a store that cannot spill',
  withRuntime({ spillDirectory: false, objectStoreMemory: 8 * MIB }, async () => {
    const kept = put(new Uint8Array(MIB).fill(9))
    for (let k = 0; k < 100; k++) {
      put(new Uint8Array(MIB).fill(k))
      const draft = createBuffer(MIB)
      draft.buffer.fill(k)
      draft.seal()
    }
    assert.ok((await get(kept)).every((byte) => byte === 9))
    // What is held is no garbage, and what was found once is not released twice.
    const held: ObjectRef[] = []
    assert.instance(
      thrown(() => {
        for (let k = 0; k < 100; k++) held.push(put(new Uint8Array(MIB).fill(k)))
      }),
      ObjectStoreFullError,
    )
    await eventually('finalizers of the forgotten have run', () => {
      collectGarbage()
      return figures().storeObjects === held.length + 1
    })
    for (const [k, ref] of held.entries()) assert.ok(((await get(ref)) as Uint8Array).every((byte) => byte === k))
    assert.ok((await get(kept)).every((byte) => byte === 9))
  }),
)

test(
  'a get that has begun keeps its object, also if the ref is disposed before it ends',
  withRuntime({ numCpus: 1 }, async () => {
    const slow = remote((x: number) => new Promise<number>((resolve) => setTimeout(resolve, 20, x)))
    const leave = (ref: ObjectRef<unknown>): Promise<unknown> => {
      try {
        return get(ref)
      } finally {
        ref[Symbol.dispose]()
      }
    }
    const leaveAll = (refs: ObjectRef<unknown>[]): Promise<unknown[]> => {
      try {
        return get(refs)
      } finally {
        for (const ref of refs) ref[Symbol.dispose]()
      }
    }
    assert.is(await leave(put(1)), 1)
    assert.is(await leave(slow.remote(2)), 2)
    assert.is(((await leave(put(new Uint8Array(100_000).fill(3)))) as Uint8Array)[99_999], 3)
    assert.equal(await leaveAll([put(4), slow.remote(5)]), [4, 5])
    for (let turns = 0; (await stats()).refs > 0; turns++) {
      assert.ok(turns < 500, 'the objects are gone')
      await turn()
    }
  }),
)

test.run()
