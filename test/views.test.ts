/** Views of stored objects: they show the sealed bytes at every size, whatever is done to them, and let go of what they showed. */
// Time limit: 300 s

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import * as arrow from 'apache-arrow'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuffer, get, init, type ObjectRef, put, remote, shutdown } from '../src/index.ts'
import { memorySummary } from '../src/state.ts'
import { collectGarbage, type Stats, stats } from '../src/testing.ts'
import type * as arrowMemory from './fixtures/tasks/arrow-memory.ts'
import { type Columns, findBuffers } from './fixtures/tasks/arrow-memory.ts'
import type * as tasks from './fixtures/tasks/views.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

type Bytes = Uint8Array<ArrayBufferLike>

const MIB = 2 ** 20
const PAGE = 4096
/** Objects up to this size are copied out. */
const COPIED_MAX = 16 * 1024

const pattern = (length: number, seed = 0): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, k) => (k * 31 + (k >> 8) + seed * 7) & 0xff)
const isPattern = (bytes: Bytes, length: number, seed = 0): boolean => Buffer.compare(bytes, pattern(length, seed)) === 0

/** Figures that are the same again when all has been let go: what threads hold in stock is not among them. */
const flat = ({ store, tables }: Stats): unknown => ({ objects: store.objects, pins: store.pins, edges: tables.edges })

/** Collects until nothing is left of what came since. What was dropped a moment ago may survive one collection, not fifty. */
const comesBackTo = async (before: Stats): Promise<void> => {
  for (let round = 0; round < 50; round++) {
    await collectGarbage()
    if (JSON.stringify(flat(await stats())) === JSON.stringify(flat(before))) return
  }
  assert.equal(flat(await stats()), flat(before), JSON.stringify(await memorySummary()))
}

/** Runs a body in a frame of its own, and looks what it left behind. */
const leavesNothing = (body: () => Promise<void>) =>
  withRuntime({ numCpus: 1 }, async () => {
    await collectGarbage()
    const before = await stats()
    await body()
    await comesBackTo(before)
  })

const program = (name: string, argument: string, views?: string): string => {
  const path = fileURLToPath(new URL(`./fixtures/programs/${name}.ts`, import.meta.url))
  const env = views === undefined ? process.env : { ...process.env, MOBULA_VIEWS: views }
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', path, argument], { encoding: 'utf8', timeout: 100_000, env })
  assert.is(status, 0, `${name} ${argument} ended with ${status ?? signal}: ${stderr}`)
  return stdout
}

const echo = remote((bytes: Bytes) => bytes)
const views = new URL('./fixtures/tasks/views.ts', import.meta.url)
const copyOf = remote.module<typeof tasks.copyOf>(views, 'copyOf')
const depthOf = remote.module<typeof tasks.depthOf>(views, 'depthOf')
const holdInClosure = remote.module<typeof tasks.holdInClosure>(views, 'holdInClosure')
const callHeld = remote.module<typeof tasks.callHeld>(views, 'callHeld')
const makes = remote((length: number) => Uint8Array.from({ length }, (_, k) => (k * 31 + (k >> 8)) & 0xff))

// ---- Sizes

/** Around words, pages and limits; and by as much less as an object has besides its bytes. */
const sizes = [0, 1, 63, 64, 65, 1024, PAGE, 4 * PAGE, 16 * 1024, 100 * 1024].flatMap((size) =>
  size < 100 ? [size] : [size - 129, size - 128, size - 127, size - 1, size, size + 1],
)

