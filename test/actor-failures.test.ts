/** Actors that end, crash, are killed and come again: what becomes of their calls, and of all that they held. */
// Time limit: 300 s

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import {
  ActorDiedError,
  ActorError,
  type ActorHandle,
  ActorUnavailableError,
  DeadlockError,
  exitActor,
  get,
  getActor,
  getRuntimeContext,
  getSync,
  kill,
  MobulaError,
  type ObjectRef,
  put,
  remote,
} from '../src/index.ts'
import { availableResources } from '../src/state.ts'
import { stats } from '../src/testing.ts'
import { collectGarbage, eventually, rejection, thrown, turn, withRuntime } from './support/with-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'actors-'))
test.after(() => rmSync(folder, { recursive: true }))

let files = 0
/** A file that counts what happened, whoever dies. */
const log = (): string => join(folder, `log-${files++}`)
const lines = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}

class Fragile {
  n = 0
  readonly file: string
  constructor(file: string) {
    this.file = file
    appendFileSync(file, 'made\n')
  }
  add(call: number, dies = false): number {
    appendFileSync(this.file, `${call}\n`)
    if (dies && lines(this.file).filter((line) => line === String(call)).length === 1) process.exit(7)
    this.n += 1
    return this.n
  }
  endless(): never {
    for (;;);
  }
  leave(): void {
    exitActor()
  }
  async leaveLater(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 5))
    exitActor()
  }
  async forever(): Promise<void> {
    await new Promise(() => {})
  }
  context(): boolean {
    return getRuntimeContext().wasRestarted
  }
}
const Remote = remote(Fragile)

const outcomes = async (refs: readonly ObjectRef<number>[]): Promise<(number | Error)[]> =>
  Promise.all(refs.map((ref) => get(ref).catch((error: unknown) => error as Error)))

test(
  'at most once: after a crash come errors, and a fresh state; no call runs twice',
  withRuntime({ numCpus: 1 }, async () => {
    const file = log()
    const actor = Remote.options({ maxRestarts: 1 }).remote(file)
    const all = await outcomes(Array.from({ length: 100 }, (_, k) => actor.add.remote(k, k === 50)))
    const first = all.slice(0, 50)
    assert.equal(
      first,
      first.map((_, k) => k + 1),
    )
    for (const error of all.slice(50)) assert.instance(error, ActorUnavailableError)
    await eventually('it is back', () => lines(file).filter((line) => line === 'made').length === 2)
    const after = await outcomes([100, 101, 102].map((k) => actor.add.remote(k)))
    assert.equal(after, [1, 2, 3])
    assert.is(await get(actor.context.remote()), true)
    const calls = lines(file).filter((line) => line !== 'made')
    assert.is(new Set(calls).size, calls.length, 'each at most once')
    // The second crash is one too many.
    assert.instance((await outcomes([actor.add.remote(200, true)]))[0], ActorDiedError)
    const dead = (await outcomes([actor.add.remote(201)]))[0] as ActorDiedError
    assert.is(dead.reason, 'crashed')
    assert.match(dead.message, /exit code 7/)
  }),
)

test(
  'at least once, in order: calls are made again, completed ones are not',
  withRuntime({ numCpus: 1 }, async () => {
    const file = log()
    const actor = Remote.options({ maxRestarts: -1, maxTaskRetries: -1 }).remote(file)
    const all = (await outcomes(Array.from({ length: 100 }, (_, k) => actor.add.remote(k, k === 30 || k === 60)))) as number[]
    const restart = all.indexOf(1, 1)
    assert.is(restart, 30)
    assert.equal(
      all.slice(0, 30),
      Array.from({ length: 30 }, (_, k) => k + 1),
    )
    assert.equal(
      all.slice(30, 60),
      Array.from({ length: 30 }, (_, k) => k + 1),
    )
    assert.equal(
      all.slice(60),
      Array.from({ length: 40 }, (_, k) => k + 1),
    )
    const calls = lines(file).filter((line) => line !== 'made')
    assert.is(calls.length, 102)
  }),
)

