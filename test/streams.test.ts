/** Generators: items come in order while the producer goes on, never more than there is room for, and nothing is left behind. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import {
  ActorDiedError,
  ActorUnavailableError,
  asCompleted,
  cancel,
  get,
  kill,
  type ObjectRef,
  type ObjectRefGenerator,
  put,
  remote,
  SerializationError,
  ShutdownError,
  shutdown,
  TaskCancelledError,
  TaskTimeoutError,
  WorkerCrashedError,
  wait,
} from '../src/index.ts'
import { BEGUN, note, OPEN } from './fixtures/tasks/shared.ts'
import * as streams from './fixtures/tasks/streams.ts'
import { isOver, next, noted, notes, rest, upTo } from './support/take-streams.ts'
import { collectGarbage, eventually, rejection, thrown, turn, withRuntime } from './support/with-runtime.ts'
import { open, withWords } from './support/with-words.ts'

const file = new URL('./fixtures/tasks/streams.ts', import.meta.url)
const counts = remote(streams.counts)
const countsLater = remote(streams.countsLater)

/** Everything that ran on the only worker of a runtime has had its turn. */
const idle = remote(async (): Promise<void> => {
  for (let k = 0; k < 3; k++) await new Promise((resolve) => setImmediate(resolve))
})

for (const [kind, fn] of [
  ['sync', counts],
  ['async', countsLater],
] as const) {
  test(
    `${kind}: items in order, then the end, again and again; completed() has what the generator returned`,
    withWords({ numCpus: 1 }, async () => {
      const stream = fn.remote(100)
      const completed = stream.completed()
      assert.equal(await rest(stream), upTo(100))
      await isOver(stream)
      assert.is(await get(completed), 'all')
      assert.is(await get(stream.completed()), 'all')
      const empty = fn.remote(0)
      await isOver(empty)
      assert.is(await get(empty.completed()), 'all')
    }),
  )

  test(
    `${kind}: the producer is never more than its room ahead, and one taken item admits one`,
    withWords({ numCpus: 1, maxWorkers: 1 }, async (words) => {
      for (const room of [1, 2, 5]) {
        words.fill(0)
        const stream = fn.options({ backpressure: room }).remote(100)
        for (let taken = 0; taken < 5; taken++) {
          await notes(words, upTo(room + taken))
          // The thread is free, and the producer does not go on.
          await get(idle.remote())
          await wait([stream])
          await get(idle.remote())
          assert.equal(noted(words), upTo(room + taken))
          assert.is(await get(await next(stream)), taken)
        }
        await notes(words, upTo(room + 5))
        await stream.return()
        await notes(words, [...upTo(room + 5), -1])
      }
    }),
  )

  test(
    `${kind}: leaving the loop cancels the producer, whose finally blocks run`,
    withWords({ numCpus: 1 }, async (words) => {
      const stream = fn.options({ backpressure: 2 }).remote(100)
      for await (const ref of stream) if ((await get(ref)) === 3) break
      await isOver(stream)
      await eventually('the producer is closed', () => noted(words).at(-1) === -1)
      assert.instance(await rejection(get(stream.completed())), TaskCancelledError)
    }),
  )

  test(
    `${kind}: cancel rejects the next ref and completed(), and lets go of what was yielded`,
    withWords({ numCpus: 1 }, async (words) => {
      for (const how of ['stream', 'completed', 'signal'] as const) {
        words.fill(0)
        const controller = new AbortController()
        const stream = fn.options({ backpressure: 3, signal: controller.signal }).remote(100)
        await notes(words, [0, 1, 2])
        if (how === 'stream') cancel(stream)
        else if (how === 'completed') cancel(stream.completed())
        else controller.abort()
        assert.instance(await rejection(get(await next(stream))), TaskCancelledError)
        await isOver(stream)
        assert.instance(await rejection(get(stream.completed())), TaskCancelledError)
        await notes(words, [0, 1, 2, -1])
      }
    }),
  )

  test(
    `${kind}: a stream that is forgotten is cancelled when it is collected`,
    withWords({ numCpus: 1 }, async (words) => {
      const begin = (): void => {
        fn.options({ backpressure: 1 }).remote(100)
      }
      begin()
      await notes(words, [0])
      await eventually('the producer is closed', () => {
        collectGarbage()
        return noted(words).at(-1) === -1
      })
    }),
  )
}