test(
  'bytes of every size come back as argument, result, by get here and in a task, and from a draft',
  leavesNothing(async () => {
    for (const size of sizes) {
      const bytes = pattern(size)
      using ref = put(bytes) as ObjectRef<Bytes>
      const draft = createBuffer(size)
      draft.buffer.set(bytes)
      using drafted = draft.seal()
      const results: [string, Bytes][] = [
        ['get', await get(ref)],
        ['get with copy', await get(ref, { copy: true })],
        ['argument', await get(echo.remote(ref))],
        ['argument by value', await get(echo.remote(bytes))],
        ['get in a task', (await get(copyOf.remote({ ref }))).bytes],
        ['result', await get(makes.remote(size))],
        ['draft', await get(drafted)],
        ['draft as argument', await get(echo.remote(drafted))],
      ]
      for (const [what, back] of results) assert.ok(isPattern(back, size), `${what} of ${size} bytes`)
    }
  }),
)

test(
  'elements of 1 to 8 bytes at both sides of the limit below which objects are copied',
  leavesNothing(async () => {
    for (const Class of [Int16Array, Float32Array, Float64Array, BigInt64Array, DataView, Buffer] as const) {
      for (const size of [COPIED_MAX - 136, COPIED_MAX - 128, COPIED_MAX - 120, COPIED_MAX, COPIED_MAX + 8]) {
        const { buffer } = pattern(size)
        const view = Class === Buffer ? Buffer.from(buffer) : Class === DataView ? new DataView(buffer) : new (Class as Float64ArrayConstructor)(buffer)
        const back = (await get(put(view))) as ArrayBufferView
        assert.is(Object.getPrototypeOf(back), Class.prototype)
        assert.ok(isPattern(new Uint8Array(back.buffer, back.byteOffset, back.byteLength), size), `${Class.name} of ${size} bytes`)
      }
    }
  }),
)

// ---- What is done to views

/** Sizes on both sides of the limit: below it `get` gives memory of its own. */
const small = 1000
const large = 100_000

