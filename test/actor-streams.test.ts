/** Streams of actors whose threads die, that are killed, or whose consumers go: items come once and in order, or the error that is documented. */
// Time limit: 300 s

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ActorDiedError, ActorUnavailableError, cancel, get, kill, type ObjectRef, remote, WorkerCrashedError } from '../src/index.ts'
import { BEGUN } from './fixtures/tasks/shared.ts'
import * as streams from './fixtures/tasks/streams.ts'
import { isOver, next, noted, notes, rest, upTo } from './support/take-streams.ts'
import { collectGarbage, eventually, rejection, turn } from './support/with-runtime.ts'
import { open, withWords } from './support/with-words.ts'

const Mortal = remote(streams.Mortal)

for (const method of ['items', 'itemsLater'] as const) {
  test(
    `${method}: a stream goes on when its actor's thread has died and the actor is there again, and no item comes twice or is missing`,
    withWords({ numCpus: 1, maxWorkers: 3 }, async (words) => {
      // Before anything, in the middle, and where nothing is left to yield.
      for (const [deadly, room, deaths] of [
        [0, 16, 1],
        [3, 1, 2],
        [5, 2, 1],
      ] as const) {
        words.fill(0)
        const actor = Mortal.options({ maxRestarts: -1, maxTaskRetries: -1 }).remote()
        const stream = actor[method].options({ backpressure: room }).remote(5, deadly, deaths)
        const later = actor.add.remote(deadly, room)
        assert.equal(await rest(stream), upTo(5), `${deadly}, ${room}`)
        await isOver(stream)
        assert.is(await get(stream.completed()), 'all')
        assert.is(await get(later), deadly + room)
        assert.is(words[BEGUN], deaths + 1)
        await actor[Symbol.asyncDispose]()
      }
    }),
  )

  test(
    `${method}: without retries what was yielded before the death of the thread can be had, then one ref rejects, then there is nothing`,
    withWords({ numCpus: 1, maxWorkers: 3 }, async (words) => {
      for (const [restarts, deadly, Class] of [
        [0, 3, ActorDiedError],
        [1, 3, ActorUnavailableError],
        [1, 0, ActorUnavailableError],
      ] as const) {
        words.fill(0)
        const actor = Mortal.options({ maxRestarts: restarts }).remote()
        assert.is(await get(actor.add.remote(1, 2)), 3)
        const stream = actor[method].remote(5, deadly, 1)
        const completed = stream.completed()
        for (let k = 0; k < deadly; k++) assert.is(await get(await next(stream)), k)
        const error = await rejection(get(await next(stream)))
        assert.instance(error, Class)
        assert.is(error['reason'], restarts === 0 ? 'crashed' : 'restarting')
        await isOver(stream)
        assert.instance(await rejection(get(completed)), Class)
        assert.equal(noted(words), upTo(deadly), 'it was not run again')
        if (restarts > 0) assert.equal(await rest(actor[method].options({ maxTaskRetries: -1 }).remote(5, deadly, 1)), upTo(5))
      }
    }),
  )

  test(
    `${method}: numReturns n: refs that were settled stay, and the others settle after the restart`,
    withWords({ numCpus: 1, maxWorkers: 3 }, async () => {
      const actor = Mortal.options({ maxRestarts: 1, maxTaskRetries: 1 }).remote()
      assert.equal(await get(actor[method].options({ numReturns: 4 }).remote(4, 2, 1) as unknown as ObjectRef<number>[]), upTo(4))
    }),
  )
}

for (const how of ['left', 'forgotten', 'cancelled'] as const) {
  test(
    `a stream that is ${how} before its actor's thread dies is not run again, and the actor goes on`,
    withWords({ numCpus: 1, maxWorkers: 3 }, async (words) => {
      const actor = Mortal.options({ maxRestarts: 1, maxTaskRetries: -1 }).remote()
      const use = async (): Promise<WeakRef<object>> => {
        const stream = actor.oneAndDies.remote()
        assert.is(await get(await next(stream)), 0)
        await eventually('it holds its thread', () => words[BEGUN] === 1)
        if (how === 'left') await stream.return()
        else if (how === 'cancelled') cancel(stream)
        return new WeakRef(stream)
      }
      const weak = await use()
      const later = actor.add.remote(1, 2)
      if (how === 'forgotten') {
        await eventually('it is collected', () => {
          collectGarbage()
          return weak.deref() === undefined
        })
        for (let k = 0; k < 5; k++) await turn()
      }
      open(words)
      assert.is(await get(later), 3)
      assert.is(await get(actor.add.remote(3, 4)), 7)
      assert.is(words[BEGUN], 1)
    }),
  )
}

test(
  'a stream of an actor is closed when the thread that took its items dies',
  withWords({ numCpus: 2, maxWorkers: 4 }, async (words) => {
    const actor = Mortal.remote()
    for (const when of ['at once', 'while it waits'] as const) {
      words.fill(0)
      const taker = remote(streams.takesAndDies, { maxRetries: 0 }).remote(actor, when)
      assert.instance(await rejection(get(taker)), WorkerCrashedError)
      await eventually('the producer is closed', () => noted(words).at(-1) === -1)
      assert.is(await get(actor.add.remote(1, 2)), 3)
    }
  }),
)

for (const method of ['counts', 'countsLater'] as const) {
  test(
    `${method}: a kill in the middle closes the producer; what was yielded can be had, then one ref rejects, then there is nothing`,
    withWords({ numCpus: 1 }, async (words) => {
      const actor = Mortal.remote()
      const stream = actor[method].options({ backpressure: 3 }).remote(100)
      await notes(words, [0, 1, 2])
      kill(actor)
      for (let k = 0; k < 3; k++) assert.is(await get(await next(stream)), k)
      const error = await rejection(get(await next(stream)))
      assert.instance(error, ActorDiedError)
      assert.is(error['reason'], 'killed')
      await isOver(stream)
      assert.instance(await rejection(get(stream.completed())), ActorDiedError)
      await notes(words, [0, 1, 2, -1])
    }),
  )
}

test(
  'of nexts that wait when the actor is killed one gets the error, and the others the end',
  withWords({ numCpus: 1 }, async () => {
    const actor = Mortal.remote()
    const stream = actor.oneAndDies.remote()
    assert.is(await get(await next(stream)), 0)
    const waiting = [1, 2, 3].map(() => stream.next())
    kill(actor)
    const results = await Promise.all(waiting)
    assert.equal(
      results.map(({ done }) => done),
      [false, true, true],
    )
    assert.instance(await rejection(get(results[0]?.value as ObjectRef<number>)), ActorDiedError)
  }),
)

test.run()