test(
  'a constructor that crashes is run again, as often as it may be',
  withRuntime({ numCpus: 1 }, async () => {
    class Late {
      constructor(file: string) {
        appendFileSync(file, 'x\n')
        if (lines(file).length < 3) process.exit(1)
      }
      times(file: string): number {
        return lines(file).length
      }
    }
    const file = log()
    assert.is(await get(remote(Late).options({ maxRestarts: 3 }).remote(file).times.remote(file)), 3)
    const other = log()
    const error = await rejection(get(remote(Late).remote(other).times.remote(other)))
    assert.instance(error, ActorDiedError)
    assert.is(lines(other).length, 1)
  }),
)

test(
  'kill ends what runs for ever, what is queued, and what is made later; killed twice is killed once',
  withRuntime({ numCpus: 1 }, async () => {
    const file = log()
    const actor = Remote.remote(file)
    const refs = [actor.endless.remote(), actor.add.remote(1)]
    await eventually('it is made', () => lines(file).length === 1)
    kill(actor)
    kill(actor)
    for (const ref of [...refs, actor.add.remote(2)]) {
      const error = await rejection(get(ref as ObjectRef<number>))
      assert.instance(error, ActorDiedError)
      assert.instance(error, ActorError)
      assert.instance(error, MobulaError)
      assert.is(error.reason, 'killed')
    }
    assert.equal(lines(file), ['made'])
    assert.instance(
      thrown(() => kill('x' as never)),
      TypeError,
    )
    // The thread is replaced, and the runtime goes on.
    assert.is(await get(remote(() => 1).remote()), 1)
    assert.is(await get(Remote.remote(file).add.remote(3)), 1)
  }),
)

test(
  'kill with a restart makes it anew',
  withRuntime({ numCpus: 1 }, async () => {
    const file = log()
    const actor = Remote.options({ maxRestarts: 2, maxTaskRetries: 1 }).remote(file)
    assert.is(await get(actor.add.remote(1)), 1)
    const waiting = actor.forever.options({ maxTaskRetries: 0 }).remote()
    assert.is(await get(actor.add.remote(2)), 2)
    kill(actor, { noRestart: false })
    assert.instance(await rejection(get(waiting)), ActorUnavailableError)
    assert.is(await get(actor.add.remote(3)), 1)
    assert.is(await get(actor.context.remote()), true)
  }),
)

test(
  'an actor that exits takes its calls with it, and is not restarted',
  withRuntime({ numCpus: 1 }, async () => {
    for (const leave of ['leave', 'leaveLater'] as const) {
      const actor = Remote.options({ maxRestarts: 5 }).remote(log())
      const going = actor.forever.remote()
      const refs = [actor[leave].remote(), going]
      for (const ref of refs) assert.is((await rejection(get(ref))).reason, 'exited')
      assert.is((await rejection(get(actor.add.remote(1)))).reason, 'exited')
    }
    assert.match(thrown(() => exitActor()).message, /no actor runs this code/)
  }),
)

test(
  'a name is one: ten callers that race make one actor, a hundred times',
  withRuntime({ numCpus: 2 }, async () => {
    const file = log()
    const make = remote(async (path: string, name: string) => {
      const actor = Remote.options({ name, getIfExists: true }).remote(path)
      return get(actor.add.remote(0))
    })
    for (let round = 0; round < 20; round++) {
      const keeper = Remote.options({ name: `n${round}`, getIfExists: true }).remote(file)
      const sums = await get(Array.from({ length: 10 }, () => make.remote(file, `n${round}`)))
      assert.equal(
        [...sums].sort((a, b) => a - b),
        Array.from({ length: 10 }, (_, k) => k + 1),
      )
      kill(keeper)
    }
    assert.is(lines(file).filter((line) => line === 'made').length, 20)
    const again = Remote.options({ name: 'n0' }).remote(file)
    assert.is(await get(getActor<typeof Remote>('n0').add.remote(1)), 1)
    const error = thrown(() => Remote.options({ name: 'n0' }).remote(file))
    assert.is(error.code, 'ERR_ACTOR_NAME')
    const elsewhere = Remote.options({ name: 'n0', namespace: 'other' }).remote(file)
    assert.is(await get(elsewhere.add.remote(1)), 1)
    assert.is(await get(again.add.remote(1)), 2)
  }),
)

