/** Drafts: memory of the store that is written in place and then sealed. */

import { markAsUntransferable } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { createBuffer, get, MobulaError, ObjectStoreFullError, put, remote, ShutdownError, shutdown } from '../src/index.ts'
import { collectGarbage, eventually, thrown, turn, withRuntime } from './support/with-runtime.ts'

const sum = remote((bytes: Uint8Array) => bytes.reduce((total, byte) => total + byte, 0))

test(
  'what is written is what comes back, at every size',
  withRuntime({ numCpus: 1 }, async () => {
    for (const length of [0, 1, 7, 128, 129, 1000, 1024, 4096, 16_000, 16_384, 100_000, 2 ** 20 + 1]) {
      const draft = createBuffer(length)
      assert.is(draft.buffer.byteLength, length)
      for (let k = 0; k < length; k++) draft.buffer[k] = k * 7
      const ref = draft.seal()
      assert.is(draft.buffer.byteLength, 0, 'nobody can write there any more')
      const back = await get(ref)
      assert.is(Object.getPrototypeOf(back), Uint8Array.prototype)
      assert.is(back.byteLength, length)
      assert.ok(back.every((byte, k) => byte === ((k * 7) & 0xff)))
    }
  }),
)

test(
  'no copy is made: the memory is the store',
  withRuntime({ numCpus: 1 }, async () => {
    const before = figures().storeBytes as number
    const draft = createBuffer(2 ** 24)
    assert.ok((figures().storeBytes as number) >= before + 2 ** 24)
    new Float64Array(draft.buffer.buffer, draft.buffer.byteOffset).fill(0.5)
    const ref = draft.seal()
    assert.ok((figures().storeBytes as number) < before + 2 ** 24 + 65_536)
    assert.is(await get(remote((bytes: Uint8Array) => new Float64Array(bytes.buffer, bytes.byteOffset, 3)[2]).remote(ref)), 0.5)
    assert.is(draft.buffer.byteOffset, 0)
  }),
)

test(
  'zeroed on demand',
  withRuntime({ numCpus: 1 }, async () => {
    {
      using dirty = put(new Uint8Array(2 ** 20).fill(255))
      await get(sum.remote(dirty))
    }
    const draft = createBuffer(2 ** 20, { zero: true })
    assert.ok(draft.buffer.every((byte) => byte === 0))
    assert.is(await get(sum.remote(draft.seal())), 0)
  }),
)

test(
  'a draft that is given up, or forgotten, gives its memory back',
  withRuntime({ numCpus: 1 }, async () => {
    collectGarbage()
    await turn()
    const before = figures().storeObjects as number
    {
      using draft = createBuffer(2 ** 20)
      assert.is(figures().storeObjects, before + 1)
      draft.buffer[0] = 1
    }
    assert.is(figures().storeObjects, before)
    for (let k = 0; k < 10; k++) createBuffer(2 ** 20).buffer[0] = k
    await eventually('forgotten drafts are gone', () => {
      collectGarbage()
      return (figures().storeObjects as number) <= before
    })
  }),
)

test(
  'sealed twice, sealed after the end, moved away: each is told',
  withRuntime({ numCpus: 1 }, () => {
    const draft = createBuffer(100)
    draft.seal()
    const twice = thrown(() => draft.seal())
    assert.instance(twice, MobulaError)
    assert.is(twice.code, 'ERR_DRAFT_CLOSED')
    assert.match(twice.message, /sealed already/)
    draft[Symbol.dispose]()
    const given = createBuffer(100)
    given[Symbol.dispose]()
    given[Symbol.dispose]()
    assert.match(thrown(() => given.seal()).message, /given up already/)
    const { port1 } = new MessageChannel()
    const kept = createBuffer(100)
    // Node itself keeps memory of addons where it is: older ones copy it, newer ones throw.
    try {
      port1.postMessage(kept.buffer, [kept.buffer.buffer])
    } catch (error) {
      assert.is((error as Error).name, 'DataCloneError')
    }
    assert.is(kept.buffer.byteLength, 100)
    port1.close()
    const moved = createBuffer(100)
    const { transfer } = ArrayBuffer.prototype as { transfer?: () => ArrayBuffer }
    if (transfer !== undefined) {
      const mine = new Uint8Array(transfer.call(moved.buffer.buffer))
      assert.match(thrown(() => moved.seal()).message, /transferred/)
      mine.fill(3)
    }
    kept.seal()
  }),
)

test(
  'a draft whose buffer was locked is sealed, or says why not, and goes with its buffer',
  withRuntime({ numCpus: 1 }, async () => {
    collectGarbage()
    await turn()
    const before = figures().storeObjects as number
    // From Node 24 on such a buffer cannot be detached.
    const lock = (): void => {
      const draft = createBuffer(2 ** 20)
      markAsUntransferable(draft.buffer.buffer)
      if (Number.parseInt(process.versions.node, 10) < 24) {
        draft.seal()[Symbol.dispose]()
        return
      }
      const refused = thrown(() => draft.seal())
      assert.instance(refused, MobulaError)
      assert.is(refused.code, 'ERR_DRAFT_LOCKED')
      assert.match(refused.message, /markAsUntransferable/)
      assert.is(draft.buffer.fill(1).byteLength, 2 ** 20)
      draft[Symbol.dispose]()
    }
    lock()
    await eventually('its memory is free', () => {
      collectGarbage()
      return (figures().storeObjects as number) <= before
    })
  }),
)

test(
  'a draft outlives the runtime as memory, and not as a draft',
  withRuntime({ numCpus: 1 }, async () => {
    const draft = createBuffer(2 ** 20)
    draft.buffer.fill(9)
    await shutdown()
    assert.ok(draft.buffer.every((byte) => byte === 9))
    for (let k = 0; k < 2; k++) {
      assert.instance(
        thrown(() => draft.seal()),
        ShutdownError,
      )
    }
    draft[Symbol.dispose]()
  }),
)

test(
  'a worker that dies with drafts leaves none',
  withRuntime({ numCpus: 1 }, async () => {
    collectGarbage()
    await turn()
    const before = figures().storeObjects as number
    const dies = remote(
      async (url: string) => {
        const { createBuffer } = (await import(url)) as typeof import('../src/index.ts')
        const drafts = [createBuffer(2 ** 20), createBuffer(2 ** 20)]
        drafts[0]?.buffer.fill(1)
        process.exit(3)
      },
      { maxRetries: 0 },
    )
    await get(dies.remote(new URL('../src/index.ts', import.meta.url).href)).catch(() => {})
    await eventually('they are gone', () => (figures().storeObjects as number) <= before)
  }),
)

test(
  'wrong sizes and options are told; too much is ObjectStoreFullError',
  withRuntime({ numCpus: 1, objectStoreMemory: 2 ** 22, spillDirectory: false }, () => {
    const loose = createBuffer as (...args: unknown[]) => unknown
    for (const [args, expected] of [
      [[], /^byteLength: expected a number, got undefined/],
      [['1'], /^byteLength: expected a number, got '1'/],
      [[-1], /^byteLength: expected a number from 0/],
      [[1.5], /^byteLength: expected an integer/],
      [[Number.NaN], /^byteLength: expected a number from 0/],
      [[1, { zeros: true }], /unknown option 'zeros', did you mean 'zero'/],
      [[1, { zero: 1 }], /^options\.zero: expected a boolean/],
    ] as const) {
      assert.match(thrown(() => loose(...args)).message, expected)
    }
    assert.instance(
      thrown(() => createBuffer(2 ** 23)),
      ObjectStoreFullError,
    )
    createBuffer(100).seal()
  }),
)

test.run()