test(
  'a stream that somebody waits for is not forgotten',
  withWords({ numCpus: 1 }, async (words) => {
    const first = (): Promise<IteratorResult<ObjectRef<number>>> => {
      const stream = remote(streams.oneAndWaits).remote()
      return stream.next().then(() => stream.next())
    }
    const second = first()
    for (let k = 0; k < 3; k++) {
      collectGarbage()
      await turn()
    }
    open(words)
    assert.is(await get((await second).value as ObjectRef<number>), 2)
  }),
)

for (const [kind, fn] of [
  ['keeps its thread', streams.oneAndStays],
  ['waits', streams.oneAndWaits],
] as const) {
  test(
    `an item is there while the producer ${kind}`,
    withWords({ numCpus: 1 }, async (words) => {
      const stream = remote(fn as () => Generator<number>).remote()
      assert.is(await get(await next(stream)), 1)
      assert.is(words[OPEN], 0)
      open(words)
      assert.equal(await rest(stream), [2])
    }),
  )
}

test(
  'what comes before an error can be had, then one ref rejects with it, then there is nothing',
  withRuntime({ numCpus: 1 }, async () => {
    const fails = remote(function* () {
      yield 1
      yield 2
      throw new RangeError('boom')
    })
    const stream = fails.remote()
    // All of it is there before anything is asked for.
    assert.match((await rejection(get(stream.completed()))).message, /boom/)
    assert.is(await get(await next(stream)), 1)
    assert.is(await get(await next(stream)), 2)
    const error = await rejection(get(await next(stream)))
    assert.instance(error, RangeError)
    assert.is(error['taskCode'], 'ERR_TASK')
    await isOver(stream)
  }),
)

test(
  'an item that cannot be kept ends the stream with an error that names it, and closes the generator',
  withWords({ numCpus: 1 }, async (words) => {
    const stream = remote(function* () {
      try {
        yield 1
        yield { bad: new WeakMap() }
      } finally {
        note(5)
      }
    }).remote()
    assert.is(await get(await next(stream)), 1)
    const error = await rejection(get(await next(stream)))
    assert.instance(error, SerializationError)
    assert.match(error.message, /item 1\.bad is a WeakMap/)
    await isOver(stream)
    await notes(words, [5])
  }),
)

for (const how of ['throws', 'exits'] as const) {
  test(
    `a run that ${how} is tried again, and no item comes twice`,
    withWords({ numCpus: 1 }, async (words) => {
      const fails = remote(streams.failsUntil)
      const options = how === 'throws' ? { retryExceptions: true, maxRetries: 3 } : { maxRetries: 3 }
      assert.equal(await rest(fails.options(options).remote(2, how)), [1, 2, 3])
      assert.is(words[BEGUN], 9)
      words.fill(0)
      const stream = fails.options({ ...options, backpressure: 1 }).remote(4, how)
      for (const k of [1, 2]) assert.is(await get(await next(stream)), k)
      const error = await rejection(get(await next(stream)))
      assert.instance(error, how === 'throws' ? RangeError : WorkerCrashedError)
      await isOver(stream)
      assert.is(words[BEGUN], 12)
    }),
  )
}

test(
  'concurrent calls of next get distinct refs in order, and the end',
  withWords({ numCpus: 1 }, async () => {
    const stream = countsLater.remote(3)
    const results = await Promise.all(upTo(5).map(() => stream.next()))
    assert.equal(
      results.map(({ done }) => done),
      [false, false, false, true, true],
    )
    const refs = results.slice(0, 3).map(({ value }) => value as ObjectRef<number>)
    assert.equal(await get(refs), [0, 1, 2])
    assert.is(new Set(refs.map(({ id }) => id)).size, 3)
  }),
)

test(
  'wait and asCompleted take streams: ready when the next item or the end is there, and it is not taken',
  withWords({ numCpus: 2 }, async (words) => {
    const stream = remote(streams.oneAndWaits).remote()
    const never = remote(async () => new Promise<never>(() => {})).remote()
    assert.equal(await wait([never, stream]), [[stream], [never]])
    assert.equal(await wait([stream]), [[stream], []])
    assert.is(await get(await next(stream)), 1)
    assert.equal(await wait([stream], { timeout: 0 }), [[], [stream]])
    open(words)
    for await (const ready of asCompleted([never, stream])) {
      assert.is(ready, stream)
      break
    }
    assert.is(await get(await next(stream)), 2)
    assert.equal(await wait([stream]), [[stream], []])
    await isOver(stream)
    assert.equal(await wait([stream]), [[stream], []])
    assert.match(thrown(() => wait([stream, stream])).message, /distinct/)
    cancel(never)
  }),
)