/** Sends it to a thread that is none of the runtime's, which says what it saw, writes into it, and sends it back. */
const throughThread = async (view: Bytes): Promise<{ readonly seen: Bytes; readonly back: Bytes }> => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
     parentPort.once('message', (view) => { const seen = view.slice(); view.fill(1); parentPort.postMessage({ seen, back: view }) })`,
    { eval: true },
  )
  try {
    worker.postMessage(view)
    const [said] = (await once(worker, 'message')) as [{ seen: Bytes; back: Bytes }]
    return said
  } finally {
    await worker.terminate()
  }
}

test(
  'structuredClone copies, or shares pages where views are shared: a later get shows the sealed bytes in any case',
  leavesNothing(async () => {
    for (const size of [small, large]) {
      using ref = put(pattern(size)) as ObjectRef<Bytes>
      const view = await get(ref)
      const clone = structuredClone(view)
      assert.ok(isPattern(clone, size))
      clone.fill(1)
      const isShared = view.buffer instanceof SharedArrayBuffer
      assert.is(isShared && size === large, clone.buffer instanceof SharedArrayBuffer)
      assert.is(view[7], isShared ? 1 : pattern(size)[7])
      assert.ok(isPattern(await get(ref), size))
      assert.ok(isPattern(await get(echo.remote(ref)), size))
    }
  }),
)

test(
  'postMessage takes a view to any thread, which may outlive the one that had it; a later get shows the sealed bytes',
  leavesNothing(async () => {
    for (const size of [small, large]) {
      using ref = put(pattern(size)) as ObjectRef<Bytes>
      const view = await get(ref)
      const { seen, back } = await throughThread(view)
      assert.ok(isPattern(seen, size))
      assert.ok(back.every((byte) => byte === 1))
      assert.is(view[7], view.buffer instanceof SharedArrayBuffer ? 1 : pattern(size)[7])
      assert.ok(isPattern(await get(ref), size))
      assert.ok(isPattern(await get(echo.remote(ref)), size))
    }
  }),
)

test(
  'what cannot be transferred is refused with a DataCloneError or copied, and the view stays as it was',
  leavesNothing(async () => {
    const node20 = process.versions.node.startsWith('20.')
    using ref = put(pattern(large)) as ObjectRef<Bytes>
    const view = await get(ref)
    const buffer = view.buffer as ArrayBuffer
    const { port1, port2 } = new MessageChannel()
    const transfers: readonly (() => Bytes)[] = [
      () => structuredClone(view, { transfer: [buffer] }),
      () => {
        port1.postMessage(view, [buffer])
        return receiveMessageOnPort(port2)?.message as Bytes
      },
    ]
    for (const transfer of transfers) {
      if (node20) {
        const moved = transfer()
        assert.ok(isPattern(moved, large))
        moved.fill(1)
      } else assert.is(thrown(transfer).name, 'DataCloneError')
      assert.ok(isPattern(view, large))
    }
    port1.close()
    // Below the limit it is ordinary memory, which goes.
    const mine = (await get(put(pattern(small)))) as Bytes
    assert.ok(isPattern(structuredClone(mine, { transfer: [mine.buffer as ArrayBuffer] }), small))
    assert.is(mine.length, 0)
  }),
)

test(
  'Buffer.from a view copies, Buffer.from its buffer is another view',
  leavesNothing(async () => {
    using ref = put(pattern(large)) as ObjectRef<Bytes>
    const view = await get(ref)
    Buffer.from(view).fill(1)
    assert.ok(isPattern(view, large))
    const alias = Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength)
    assert.is(alias.buffer, view.buffer)
    alias.fill(1)
    assert.ok(view.every((byte) => byte === 1))
    assert.ok(isPattern(await get(ref), large))
  }),
)

for (const kind of ['as-is', 'arrays']) {
  test(`in a program: views (${kind}) are cloned, posted and transferred 1,000 times beside another reader`, () => {
    assert.match(program('transfers', kind), /^as it should be/)
  })
}

for (const views of ['private', 'copy', 'shared']) {
  test(`in a program: readers sort what they receive, and receive the sealed bytes again (${views})`, () => {
    // A megabyte 1,000 times, and all of them with as many collections: test/long/views.test.ts.
    const sizes = [
      [16 * 1024, 1000, 20],
      [17 * 1024, 1000, 20],
      [MIB, 50, 5],
    ]
    assert.is(program('sorts', JSON.stringify(sizes), views), 'as it should be\n')
  })
}

// ---- After shutdown

test('after shutdown views show what they showed, also while another runtime fills the store', async () => {
  const held = [0, 100, COPIED_MAX + 1000, MIB, 8 * MIB]
  const views: Bytes[] = []
  const hold = async (): Promise<void> => {
    for (const [k, size] of held.entries()) {
      views.push(await get(put(pattern(size, k)) as ObjectRef<Bytes>))
      views.push(await get(echo.remote(put(pattern(size, k)) as ObjectRef<Bytes>)))
    }
  }
  const check = (when: string): void => {
    for (const [k, view] of views.entries()) {
      assert.ok(isPattern(view, held[k >> 1] as number, k >> 1), `view ${k} of ${held[k >> 1]} bytes, ${when}`)
    }
  }
  await withRuntime({ numCpus: 1, objectStoreMemory: 64 * MIB }, hold)()
  check('after shutdown')
  for (const objectStoreMemory of [64 * MIB, 32 * MIB]) {
    await init({ numCpus: 1, objectStoreMemory, spillDirectory: false })
    const filler: ObjectRef[] = []
    // Until nothing fits any more, by the driver and by a worker.
    await rejection(
      (async () => {
        for (let k = 0; k < 200; k++) {
          filler.push(put(new Uint8Array(MIB / 2).fill(1)))
          const made = makes.remote(MIB / 4)
          await get(made)
          filler.push(made)
        }
      })(),
    )
    assert.ok(filler.length > 20)
    check('while the store is full of other data')
    filler.length = 0
    await shutdown()
  }
  check('after the last shutdown')
  views.length = 0
})

test('a view that a task posted stays readable when its worker has ended', async () => {
  const channel = new BroadcastChannel('mobula-test-views')
  const posts = remote(async (bytes: Uint8Array<ArrayBufferLike>) => {
    const mine = new BroadcastChannel('mobula-test-views')
    mine.postMessage(bytes)
    await new Promise((resolve) => setImmediate(resolve))
    mine.close()
  })
  await init({ numCpus: 1, objectStoreMemory: 64 * MIB })
  const arrives = once(channel, 'message') as Promise<[{ data: Bytes }]>
  await get(posts.remote(put(pattern(MIB)) as ObjectRef<Bytes>))
  const [{ data }] = await arrives
  channel.close()
  await shutdown()
  assert.ok(isPattern(data, MIB))
  await init({ numCpus: 1, objectStoreMemory: 64 * MIB })
  for (let k = 0; k < 100; k++) put(new Uint8Array(MIB).fill(k))[Symbol.dispose]()
  assert.ok(isPattern(data, MIB))
  await shutdown()
})

// ---- Arrow

const rows = 20_000
const every = <T>(make: (k: number) => T): T[] => Array.from({ length: rows }, (_, k) => make(k))

const makeTable = (): arrow.Table => {
  const pair = new arrow.Struct([arrow.Field.new('x', new arrow.Float64()), arrow.Field.new('name', new arrow.Utf8())] as arrow.Field[])
  return new arrow.Table({
    number: arrow.vectorFromArray(Float64Array.from({ length: rows }, (_, k) => k / 3)),
    text: arrow.vectorFromArray(
      every((k) => (k % 7 === 0 ? null : `text ${k} é`)),
      new arrow.Utf8(),
    ),
    word: arrow.vectorFromArray(
      every((k) => (k % 11 === 0 ? null : `word ${k % 1000}`)),
      new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()),
    ),
    flag: arrow.vectorFromArray(every((k) => k % 2 === 0)),
    list: arrow.vectorFromArray(
      every((k) => [k, k + 1]),
      new arrow.List(arrow.Field.new('item', new arrow.Int32())),
    ),
    pair: arrow.vectorFromArray(
      every((k) => (k % 5 === 0 ? null : { x: k, name: `n${k}` })),
      pair,
    ),
    nothing: arrow.vectorFromArray(
      every(() => null),
      new arrow.Null(),
    ),
  } as Record<string, arrow.Vector>)
}

const asText = (value: unknown): string => JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one))
const module = new URL('./fixtures/tasks/arrow-memory.ts', import.meta.url)

test(
  'every buffer of an Arrow table, batch or vector lies in the store, here and in a task',
  leavesNothing(async () => {
    const table = makeTable()
    const vectors = table.schema.names.map((name) => table.getChild(name as string) as arrow.Vector)
    const value: Columns = { marker: new Uint8Array(large), values: [table, table.batches[0] as arrow.RecordBatch, ...vectors] }
    using ref = put(value) as ObjectRef<Columns>
    const back = await get(ref)
    const here = findBuffers(back)
    assert.equal(here.outside, [])
    // Each column at least its values, three times over; `nothing` has no buffer.
    assert.ok(here.inside >= 3 * 12, `${here.inside} buffers`)
    const there = await get(remote.module<typeof arrowMemory.findBuffers>(module, 'findBuffers').remote(ref))
    assert.equal(there, here)
    assert.is(asText((back.values[0] as arrow.Table).toArray()), asText(table.toArray()))
    for (const [k, vector] of vectors.entries()) assert.is(asText([...(back.values[k + 2] as arrow.Vector)]), asText([...vector]))
  }),
)

test(
  'an Arrow table goes into the store by one copy, and out by none',
  leavesNothing(async () => {
    const column = (seed: number): arrow.Vector => arrow.vectorFromArray(new Float64Array(MIB).fill(seed))
    const table = new arrow.Table({ a: column(1), b: column(2), c: column(3) } as Record<string, arrow.Vector>)
    const payload = 3 * 8 * MIB
    const [stored, held] = [(await stats()).store.bytes, process.memoryUsage().arrayBuffers]
    const ref = put(table)
    const bytes = (await stats()).store.bytes - stored
    assert.ok(bytes >= payload && bytes < payload * 1.01, `${bytes} bytes for ${payload}`)
    const back = (await get(ref)) as arrow.Table
    assert.is(back.getChild('c')?.get(MIB - 1), 3)
    const own = process.memoryUsage().arrayBuffers - held
    assert.ok(own < payload / 10, `${own} bytes of this thread's own memory for ${payload}`)
    assert.is((await stats()).store.bytes - stored, bytes)
    ref[Symbol.dispose]()
  }),
)