test(
  'a scoped actor ends when the last handle is gone, after its queued calls; a detached one does not',
  withRuntime({ numCpus: 2 }, async () => {
    const file = log()
    const leaves = remote(async (path: string) => {
      const actor = Remote.options({ name: 'scoped' }).remote(path)
      Remote.options({ name: 'detached', lifetime: 'detached' }).remote(path)
      return [actor.add.remote(1), actor.add.remote(2)]
    })
    const refs = await get(leaves.remote(file))
    assert.equal(await get(refs as ObjectRef<number>[]), [1, 2])
    await eventually('it is gone', () => {
      getSync(remote(() => globalThis.gc?.()).remote())
      try {
        getActor('scoped')
        return false
      } catch {
        return true
      }
    }).catch(() => {})
    assert.is(await get(getActor<typeof Remote>('detached').add.remote(3)), 1)
    kill(getActor('detached'))
  }),
)

test(
  '`await using` ends an actor at the end of the scope, after its calls',
  withRuntime({ numCpus: 1 }, async () => {
    const file = log()
    let last: ObjectRef<number> | undefined
    let kept: ActorHandle<Fragile> | undefined
    {
      await using actor = Remote.options({ name: 'short' }).remote(file)
      actor.add.remote(1)
      last = actor.add.remote(2)
      kept = actor
    }
    assert.is(await get(last), 2)
    assert.match(thrown(() => getActor('short')).message, /no living actor/)
    assert.instance(
      thrown(() => kept?.add.remote(3)),
      ActorDiedError,
    )
    // Another handle keeps it.
    const other = Remote.options({ name: 'kept' }).remote(file)
    {
      await using actor = getActor<typeof Remote>('kept')
      await get(actor.add.remote(4))
    }
    assert.is(await get(other.add.remote(5)), 2)
  }),
)

test(
  'resources are held while it lives, and are back on every way out',
  withRuntime({ numCpus: 2, numGpus: 1, resources: { db: 2 } }, async () => {
    const all = await availableResources()
    const Held = Remote.options({ numCpus: 1, numGpus: 1, resources: { db: 1 } })
    const ways: ((actor: ActorHandle<Fragile>) => unknown)[] = [
      (actor) => kill(actor),
      (actor) => get(actor.leave.remote()).catch(() => {}),
      (actor) => get(actor.add.remote(1, true)).catch(() => {}),
      (actor) => actor[Symbol.asyncDispose](),
    ]
    for (const way of ways) {
      const actor = Held.remote(log())
      await get(actor.context.remote())
      assert.equal({ ...(await availableResources()) }, { ...all, CPU: 1, GPU: 0, db: 1 })
      // Another waits for the GPU until this one is gone.
      const next = Held.remote(log())
      const later = next.context.remote()
      await way(actor)
      assert.is(await get(later), false)
      kill(next)
      let now = await availableResources()
      for (let k = 0; k < 500 && JSON.stringify(now) !== JSON.stringify(all); k++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        now = await availableResources()
      }
      assert.equal({ ...now }, { ...all })
    }
  }),
)

test(
  'what an actor keeps stays; when it is dead all of that goes',
  withRuntime({ numCpus: 1 }, async () => {
    class Keeper {
      readonly refs: ObjectRef<Uint8Array>[] = []
      keep({ ref }: { ref: ObjectRef<Uint8Array> }): number {
        this.refs.push(ref)
        return this.refs.length
      }
      async sum(): Promise<number> {
        return (await get(this.refs)).reduce((sum, bytes) => sum + bytes.length, 0)
      }
    }
    const keeper = remote(Keeper).remote()
    for (let k = 0; k < 3; k++) {
      using ref = put(new Uint8Array(100_000))
      await get(keeper.keep.remote({ ref }))
    }
    collectGarbage()
    await turn()
    assert.is(await get(keeper.sum.remote()), 300_000)
    assert.ok((figures().storeObjects as number) >= 3)
    await eventually('views of them are gone', () => {
      collectGarbage()
      return true
    })
    kill(keeper)
    await eventually(
      () => `the store is empty: ${figures().storeObjects}`,
      () => {
        getSync(remote(() => 0).remote())
        collectGarbage()
        return figures().storeObjects === 0
      },
    )
  }),
)