test(
  'a stream is no ref, no argument and no value, and all of them say what to do',
  withRuntime({ numCpus: 1 }, async () => {
    const stream = counts.remote(1)
    const echo = remote((x: unknown) => x)
    assert.match(thrown(() => get(stream as never)).message, /^ref: expected an ObjectRef \(of a stream, those that `for await` gives/)
    assert.instance(
      thrown(() => get(stream as never)),
      TypeError,
    )
    for (const act of [() => echo.remote(stream), () => put({ stream })]) {
      const error = thrown(act)
      assert.instance(error, SerializationError)
      assert.match(error.message, /is a stream of refs, which belongs to the thread that made the call; pass refs that it gives/)
    }
    await stream.return()
  }),
)

test(
  'numReturns: 0 runs it to its end; rooms that are none are refused',
  withWords({ numCpus: 1 }, async (words) => {
    assert.is(counts.options({ numReturns: 0 }).remote(40), undefined)
    await notes(words, [...upTo(40), -1])
    for (const room of [0, -1, Number.NaN, 1.5]) assert.match(thrown(() => counts.options({ backpressure: room })).message, /^options\.backpressure/)
    assert.match(thrown(() => counts.options({ backpressure: '1' } as never)).message, /^options\.backpressure: expected a number/)
  }),
)

test(
  'numReturns n: so many refs, which settle one by one; too few items fail those that are left, and more are not asked for',
  withWords({ numCpus: 2 }, async (words) => {
    const [one, two] = remote(streams.oneAndWaits).options({ numReturns: 2 }).remote()
    assert.is(await get(one as ObjectRef<number>), 1)
    assert.equal(await wait([two as ObjectRef<number>], { timeout: 0 }), [[], [two]])
    open(words)
    assert.is(await get(two as ObjectRef<number>), 2)
    const three = counts.options({ numReturns: 3 })
    const [zero, , last] = three.remote(2)
    assert.is(await get(zero as ObjectRef<number>), 0)
    const error = await rejection(get(last as ObjectRef<number>))
    assert.instance(error, TypeError)
    assert.match(error.message, /with numReturns 3 the generator yields 3 items, and it yielded 2/)
    assert.equal(await get(three.remote(100)), [0, 1, 2])
    await eventually('both generators are closed', () => noted(words).filter((note) => note === -1).length === 2)
    const fails = remote(streams.failsUntil).options({ numReturns: 3, maxRetries: 0 }).remote(1, 'exits')
    assert.equal(await get(fails.slice(0, 2)), [1, 2])
    assert.instance(await rejection(get(fails[2] as ObjectRef<number>)), WorkerCrashedError)
    assert.equal(await get(remote(streams.failsUntil).options({ numReturns: 3 }).remote(2, 'exits')), [1, 2, 3])
    const cancelled = remote(streams.oneAndWaits).options({ numReturns: 2 })
    words[OPEN] = 0
    const [first, second] = cancelled.remote()
    assert.is(await get(first as ObjectRef<number>), 1)
    cancel(second as ObjectRef<number>)
    assert.instance(await rejection(get(second as ObjectRef<number>)), TaskCancelledError)
    open(words)
  }),
)

test(
  'functions that remote.module names, and those that other threads call',
  withWords({ numCpus: 2 }, async () => {
    const named = remote.module<typeof streams.counts>(file, 'counts')
    assert.equal(await rest(named.remote(10)), upTo(10))
    assert.equal(await rest(remote.module<typeof streams.squares>(file, 'squares').options({ backpressure: 3 }).remote(5)), [0, 1, 4, 9, 16])
    // Nobody can tell this one.
    const hidden = remote.module<typeof streams.hidden>(file, 'hidden')
    assert.equal(await rest(hidden.options({ backpressure: 1 }).remote(3) as unknown as ObjectRefGenerator<number>), [0, 1, 2])
    const error = await rejection(get(hidden.remote(3) as unknown as ObjectRef<never>))
    assert.match(error.message, /task 'hidden': it returned a running generator, which does not travel; declare it as function\*/)
    const sum = remote(async (to: number) => {
      let total = 0
      for await (const ref of counts.remote(to)) total += await get(ref)
      return total
    })
    assert.is(await get(sum.remote(100)), 4950)
  }),
)

test(
  'a chain of generators flows',
  withWords({ numCpus: 2 }, async () => {
    const first = remote(function* (count: number) {
      for (let k = 0; k < count; k++) yield new Uint8Array(200_000).fill(k)
    })
    const second = remote(async function* (count: number) {
      for await (const ref of first.options({ backpressure: 2 }).remote(count)) yield await get(ref)
    })
    const third = remote(async function* (count: number) {
      for await (const ref of second.options({ backpressure: 2 }).remote(count)) yield (await get(ref))[0] as number
    })
    assert.equal(await rest(third.remote(50)), upTo(50))
  }),
)

test(
  'what is cancelled inside of its wait is closed there',
  withWords({ numCpus: 1 }, async (words) => {
    const aborted = remote(streams.untilAborted).remote()
    assert.is(await get(await next(aborted)), 'untilAborted')
    const pending = aborted.next()
    cancel(aborted)
    assert.instance(await rejection(get((await pending).value as ObjectRef<string>)), TaskCancelledError)
    await notes(words, ['TaskCancelledError'.length])
    const never = remote(async () => new Promise<never>(() => {})).remote()
    const waiting = remote(streams.waitsFor).remote({ ref: never })
    assert.is(await get(await next(waiting)), 'first')
    await waiting.return()
    await notes(words, ['TaskCancelledError'.length, 7])
    cancel(never)
  }),
)

test(
  'a time limit is that of the whole run',
  withRuntime({ numCpus: 1 }, async () => {
    const endless = remote(
      async function* () {
        yield 1
        await new Promise(() => {})
      },
      { timeout: 100 },
    )
    const stream = endless.remote()
    assert.is(await get(await next(stream)), 1)
    assert.instance(await rejection(get(await next(stream))), TaskTimeoutError)
    await isOver(stream)
  }),
)

test(
  'a generator that never waits leaves the thread to others now and then',
  withWords({ numCpus: 1, maxWorkers: 1 }, async () => {
    const endless = remote(
      function* () {
        for (let k = 0; ; k++) yield k
      },
      { backpressure: 1_000_000_000 },
    )
    const stream = endless.remote()
    assert.is(await get(await next(stream)), 0)
    await get(idle.remote())
    await stream.return()
  }),
)

test(
  'many streams at once on few threads',
  withWords({ numCpus: 2, maxWorkers: 2 }, async () => {
    const all = upTo(40).map((k) => (k % 2 === 0 ? counts : countsLater).options({ backpressure: 2 }).remote(10))
    for (let k = 0; k < 10; k++) for (const stream of all) assert.is(await get(await next(stream)), k)
    for (const stream of all) await isOver(stream)
  }),
)

test(
  'large items flow through a store that could not hold all of them',
  withRuntime({ numCpus: 1, objectStoreMemory: 32 * 2 ** 20, spillDirectory: false }, async () => {
    const big = remote(
      function* () {
        for (let k = 0; k < 50; k++) yield new Uint8Array(4 * 2 ** 20).fill(k)
      },
      { backpressure: 2 },
    )
    let count = 0
    for await (const ref of big.remote()) {
      const bytes = await get(ref, { copy: true })
      assert.is(bytes[0], count++)
      ref[Symbol.dispose]()
    }
    assert.is(count, 50)
  }),
)

test(
  'nothing is left when streams have ended, however they did',
  withWords({ numCpus: 1 }, async () => {
    const slots = (): number => figures().slots as number
    const run = async (): Promise<void> => {
      await rest(counts.remote(20))
      for await (const ref of counts.remote(20)) if ((await get(ref)) === 4) break
      const cancelled = counts.remote(20)
      await next(cancelled)
      cancel(cancelled)
    }
    await run()
    const settled = async (): Promise<number> => {
      let before = -1
      await eventually('what is forgotten is gone', () => {
        collectGarbage()
        const now = slots()
        const stands = now === before
        before = now
        return stands
      })
      return before
    }
    const before = await settled()
    for (let k = 0; k < 10; k++) await run()
    await eventually(
      () => `${slots()} slots, and ${before} before`,
      () => {
        collectGarbage()
        return slots() <= before
      },
    )
  }),
)

test('after shutdown a stream says so', async () => {
  await withRuntime({ numCpus: 1 }, async () => {
    const stream = remote(streams.oneAndWaits).remote()
    await next(stream)
    const pending = rejection(stream.next())
    await shutdown()
    assert.instance(await pending, ShutdownError)
    assert.instance(await rejection(stream.next()), ShutdownError)
    await stream.return()
    await isOver(stream)
  })()
})

class Feed {
  static readonly methods = { few: { backpressure: 1 } }
  calls = 0;
  *many(to: number): Generator<number> {
    this.calls += 1
    for (let k = 0; k < to; k++) yield k
  }
  *few(): Generator<number> {
    for (let k = 0; k < 10; k++) {
      note(k)
      yield k
    }
  }
  total(): number {
    return this.calls
  }
}

class AsyncFeed {
  open = false
  async *gated(): AsyncGenerator<number> {
    yield 1
    while (!this.open) await new Promise((resolve) => setTimeout(resolve, 1))
    yield 2
  }
  async unlock(): Promise<void> {
    this.open = true
  }
}

test(
  'generator methods of actors: items in order, room as the class and the call say, and one after another',
  withWords({ numCpus: 1 }, async (words) => {
    const feed = remote(Feed).remote()
    assert.equal(await rest(feed.many.remote(50)), upTo(50))
    assert.is(await get(feed.total.remote()), 1)
    const few = feed.few.remote()
    await notes(words, [0])
    // It goes on, so that others have to wait.
    const total = feed.total.remote()
    const [ready] = await wait([total], { timeout: 50 })
    assert.is(ready.length, 0)
    assert.is(await get(await next(few)), 0)
    await notes(words, [0, 1])
    await few.return()
    assert.is(await get(total), 1)
    words.fill(0)
    const three = feed.few.options({ backpressure: 3 }).remote()
    await notes(words, [0, 1, 2])
    await three.return()
    assert.is(await get(feed.total.remote()), 1)
  }),
)

test(
  'async generator methods go on beside others',
  withRuntime({ numCpus: 1 }, async () => {
    const feed = remote(AsyncFeed).remote()
    const stream = feed.gated.remote()
    assert.is(await get(await next(stream)), 1)
    await get(feed.unlock.remote())
    assert.equal(await rest(stream), [2])
  }),
)

test(
  'a stream of an actor that is made anew goes on from where it was, if its calls are tried again',
  withRuntime({ numCpus: 1 }, async () => {
    class Numbers {
      *items(): Generator<number> {
        for (let k = 0; k < 4; k++) yield k
      }
    }
    const again = remote(Numbers, { maxRestarts: 1, maxTaskRetries: 1 }).remote()
    const goesOn = again.items.options({ backpressure: 1 }).remote()
    assert.is(await get(await next(goesOn)), 0)
    kill(again, { noRestart: false })
    assert.equal(await rest(goesOn), [1, 2, 3])
    const once = remote(Numbers, { maxRestarts: 1 }).remote()
    const stream = once.items.options({ backpressure: 1 }).remote()
    assert.is(await get(await next(stream)), 0)
    // The second is there, or on its way.
    await wait([stream])
    kill(once, { noRestart: false })
    assert.is(await get(await next(stream)), 1)
    assert.instance(await rejection(get(await next(stream))), ActorUnavailableError)
    await isOver(stream)
  }),
)

test(
  'a run that ends long after its instance was lost does not take the next run of the same call along',
  withWords({ numCpus: 1, maxWorkers: 1 }, async (words) => {
    class Slow {
      async *items(): AsyncGenerator<number> {
        try {
          for (let k = 0; k < 4; k++) yield k
        } finally {
          await new Promise((resolve) => setTimeout(resolve, 200))
          note(1)
        }
      }
    }
    const slow = remote(Slow, { maxRestarts: 1, maxTaskRetries: 1 }).remote()
    const stream = slow.items.options({ backpressure: 1 }).remote()
    assert.is(await get(await next(stream)), 0)
    kill(slow, { noRestart: false })
    assert.is(await get(await next(stream)), 1)
    // The second has no room now, and goes on when the first has ended.
    await notes(words, [1])
    await turn()
    assert.equal(await rest(stream), [2, 3])
  }),
)

test(
  'of an actor that is killed the next item rejects with that, and then there is nothing',
  withRuntime({ numCpus: 1 }, async () => {
    const feed = remote(AsyncFeed).remote()
    const stream = feed.gated.remote()
    assert.is(await get(await next(stream)), 1)
    const pending = stream.next()
    kill(feed)
    assert.instance(await rejection(get((await pending).value as ObjectRef<number>)), ActorDiedError)
    await isOver(stream)
  }),
)

test.run()
