/** Actors: state, order, concurrency, what a handle is, and what bad input is told. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ActorDiedError,
  type ActorHandle,
  actorId,
  cancel,
  get,
  getActor,
  getRuntimeContext,
  getSync,
  PendingCallsLimitError,
  put,
  remote,
  ShutdownError,
  shutdown,
  TaskCancelledError,
  TaskTimeoutError,
  wait,
} from '../src/index.ts'
import type * as lowerCase from './fixtures/classes/lower-case.ts'
import { Point } from './fixtures/classes/shapes.ts'
import { eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'

class Counter {
  n: number
  constructor(n = 0) {
    this.n = n
  }
  add(k = 1): number {
    this.n += k
    return this.n
  }
  fail(text: string): never {
    throw new RangeError(text)
  }
  self(): ActorHandle<Counter> | undefined {
    return getRuntimeContext().actor as ActorHandle<Counter> | undefined
  }
  about(): readonly unknown[] {
    const { actorId: id, actorName, taskName, wasRestarted } = getRuntimeContext()
    return [id, actorName, taskName, wasRestarted]
  }
}
const Remote = remote(Counter)

/** A gate that others wait at: an actor, too. */
class Gate {
  readonly #open: Promise<void>
  #resolve: () => void = () => {}
  waiting = 0
  constructor() {
    this.#open = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }
  async wait(): Promise<string> {
    this.waiting += 1
    await this.#open
    return 'open'
  }
  async open(): Promise<number> {
    this.#resolve()
    return this.waiting
  }
  async waiters(): Promise<number> {
    return this.waiting
  }
}
const RemoteGate = remote(Gate)

const until = async (gate: ActorHandle<Gate>, count: number): Promise<void> => {
  while ((await get(gate.waiters.remote())) < count) await new Promise((resolve) => setTimeout(resolve, 5))
}

test(
  'state is one, through every handle: passed, nested, put, captured, returned, by name',
  withRuntime({ numCpus: 2 }, async () => {
    const counter = Remote.options({ name: 'one' }).remote(10)
    assert.is(await get(counter.add.remote(5)), 15)
    const passed = remote(async (handle: ActorHandle<Counter>) => get(handle.add.remote()))
    assert.is(await get(passed.remote(counter)), 16)
    const nested = remote(async ({ list }: { list: ActorHandle<Counter>[] }) => get((list[0] as ActorHandle<Counter>).add.remote()))
    assert.is(await get(nested.remote({ list: [counter] })), 17)
    const kept = put({ counter })
    assert.is(await get((await get(kept)).counter.add.remote()), 18)
    const captured = remote(async () => get(counter.add.remote()))
    assert.is(await get(captured.remote()), 19)
    const back = await get(remote((handle: ActorHandle<Counter>) => handle).remote(counter))
    assert.is(await get(back.add.remote()), 20)
    assert.is(actorId(back), actorId(counter))
    assert.is(await get(getActor<typeof Remote>('one').add.remote()), 21)
    assert.is(getSync(counter.add.remote()), 22)
    const own = await get(counter.self.remote())
    assert.is(await get((own as ActorHandle<Counter>).add.remote()), 23)
    assert.equal(await get(counter.about.remote()), [actorId(counter), 'one', 'Counter.about', false])
  }),
)

test(
  'calls of one caller begin in order, whatever their arguments wait for; another caller is not held up',
  withRuntime({ numCpus: 2 }, async () => {
    const Log = remote(
      class Log {
        readonly seen: number[] = []
        note(k: number, _argument: unknown): number {
          this.seen.push(k)
          return k
        }
        all(): number[] {
          return this.seen
        }
      },
    )
    const gate = RemoteGate.remote()
    const log = Log.remote()
    const later = remote(async (wait: ActorHandle<Gate>) => get(wait.wait.remote()))
    const slow = later.remote(gate)
    const mine = [log.note.remote(0, slow), log.note.remote(1, 1), log.note.remote(2, slow), log.note.remote(3, 3)]
    const other = remote(async (handle: typeof log) => get(handle.note.remote(100, 1)))
    assert.is(await get(other.remote(log)), 100)
    await until(gate, 1)
    assert.equal((await wait(mine, { numReturns: 4, timeout: 0 }))[0], [])
    await get(gate.open.remote())
    assert.equal(await get(mine), [0, 1, 2, 3])
    assert.equal(await get(log.all.remote()), [100, 0, 1, 2, 3])
  }),
)

for (const kind of ['note', 'noteLater'] as const)
  test(
    `so they do where the module of an argument has to be imported first, on a thread that others share: ${kind}`,
    withRuntime({ numCpus: 1, maxWorkers: 1 }, async () => {
      class Seen {
        readonly seen: unknown[] = []
        note(value: unknown): number {
          return this.seen.push(value instanceof Object ? value.constructor.name : value)
        }
        async noteLater(value: unknown): Promise<number> {
          return this.note(value)
        }
        all(): unknown[] {
          return this.seen
        }
      }
      const RemoteSeen = remote(Seen)
      const actors = [RemoteSeen.remote(), RemoteSeen.remote()] as const
      await get(actors.map((actor) => actor[kind].remote(0)))
      const first = actors[0][kind].remote(new Point(1, 2))
      const behind = Array.from({ length: 20 }, (_, k) => actors.map((actor) => actor[kind].remote(1 + k))).flat()
      await get([first, ...behind])
      const counted = Array.from({ length: 20 }, (_, k) => 1 + k)
      assert.equal(await get(actors.map((actor) => actor.all.remote())), [
        [0, 'Point', ...counted],
        [0, ...counted],
      ])
    }),
  )

test(
  'allowOutOfOrder lets what is ready pass',
  withRuntime({ numCpus: 2 }, async () => {
    const Echo = remote(
      class Echo {
        of(k: number, _argument: unknown): number {
          return k
        }
      },
    )
    const gate = RemoteGate.remote()
    const echo = Echo.options({ allowOutOfOrder: true }).remote()
    const slow = echo.of.remote(0, remote(async (wait: ActorHandle<Gate>) => get(wait.wait.remote())).remote(gate))
    assert.is(await get(echo.of.remote(1, 1)), 1)
    await get(gate.open.remote())
    assert.is(await get(slow), 0)
  }),
)

test(
  'async methods interleave, as many as maxConcurrency says',
  withRuntime({ numCpus: 1 }, async () => {
    const gate = RemoteGate.remote()
    const waits = [1, 2, 3].map(() => gate.wait.remote())
    await until(gate, 3)
    assert.is(await get(gate.open.remote()), 3)
    assert.equal(await get(waits), ['open', 'open', 'open'])

    class Crowd {
      inside = 0
      most = 0
      async visit(): Promise<number> {
        this.inside += 1
        this.most = Math.max(this.most, this.inside)
        await new Promise((resolve) => setTimeout(resolve, 1))
        this.inside -= 1
        return this.most
      }
    }
    for (const limit of [1, 3]) {
      const crowd = remote(Crowd).options({ maxConcurrency: limit }).remote()
      const most = await get(Array.from({ length: 100 }, () => crowd.visit.remote()))
      assert.is(Math.max(...most), limit)
    }
  }),
)

test(
  'groups of methods have limits of their own; a call may name another',
  withRuntime({ numCpus: 2 }, async () => {
    class Mixed {
      static readonly methods = { read: { concurrencyGroup: 'io' } }
      async hold(gate: ActorHandle<Gate>): Promise<string> {
        return get(gate.wait.remote())
      }
      async read(): Promise<string> {
        return 'read'
      }
      async compute(): Promise<string> {
        return 'computed'
      }
    }
    const Groups = remote(Mixed, { concurrencyGroups: { io: 2, compute: 4 }, maxConcurrency: 1 })
    const gate = RemoteGate.remote()
    const mixed = Groups.remote()
    const held = mixed.hold.remote(gate)
    const queued = mixed.compute.remote()
    await until(gate, 1)
    assert.is(await get(mixed.read.remote()), 'read')
    assert.is(await get(mixed.compute.options({ concurrencyGroup: 'compute' }).remote()), 'computed')
    assert.equal((await wait([queued], { timeout: 0 }))[0], [])
    await get(gate.open.remote())
    assert.is(await get(held), 'open')
    assert.is(await get(queued), 'computed')
    const error = thrown(() => mixed.read.options({ concurrencyGroup: 'oi' }))
    assert.instance(error, RangeError)
    assert.match(error.message, /no concurrency group 'oi'; did you mean 'io'/)
  }),
)

test(
  'a call that throws rejects as a task does, and the actor goes on',
  withRuntime({ numCpus: 1 }, async () => {
    const counter = Remote.remote(1)
    const error = await rejection(get(counter.fail.remote('no')))
    assert.instance(error, RangeError)
    assert.is(error.message, 'no')
    assert.is(error.taskName, 'Counter.fail')
    assert.match(error.stack ?? '', /actors\.test\.ts:\d+/)
    assert.is(await get(counter.add.remote()), 2)
  }),
)

test(
  'classes with inheritance, private members, statics, accessors, and functions in fields',
  withRuntime({ numCpus: 1 }, async () => {
    class Base {
      readonly #secret: number
      static count = 41
      constructor(secret: number) {
        this.#secret = secret
      }
      secret(): number {
        return this.#secret
      }
      get shown(): string {
        return 'accessor'
      }
      over(): string {
        return 'base'
      }
    }
    class Derived extends Base {
      readonly field = (k: number): number => k * this.secret()
      late?: () => string
      constructor(secret: number) {
        super(secret)
        this.late = () => 'late'
      }
      override over(): string {
        return `derived of ${super.over()}`
      }
      statics(): number {
        return Base.count + 1
      }
    }
    const actor = remote(Derived).remote(7)
    assert.is(await get(actor.secret.remote()), 7)
    assert.is(await get(actor.over.remote()), 'derived of base')
    assert.is(await get(actor.field.remote(3)), 21)
    assert.is(await get(actor.statics.remote()), 42)
    const loose = actor as unknown as Record<string, { remote(): never }>
    assert.is(await get(loose.late?.remote() as never), 'late')
    // An accessor is no method.
    assert.match(thrown(() => loose.shown?.remote()).message, /no method 'shown'/)
  }),
)

test(
  'static methods say how many objects a call returns, how long it may take, and more; a call may say otherwise',
  withRuntime({ numCpus: 1 }, async () => {
    class Divider {
      static readonly methods = { divide: { numReturns: 2 }, endless: { timeout: 50, name: 'never' } } as const
      divide(a: number, b: number): [number, number] {
        return [Math.floor(a / b), a % b]
      }
      async endless(): Promise<never> {
        return new Promise(() => {})
      }
    }
    const divider = remote(Divider).remote()
    const [quotient, rest] = divider.divide.remote(17, 5)
    assert.equal(await get([quotient, rest]), [3, 2])
    assert.equal(await get(divider.divide.options({ numReturns: 1 }).remote(17, 5)), [3, 2])
    const error = await rejection(get(divider.endless.remote()))
    assert.instance(error, TaskTimeoutError)
    assert.match(error.message, /'never'/)
    // The thread is not stopped on its account.
    assert.equal(await get(divider.divide.options({ numReturns: 1 }).remote(4, 2)), [2, 0])
  }),
)

test(
  'what waits for a constructor waits; one that throws fails each call with its cause',
  withRuntime({ numCpus: 2 }, async () => {
    const gate = RemoteGate.remote()
    const argument = remote(async (wait: ActorHandle<Gate>) => (await get(wait.wait.remote())).length).remote(gate)
    const counter = Remote.remote(argument)
    const first = counter.add.remote(1)
    await until(gate, 1)
    assert.equal((await wait([first], { timeout: 0 }))[0], [])
    await get(gate.open.remote())
    assert.is(await get(first), 5)

    class Broken {
      constructor(text: string) {
        throw new TypeError(text)
      }
      f(): void {}
    }
    const broken = remote(Broken).remote('never there')
    for (const ref of [broken.f.remote(), broken.f.remote()]) {
      const error = await rejection(get(ref))
      assert.instance(error, ActorDiedError)
      assert.is(error.reason, 'constructor')
      assert.instance(error.cause, TypeError)
      assert.match(error.message, /its constructor threw TypeError: never there/)
    }
    const failed = Remote.remote(
      remote((): number => {
        throw new RangeError('upstream')
      }).remote(),
    )
    assert.match((await rejection(get(failed.add.remote()))).message, /upstream/)
  }),
)

test(
  'calls are cancelled while they are queued and while they go on; force is refused',
  withRuntime({ numCpus: 1 }, async () => {
    class Waiter {
      calls = 0
      async wait(): Promise<void> {
        this.calls += 1
        const { signal } = getRuntimeContext()
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      async count(): Promise<number> {
        return this.calls
      }
    }
    const waiter = remote(Waiter)
      .options({ maxConcurrency: 1, concurrencyGroups: { other: 1 } })
      .remote()
    const running = waiter.wait.remote()
    const queued = waiter.wait.remote()
    const count = waiter.count.options({ concurrencyGroup: 'other' })
    await eventually('it runs', () => getSync(count.remote()) === 1)
    const error = thrown(() => cancel(queued, { force: true }))
    assert.instance(error, TypeError)
    assert.match(error.message, /^options\.force/)
    cancel(queued)
    assert.instance(await rejection(get(queued)), TaskCancelledError)
    cancel(running)
    assert.instance(await rejection(get(running)), TaskCancelledError)
    await eventually('its code has ended', () => getSync(count.remote()) === 1)
    const last = waiter.count.remote()
    assert.is(await get(last), 1)
  }),
)

test(
  'maxPendingCalls refuses the call that is one too many, and takes more when some have ended',
  withRuntime({ numCpus: 2 }, async () => {
    class Slow {
      async wait(gate: ActorHandle<Gate>): Promise<string> {
        return get(gate.wait.remote())
      }
    }
    const gate = RemoteGate.remote()
    const slow = remote(Slow).options({ maxPendingCalls: 10 }).remote()
    const refs = Array.from({ length: 10 }, () => slow.wait.remote(gate))
    const error = thrown(() => slow.wait.remote(gate))
    assert.instance(error, PendingCallsLimitError)
    assert.match(error.message, /maxPendingCalls/)
    await get(gate.open.remote())
    await get(refs)
    assert.is(await get(slow.wait.remote(gate)), 'open')
  }),
)

test(
  'two thousand light actors share a bounded number of threads',
  withRuntime({ numCpus: 2, maxWorkers: 4 }, async () => {
    const actors = Array.from({ length: 2000 }, (_, k) => Remote.remote(k))
    const sums = await get(actors.map((actor) => actor.add.remote(1)))
    assert.equal(
      sums,
      actors.map((_, k) => k + 1),
    )
  }),
)

const bad = [
  ['unknown method', (h: ActorHandle<Counter>) => (h as never as { ad: { remote(): void } }).ad.remote(), TypeError, /no method 'ad'; did you mean 'add'/],
  ['unknown method of no likeness', (h) => (h as never as { zzzzzz: { remote(): void } }).zzzzzz.remote(), TypeError, /no method 'zzzzzz'; it has add, fail/],
  ['unknown option of a call', (h) => h.add.options({ timout: 1 } as never), TypeError, /did you mean 'timeout'/],
  ['later option of a call', (h) => h.add.options({ numReturns: -1 }), RangeError, /^options\.numReturns/],
  ['unknown option', () => Remote.options({ maxRestart: 1 } as never), TypeError, /did you mean 'maxRestarts'/],
  ['maxRestarts below -1', () => Remote.options({ maxRestarts: -2 }), RangeError, /^options\.maxRestarts/],
  ['maxTaskRetries NaN', () => Remote.options({ maxTaskRetries: Number.NaN }), RangeError, /^options\.maxTaskRetries/],
  ['maxConcurrency 0', () => Remote.options({ maxConcurrency: 0 }), RangeError, /^options\.maxConcurrency/],
  ['maxPendingCalls 0', () => Remote.options({ maxPendingCalls: 0 }), RangeError, /^options\.maxPendingCalls/],
  ['a group of 0', () => Remote.options({ concurrencyGroups: { io: 0 } }), RangeError, /^options\.concurrencyGroups\.io/],
  ['groups a list', () => Remote.options({ concurrencyGroups: [] as never }), TypeError, /^options\.concurrencyGroups/],
  ['numCpus negative', () => Remote.options({ numCpus: -1 }), RangeError, /^options\.numCpus/],
  ['lifetime', () => Remote.options({ lifetime: 'eternal' as never }), RangeError, /^options\.lifetime: expected 'scoped' or 'detached'/],
  ['name empty', () => Remote.options({ name: '' }), RangeError, /^options\.name/],
  ['name no string', () => Remote.options({ name: 1 as never }), TypeError, /^options\.name/],
  ['getIfExists without a name', () => Remote.options({ getIfExists: true }).remote(), TypeError, /^options\.name/],
  ['getActor of nothing', () => getActor('nobody'), Error, /no living actor is named 'nobody'/],
  ['getActor empty', () => getActor(''), RangeError, /^name/],
  ['getActor no string', () => getActor(1 as never), TypeError, /^name/],
  ['actorId of no handle', () => actorId({} as never), TypeError, /^actor: expected a handle/],
  ['get of a handle', (h) => get(h as never), TypeError, /^ref: expected an ObjectRef/],
  ['an argument that cannot travel', (h) => (h.add as never as { remote(a: unknown): void }).remote(new WeakMap()), Error, /args\[0\]/],
] as readonly (readonly [string, (handle: ActorHandle<Counter>) => unknown, new (...args: never[]) => Error, RegExp])[]

test(
  'bad input is a synchronous error that names it, and the actor goes on',
  withRuntime({ numCpus: 1 }, async () => {
    const counter = Remote.remote(0)
    let n = 0
    for (const [what, act, class_, message] of bad) {
      const error = thrown(() => act(counter))
      assert.instance(error, class_, `${what}: ${error.name} ${error.message}`)
      assert.match(error.message, message, what)
      assert.is(await get(counter.add.remote()), ++n, what)
    }
  }),
)

class Twin {
  n = 0
  add(k: number): number {
    this.n += k
    return this.n
  }
  another(): Promise<number> {
    return get(RemoteTwin.remote().add.remote(7))
  }
}
const RemoteTwin = remote(Twin)

for (const runtime of ['one runtime', 'the next'])
  test(
    `a remote class is captured by tasks, and by its own methods, in ${runtime}`,
    withRuntime({ numCpus: 2 }, async () => {
      assert.is(await get(RemoteTwin.remote().another.remote()), 7)
      assert.is(await get(remote(async (k: number) => get(RemoteTwin.remote().add.remote(k))).remote(3)), 3)
    }),
  )

test(
  'an actor that a task waits for has a thread, though the thread of the task is free for others',
  withRuntime({ numCpus: 2 }, async () => {
    const twins = remote(async () => get(RemoteTwin.remote().another.remote()))
    assert.equal(await get([1, 2, 3, 4].map(() => twins.remote())), [7, 7, 7, 7])
  }),
)

test(
  'remote.module knows a class by its declaration, also where another file passes it on',
  withRuntime({ numCpus: 1, maxWorkers: 3 }, async () => {
    for (const [file, name] of [
      ['lower-case', 'counter'],
      ['passed-on', 'counter'],
      ['passed-on', 'imported'],
    ] as const) {
      const made = remote.module<typeof lowerCase.counter>(new URL(`./fixtures/classes/${file}.ts`, import.meta.url), name).remote()
      assert.equal(await get([made.add.remote(1), made.add.remote(2)]), [1, 3], `${file} ${name}`)
    }
    for (const [file, name, is] of [
      ['lower-case', 'default', 'default'],
      ['lower-case', 'renamed', 'inner'],
      ['passed-on', 'renamed', 'inner'],
      ['passed-on', 'nameless', 'default'],
    ] as const) {
      const made = remote.module<typeof lowerCase.default>(new URL(`./fixtures/classes/${file}.ts`, import.meta.url), name).remote()
      assert.is(await get(made.name.remote()), is, `${file} ${name}`)
    }
    const twice = remote.module<typeof lowerCase.twice>(new URL('./fixtures/classes/passed-on.ts', import.meta.url), 'twice')
    assert.is(await get(twice.remote(2)), 4, 'a function is one')
  }),
)

test('a class that cannot ship says which variable it uses', async () => {
  const socket = new WeakMap()
  class Uses {
    has(): boolean {
      return socket.has({})
    }
  }
  await withRuntime({ numCpus: 1 }, () => {
    const error = thrown(() => remote(Uses).remote())
    assert.is(error.name, 'CaptureError')
    assert.match(error.message, /Uses/)
    assert.match(error.message, /socket/)
  })()
})

test('a handle is no promise, shows what it is, and says so when its runtime is gone', async () => {
  let kept: ActorHandle<Counter> | undefined
  await withRuntime({ numCpus: 1 }, async () => {
    kept = Remote.remote(3)
    assert.is(await kept, kept)
    assert.match(String((await import('node:util')).inspect(kept)), /^ActorHandle\(Counter, [0-9a-f]{32}\)$/)
    assert.is(await get(kept.add.remote()), 4)
    await shutdown()
  })()
  assert.instance(
    thrown(() => kept?.add.remote()),
    ShutdownError,
  )
})

test.run()