// ---- How long objects live

test(
  'a ref in a variable keeps its object, `using` and disposal let go of it at once',
  leavesNothing(async () => {
    const objects = async (): Promise<number> => (await stats()).store.objects
    const before = await objects()
    const ref = put(pattern(large)) as ObjectRef<Bytes>
    {
      using scoped = put(pattern(large)) as ObjectRef<Bytes>
      assert.ok(isPattern((await get(scoped)).slice(), large))
      await collectGarbage()
      assert.is((await objects()) - before, 2)
    }
    // Views of the second may hold it a little; the first is held by its ref alone.
    await collectGarbage()
    assert.ok(isPattern(await get(ref), large))
    ref[Symbol.dispose]()
    assert.match(thrown(() => put([ref])).message, /disposed/)
  }),
)

test(
  'an argument of pending work keeps its object when nobody else does',
  leavesNothing(async () => {
    const spins = remote((rounds: number) => {
      let x = 1
      for (let k = 0; k < rounds; k++) x = Math.imul(x, 31) + k
      return x
    })
    const second = remote((_: number, bytes: Uint8Array<ArrayBufferLike>) => bytes)
    // One worker, which is busy: what follows is pending while its refs go.
    using first = spins.remote(3e7)
    const pending = (() => {
      using ref = put(pattern(large)) as ObjectRef<Bytes>
      return [second.remote(first, ref), copyOf.remote({ ref }, first), second.remote(first, pattern(large, 1))] as const
    })()
    const [a, b, c] = await get(pending)
    assert.ok(isPattern(a, large) && isPattern(b.bytes, large) && isPattern(c, large, 1))
    for (const ref of pending) ref[Symbol.dispose]()
  }),
)