test(
  'an actor that a function took along ends when nobody can call that any more',
  withRuntime({ numCpus: 1, resources: { seat: 1 } }, async () => {
    const use = async (): Promise<void> => {
      const actor = Remote.options({ resources: { seat: 1 } }).remote(log())
      assert.is(await get(remote(async () => get(actor.add.remote(1))).remote()), 1)
    }
    await use()
    // There is one seat.
    const next = Remote.options({ resources: { seat: 1 } }).remote(log())
    const waiting = next.add.remote(2)
    let isThere = false
    void get(waiting).then(() => {
      isThere = true
    })
    await eventually('the next has the seat', () => {
      collectGarbage()
      return isThere
    })
    assert.is((await stats()).tables.actors, 1)
  }),
)

test(
  'neighbours on one thread go with it, and say whose fault it was not; those that may come again',
  withRuntime({ numCpus: 1, maxWorkers: 2 }, async () => {
    // One thread for all actors.
    const file = log()
    const bad = Remote.remote(file)
    const good = Remote.remote(file)
    const again = Remote.options({ maxRestarts: 1, maxTaskRetries: 1 }).remote(file)
    await get([bad.add.remote(1), good.add.remote(2), again.add.remote(3)])
    assert.is((await rejection(get(bad.add.remote(4, true)))).reason, 'crashed')
    assert.is((await rejection(get(good.add.remote(5)))).reason, 'neighbour')
    assert.is(await get(again.add.remote(6)), 1)
  }),
)

test(
  'actors that wait for each other in a circle are told so',
  withRuntime({ numCpus: 1 }, async () => {
    class Peer {
      other: ActorHandle<Peer> | undefined
      meet(other: ActorHandle<Peer>): void {
        this.other = other
      }
      async ask(depth: number): Promise<number> {
        return depth === 0 ? 0 : 1 + (await get((this.other as ActorHandle<Peer>).ask.remote(depth - 1)))
      }
      askSync(depth: number): number {
        return depth === 0 ? 0 : 1 + getSync((this.other as ActorHandle<Peer>).askSync.remote(depth - 1))
      }
      ends(depth: number): Promise<number> | number {
        return this.ask(depth)
      }
    }
    const One = remote(Peer).options({ maxConcurrency: 1 })
    const [a, b] = [One.remote(), One.remote()]
    await get([a.meet.remote(b), b.meet.remote(a)])
    assert.is(await get(a.ask.remote(1)), 1)
    assert.is(await get(a.askSync.remote(1)), 1)
    const sync = await rejection(get(a.askSync.remote(2)))
    assert.instance(sync, DeadlockError)
    assert.match(sync.message, /Peer\.askSync/)
    const async = await rejection(get(a.ask.remote(2)))
    assert.instance(async, DeadlockError)
    assert.match(async.message, /'Peer\.ask', which waits for 'Peer\.ask'/)
    // Both go on.
    assert.is(await get(a.ask.remote(1)), 1)
    assert.is(await get(b.ask.remote(1)), 1)
    const Wide = remote(Peer).options({ maxConcurrency: 10 })
    const [c, d] = [Wide.remote(), Wide.remote()]
    await get([c.meet.remote(d), d.meet.remote(c)])
    assert.is(await get(c.ask.remote(5)), 5)
  }),
)

