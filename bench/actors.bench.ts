/** Measures calls of actors in Ray's shapes, under Ray's names, and what many actors cost. */

import { availableParallelism } from 'node:os'
import { type ActorHandle, get, init, type ObjectRef, remote, shutdown } from '../src/index.ts'
import { openComlink } from './compare/comlink.ts'
import { openMessageRpc } from './compare/message-rpc.ts'
import type { RemoteCounter } from './compare/remote-counter.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

const THREADS = Math.min(2, availableParallelism())
const ROUND_MS = 500
const BATCH = 1000
const ACTORS = 10_000

class Counter {
  n = 0
  add(k: number): number {
    this.n += k
    return this.n
  }
  async addLater(k: number): Promise<number> {
    this.n += k
    return this.n
  }
  echo(value: unknown): unknown {
    return value
  }
}

/** Calls others as often as it is told, from where it lives. */
class Caller {
  async call(others: readonly ActorHandle<Counter>[], count: number): Promise<number> {
    const refs: ObjectRef<number>[] = []
    for (let k = 0; k < count; k++) refs.push((others[k % others.length] as ActorHandle<Counter>).add.remote(1))
    await get(refs)
    return count
  }
}

const RemoteCounterClass = remote(Counter)
const RemoteCaller = remote(Caller)

let users = 0
const open = async (): Promise<void> => {
  if (users++ === 0) await init({ numCpus: THREADS, objectStoreMemory: 2 ** 30 })
}
const close = async (): Promise<void> => {
  if (--users === 0) await shutdown()
}

/** mobula with one actor. */
const withCounter = (run: (counter: ActorHandle<Counter>) => Promise<number>): Rival => {
  let counter: ActorHandle<Counter> | undefined
  return {
    who: 'mobula',
    open: async () => {
      await open()
      counter = RemoteCounterClass.remote()
      await get(counter.add.remote(0))
    },
    run: () => run(counter as ActorHandle<Counter>),
    close: async () => {
      await counter?.[Symbol.asyncDispose]()
      await close()
    },
  }
}

const rival = (who: string, make: () => Promise<RemoteCounter>, run: (counter: RemoteCounter) => Promise<number>): Rival => {
  let counter: RemoteCounter | undefined
  return {
    who,
    open: async () => {
      counter = await make()
    },
    run: () => run(counter as RemoteCounter),
    close: async () => counter?.close(),
  }
}

const rivals = (run: (counter: RemoteCounter) => Promise<number>): Rival[] => [
  rival('comlink', openComlink, run),
  rival('MessageChannel by hand', openMessageRpc, run),
]

/** The median of single calls, each awaited before the next, in microseconds. */
const oneByOne = async (call: (k: number) => Promise<unknown>): Promise<number> => {
  const times: number[] = []
  const end = performance.now() + ROUND_MS
  for (let start = performance.now(); start < end; start = performance.now()) {
    await call(times.length)
    times.push(performance.now() - start)
  }
  return (Float64Array.from(times).sort()[times.length >> 1] as number) * 1000
}

/** Calls per second of batches that are all made before any is awaited. */
const steadily = async (batch: () => Promise<number>): Promise<number> => {
  const start = performance.now()
  let done = 0
  while (performance.now() - start < ROUND_MS) done += await batch()
  return (done * 1000) / (performance.now() - start)
}

const ofRefs = async (call: (k: number) => ObjectRef<unknown>): Promise<number> => {
  const refs = new Array<ObjectRef<unknown>>(BATCH)
  for (let k = 0; k < BATCH; k++) refs[k] = call(k)
  await get(refs)
  return BATCH
}

const ofPromises = async (call: (k: number) => Promise<unknown>): Promise<number> => {
  await Promise.all(Array.from({ length: BATCH }, (_, k) => call(k)))
  return BATCH
}

const record = { id: 1, name: 'Ada Lovelace', tags: ['a', 'b'], score: 0.5, active: true }

const sync = { clients: 1, actors: 1, threads: THREADS }