test(
  'refs inside of objects keep theirs, five levels deep, and let go with the outermost',
  leavesNothing(async () => {
    const { objects } = (await stats()).store
    const nest = (): ObjectRef<unknown> => {
      let ref: ObjectRef<unknown> = put(pattern(large))
      for (let level = 1; level <= 5; level++) {
        using inner = ref
        ref = put({ level, inner, ballast: new Uint8Array(20_000).fill(level) })
      }
      return ref
    }
    using outermost = nest()
    await collectGarbage()
    assert.is((await stats()).store.objects - objects, 6)
    const descend = async (): Promise<void> => {
      let value = (await get(outermost)) as { level: number; inner: ObjectRef<unknown>; ballast: Bytes }
      for (let level = 5; level > 1; level--) {
        assert.is(value.level, level)
        assert.ok(value.ballast.every((byte) => byte === level))
        using inner = value.inner
        value = (await get(inner)) as typeof value
      }
      assert.ok(isPattern((await get(value.inner)) as Bytes, large))
      value.inner[Symbol.dispose]()
    }
    await descend()
    await descend()
    assert.is(await get(depthOf.remote(outermost as ObjectRef<{ inner: ObjectRef<unknown> }>)), 5)
  }),
)

test(
  'a closure in a worker keeps the object of the ref that it closes over, until it goes',
  leavesNothing(async () => {
    const { objects } = (await stats()).store
    {
      using ref = put(pattern(large)) as ObjectRef<Bytes>
      await get(holdInClosure.remote({ ref }))
    }
    await collectGarbage()
    assert.is((await stats()).store.objects - objects, 1)
    using called = callHeld.remote()
    assert.ok(isPattern((await get(called)) as Bytes, large))
  }),
)

test.run()