test(
  'an actor that blocks for one on the same thread is answered there; what needs its loop is a DeadlockError that says so',
  withRuntime({ numCpus: 1, maxWorkers: 2 }, async () => {
    class Peer {
      readonly depth: number
      next: ActorHandle<Peer> | undefined
      readonly seen: string[] = []
      constructor(depth = 0) {
        this.depth = depth
      }
      meet(next: ActorHandle<Peer>): void {
        this.next = next
      }
      note(what: string): readonly string[] {
        this.seen.push(what)
        return this.seen
      }
      ask(what: string): readonly string[] {
        const next = this.next as ActorHandle<Peer>
        next.note.remote('before')
        return getSync(next.note.remote(what))
      }
      chain(): number {
        return this.next === undefined ? this.depth : 1 + getSync(this.next.chain.remote())
      }
      make(): string {
        const made = Made.remote(7)
        return `${getSync(made.chain.remote())} ${getSync(made.thread.remote()) === this.thread()}`
      }
      thread(): string | undefined {
        return getRuntimeContext().workerId
      }
      throws(): string {
        const next = this.next as ActorHandle<Peer>
        try {
          return getSync(next.fail.remote())
        } catch (error) {
          return (error as Error).message
        }
      }
      fail(): string {
        throw new Error('on purpose')
      }
      async later(): Promise<number> {
        return this.depth
      }
      askLater(): number {
        return getSync((this.next as ActorHandle<Peer>).later.remote())
      }
      waits(): number {
        const first = (this.next as ActorHandle<Peer>).later.remote()
        return getSync((this.next as ActorHandle<Peer>).chain.remote()) + Number(first instanceof Object)
      }
    }
    const Made = remote(Peer).options({ maxConcurrency: 1 })
    const [a, b, c] = [Made.remote(), Made.remote(1), Made.remote(2)]
    await get([a.meet.remote(b), b.meet.remote(c)])
    const threads = await get([a, b, c].map((peer) => peer.thread.remote()))
    assert.is(new Set(threads).size, 1, 'they share a thread')
    assert.equal(await get(a.ask.remote('it')), ['before', 'it'])
    assert.is(await get(a.chain.remote()), 4)
    assert.is(await get(a.make.remote()), '7 true')
    assert.match(await get(a.throws.remote()), /on purpose/)
    const later = await rejection(get(a.askLater.remote()))
    assert.instance(later, DeadlockError)
    assert.match(later.message, /'Peer\.later' is async and lives on the same thread/)
    // As many calls as it may have go on, and need the loop.
    const waits = await rejection(get(b.waits.remote()))
    assert.instance(waits, DeadlockError)
    // Nothing is lost of either.
    assert.is(await get(b.chain.remote()), 3)
    assert.is(await get(b.later.remote()), 1)
  }),
)

test(
  'an actor and the tasks that it waits for go on with one CPU',
  withRuntime({ numCpus: 1 }, async () => {
    const square = remote((x: number) => x * x)
    class Boss {
      sync(x: number): number {
        return getSync(square.remote(x)) + getSync(square.remote(x + 1))
      }
      async async(x: number): Promise<number> {
        const [a, b] = await get([square.remote(x), square.remote(x + 1)])
        return a + b
      }
    }
    const boss = remote(Boss).remote()
    assert.equal(await get([boss.sync.remote(2), boss.async.remote(2)]), [13, 13])
    const deep = remote(async (actor: typeof boss) => get(actor.sync.remote(1)))
    assert.equal(await get([1, 2, 3, 4].map(() => deep.remote(boss))), [5, 5, 5, 5])
  }),
)

test(
  'a task may block for an actor however long that takes, though no more threads can be had',
  withRuntime({ numCpus: 1, maxWorkers: 2 }, async () => {
    class Slow {
      spins(ms: number): number {
        const end = Date.now() + ms
        while (Date.now() < end);
        return ms
      }
      async waits(ms: number): Promise<number> {
        await new Promise((resolve) => setTimeout(resolve, ms))
        return ms
      }
    }
    const slow = remote(Slow).remote()
    // Longer than it takes to find that workers wait for each other.
    for (const how of ['spins', 'waits'] as const) {
      const blocks = remote((actor: typeof slow) => getSync(actor[how].remote(1000)))
      assert.is(await get(blocks.remote(slow)), 1000)
    }
  }),
)

test(
  'ten thousand calls settle, whatever happens to the actor meanwhile',
  withRuntime({ numCpus: 1 }, async () => {
    const actor = Remote.options({ maxRestarts: 3, maxTaskRetries: 2 }).remote(log())
    const refs = Array.from({ length: 10_000 }, (_, k) => actor.context.options({ maxTaskRetries: k % 3 }).remote())
    await get(refs[100] as ObjectRef<boolean>)
    kill(actor, { noRestart: false })
    const settled = await Promise.allSettled(refs.map((ref) => get(ref)))
    for (const one of settled) if (one.status === 'rejected') assert.instance(one.reason, ActorUnavailableError)
    assert.ok(settled.some((one) => one.status === 'fulfilled'))
  }),
)

test.run()