/** Several actors call several others. */
const crowd = (who: string, clients: number, actors: number): Rival => {
  let callers: ActorHandle<Caller>[] = []
  let counters: ActorHandle<Counter>[] = []
  return {
    who,
    open: async () => {
      await open()
      counters = Array.from({ length: actors }, () => RemoteCounterClass.remote())
      callers = Array.from({ length: clients }, () => RemoteCaller.remote())
      await get(callers.map((caller) => caller.call.remote(counters, 100)))
    },
    run: () => steadily(async () => (await get(callers.map((caller) => caller.call.remote(counters, BATCH)))).reduce((sum, count) => sum + count, 0)),
    close: async () => {
      for (const actor of [...callers, ...counters]) await actor[Symbol.asyncDispose]()
      await close()
    },
  }
}

const memory = (): number => process.memoryUsage().rss

export const suite: Suite = {
  question: 'How fast are calls of actors, and what do many actors cost?',
  notEvidenceOf: 'work of any length inside of methods, large arguments, more threads than this machine has cores',
  benches: (): readonly Bench[] => [
    {
      bench: '1:1 actor calls sync',
      unit: 'µs',
      params: { ...sync, 'one by one': 'p50' },
      rivals: [withCounter((counter) => oneByOne((k) => get(counter.add.remote(k)))), ...rivals((counter) => oneByOne((k) => counter.add(k)))],
    },
    {
      bench: '1:1 actor calls async',
      unit: 'ops/s',
      params: { ...sync, batch: BATCH },
      rivals: [
        withCounter((counter) => steadily(() => ofRefs((k) => counter.add.remote(k)))),
        ...rivals((counter) => steadily(() => ofPromises((k) => counter.add(k)))),
      ],
    },
    {
      bench: '1:1 actor calls with arg async',
      unit: 'ops/s',
      params: { ...sync, batch: BATCH, argument: 'a record of 100 bytes' },
      rivals: [
        withCounter((counter) => steadily(() => ofRefs(() => counter.echo.remote(record)))),
        ...rivals((counter) => steadily(() => ofPromises(() => counter.echo(record)))),
      ],
    },
    {
      bench: '1:1 async-actor calls sync',
      unit: 'µs',
      params: { ...sync, 'one by one': 'p50' },
      rivals: [withCounter((counter) => oneByOne((k) => get(counter.addLater.remote(k)))), ...rivals((counter) => oneByOne((k) => counter.addLater(k)))],
    },
    {
      bench: '1:1 async-actor calls async',
      unit: 'ops/s',
      params: { ...sync, batch: BATCH },
      rivals: [
        withCounter((counter) => steadily(() => ofRefs((k) => counter.addLater.remote(k)))),
        ...rivals((counter) => steadily(() => ofPromises((k) => counter.addLater(k)))),
      ],
    },
    { bench: '1:n actor calls async', unit: 'ops/s', params: { clients: 1, actors: 2 }, rivals: [crowd('mobula', 1, 2)] },
    { bench: 'n:n actor calls async', unit: 'ops/s', params: { clients: 2, actors: 2 }, rivals: [crowd('mobula', 2, 2)] },
    {
      bench: 'actors created and called once',
      unit: 's',
      params: { actors: ACTORS },
      runs: 3,
      warmup: 1,
      rivals: [
        {
          who: 'mobula',
          open,
          run: async () => {
            const start = performance.now()
            const actors = Array.from({ length: ACTORS }, () => RemoteCounterClass.remote())
            await get(actors.map((actor) => actor.add.remote(1)))
            const seconds = (performance.now() - start) / 1000
            for (const actor of actors) void actor[Symbol.asyncDispose]()
            return seconds
          },
          close,
        },
      ],
    },
    {
      bench: 'memory of an actor',
      unit: 'bytes',
      params: { actors: ACTORS, of: 'the whole process' },
      runs: 1,
      warmup: 0,
      rivals: [
        {
          who: 'mobula',
          open: async () => {
            await open()
            await get(Array.from({ length: 100 }, () => RemoteCounterClass.remote().add.remote(1)))
          },
          run: async () => {
            const before = memory()
            const actors = Array.from({ length: ACTORS }, () => RemoteCounterClass.remote())
            await get(actors.map((actor) => actor.add.remote(1)))
            const each = (memory() - before) / ACTORS
            for (const actor of actors) void actor[Symbol.asyncDispose]()
            return each
          },
          close,
        },
      ],
    },
  ],
}
