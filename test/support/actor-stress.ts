/** Actors that are created, called, passed around, lost and dropped in random order: what each call comes to, and what is left of them. */

import { readdirSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import * as assert from 'uvu/assert'
import {
  ActorDiedError,
  ActorError,
  type ActorHandle,
  type ActorOptions,
  ActorUnavailableError,
  actorId,
  cancel,
  DeadlockError,
  get,
  getActor,
  init,
  kill,
  type ObjectRef,
  type ObjectRefGenerator,
  put,
  remote,
  shutdown,
  TaskCancelledError,
} from '../../src/index.ts'
import { availableResources, clusterResources } from '../../src/state.ts'
import { collectGarbage, stats } from '../../src/testing.ts'
import * as tasks from '../fixtures/tasks/actor-stress.ts'
import { rejection } from './with-runtime.ts'

export interface Stress {
  readonly seed: number
  /** So many are created. */
  readonly actors: number
  /** The same before the first look at what the process has. */
  readonly warmup: number
  /** Of about a thousand operations, so many let an actor end its thread. Undefined: none, and no actor is killed either, so that every call comes to exactly what it should. */
  readonly deaths: number | undefined
}

type Handle = ActorHandle<tasks.Cell>
type Lane = 'default' | 'aside'

/** An actor, as it is known here. */
interface Entry {
  readonly name: string
  readonly age: number
  readonly options: ActorOptions
  readonly handle: Handle
  /** Calls that were made from here, by group. */
  readonly made: Record<Lane, number>
  readonly fate: Fate
}

/** What calls of an actor may come to beside what they should. */
interface Fate {
  readonly reasons: Set<string>
  /** It is made again as often as it must be, and so are its calls. */
  readonly isLasting: boolean
  readonly isRestarted: boolean
}

const SECONDS_MAX = 120
const AT_ONCE_MAX = 24
const LIVING_MAX = 40
/** How many there are of what actors hold until they are ended. */
const TIGHT = 3
const COLLECT_EVERY = 150
const COLLECT_AFTER_MS = 1_000

const calls = remote(tasks.calls)
const callsSync = remote(tasks.callsSync)
const gives = remote(tasks.gives)
const givesLater = remote(tasks.givesLater)
const makes = remote(tasks.makes)
const never = remote(tasks.never, { numCpus: 0 })

/** Fails, saying what was waited for, if that takes for ever. */
const within = async <T>(what: string, promise: PromiseLike<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${SECONDS_MAX} s: ${what}`)), SECONDS_MAX * 1000)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Not one for whose end others wait. */
const isGivable = ({ options }: Entry): boolean => options.resources?.tight === undefined && options.isolation === undefined

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** One run of operations, in a frame of its own, which holds nothing when it is over. Gives what was done, by name. */
const work = async ({ seed, actors, deaths }: Stress): Promise<Record<string, number>> => {
  let state = seed >>> 0
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(random() * limit)
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const chance = (share: number): boolean => random() < share

  const done: Record<string, number> = {}
  const count = (what: string): void => {
    done[what] = (done[what] ?? 0) + 1
  }
  const entries: Entry[] = []
  let created = 0
  /** What goes on, with what it is, and of whom. */
  const open = new Map<Promise<void>, { readonly name: string; readonly involved: readonly Entry[] }>()
  let failed: unknown

  const isExpected = (error: unknown, involved: readonly Entry[]): boolean => {
    if (!(error instanceof ActorError && (error instanceof ActorDiedError || error instanceof ActorUnavailableError))) return false
    const reason = String(error.reason)
    // One that nobody here knows of.
    if (involved.length === 0) return deaths !== undefined
    return involved.some(({ fate }) => fate.reasons.has(reason))
  }

  /** What goes on beside the next operations. */
  const beside = (what: string, involved: readonly Entry[], operation: () => Promise<unknown>): void => {
    const names = involved.map(({ name }) => name).join(', ')
    const ended = within(`${what} (${names})`, operation()).then(
      () => count(what),
      (error: unknown) => {
        // Where actors block they may close a circle with tasks that do.
        const isCircle = deaths !== undefined && what === 'called by a task that blocks' && error instanceof DeadlockError
        if (isCircle || isExpected(error, involved)) {
          count(`${what}: ${isCircle ? 'a circle' : String((error as ActorError).reason)}`)
          return
        }
        const about = involved.map(({ name, options, fate }) => `${name} ${JSON.stringify(options)} ${[...fate.reasons]}`)
        failed ??= new Error(
          `${what} of ${about.join(' and ')}: ${(error as Error)?.stack ?? String(error)}\n\nbeside ${[...open.values()].map(({ name }) => name).join(', ')}`,
        )
      },
    )
    open.set(ended, { name: `${what} (${names})`, involved })
    void ended.then(() => open.delete(ended))
  }

  /** The same, and this is what comes of it. */
  const gets = <T>(what: string, involved: readonly Entry[], ref: ObjectRef<T>, expected: T): void =>
    beside(what, involved, async () => assert.equal(await get(ref), expected))

  const fateOf = ({ maxRestarts, maxTaskRetries }: ActorOptions): Fate => {
    const fate = { reasons: new Set<string>(), isRestarted: maxRestarts === -1, isLasting: maxRestarts === -1 && maxTaskRetries === -1 }
    // With a thread go all that share it; who is killed may be ended with it, too.
    if (deaths !== undefined) lose(fate, ['crashed', 'neighbour'])
    return fate
  }

  /** An instance may be lost. */
  const lose = ({ reasons, isLasting, isRestarted }: Fate, why: readonly string[]): void => {
    if (isLasting) return
    for (const reason of isRestarted ? ['restarting'] : why) reasons.add(reason)
  }

  const add = (name: string, options: ActorOptions, handle: Handle): Entry => {
    const entry = { name, age: created, options, handle, made: { default: 0, aside: 0 }, fate: fateOf(options) }
    entries.push(entry)
    return entry
  }
  const remove = (entry: Entry): void => {
    const at = entries.indexOf(entry)
    if (at >= 0) entries.splice(at, 1)
  }

  const create = (): void => {
    const name = `cell-${created++}`
    const isAlone = chance(0.05) && !entries.some(({ options }) => options.isolation === 'thread')
    const isTight = !isAlone && chance(0.1)
    const isNamed = !isAlone && chance(0.15)
    const options: ActorOptions = {
      ...(chance(0.5) && { maxRestarts: -1, ...(chance(0.6) && { maxTaskRetries: -1 }) }),
      ...oneOf([{}, {}, { maxConcurrency: 1 }, { maxConcurrency: 3 }]),
      ...(chance(0.2) && { concurrencyGroups: { aside: 2 } }),
      ...(chance(0.15) && { allowOutOfOrder: true }),
      ...oneOf<ActorOptions>([{}, {}, { numCpus: 0 }, { numCpus: 0.02 }, { resources: { loose: 1 } }]),
      ...(isTight && { resources: { tight: 1 } }),
      ...(isAlone && { isolation: 'thread' }),
      ...(isNamed && { name }),
      ...(isNamed && deaths !== undefined && chance(0.5) && { lifetime: 'detached' }),
    }
    const tight = entries.filter(({ options }) => options.resources?.tight === 1)
    if (isTight && tight.length === TIGHT) drop(oneOf(tight), true)
    // Older ones alone, so that nobody holds itself.
    const givable = entries.filter(isGivable)
    const kept = chance(0.15) && givable.length > 0 ? [oneOf(givable)] : []
    const Class = tasks.RemoteCell.options(options)
    add(name, options, Class.remote(options.allowOutOfOrder !== true, ...kept.map(({ handle }) => handle)))
    count(isAlone ? 'created alone' : isTight ? 'created, tight' : kept.length > 0 ? 'created, keeping another' : isNamed ? 'created by name' : 'created')
  }

  const turn = (entry: Entry, lane: Lane = 'default'): tasks.Turn => ({ caller: `driver, ${lane}`, number: entry.made[lane]++ })

  /** Calls that every actor answers exactly, as long as it is not lost. */
  const callOne = (entry: Entry): void => {
    const { handle } = entry
    const value = below(1000)
    oneOf<() => void>([
      () => gets('echo', [entry], handle.echo.remote(turn(entry), value) as ObjectRef<number>, value),
      () => gets('echo later', [entry], handle.echoLater.remote(turn(entry), value, below(4)) as ObjectRef<number>, value),
      () => {
        if (entry.options.concurrencyGroups === undefined) return
        const aside = handle.echoLater.options({ concurrencyGroup: 'aside' })
        gets('echo aside', [entry], aside.remote(turn(entry, 'aside'), value, below(4)) as ObjectRef<number>, value)
      },
      () =>
        beside('fail', [entry], async () => {
          const error = await rejection(get(handle.fail.remote(turn(entry), `no ${value}`)))
          if (error instanceof ActorError) throw error
          assert.instance(error, RangeError)
          assert.is(error.message, `no ${value}`)
        }),
      () => {
        using data = put(new Float64Array(2000).fill(value))
        gets('sum of what was put', [entry], handle.sum.remote(turn(entry), data, 1), 2000 * value + 1)
      },
      () => {
        const data = new Float64Array(3000).fill(value)
        gets('sum of an argument', [entry], handle.sum.remote(turn(entry), data, givesLater.remote(7, below(5)) as ObjectRef<number>), 3000 * value + 7)
      },
      () => {
        const numbers = Array.from({ length: 20 }, (_, k) => handle.echo.remote(turn(entry), value + k) as ObjectRef<number>)
        beside('many echoes', [entry], async () => {
          const values = await get(numbers)
          assert.equal(
            values,
            values.map((_, k) => value + k),
          )
        })
      },
    ])()
  }

  /** Another that is older, to give away: who waits for whom is no circle. */
  const olderThan = (entry: Entry): Entry | undefined => {
    const older = entries.filter((other) => other.age < entry.age && isGivable(other))
    return older.length === 0 ? undefined : oneOf(older)
  }

  const passAround = (entry: Entry): void => {
    const { handle } = entry
    const value = below(1000)
    const older = olderThan(entry)
    oneOf<() => void>([
      () => gets('called by a task', [entry], calls.remote(handle, 4), [0, 1, 2, 3]),
      // With no thread left for an actor that must have its own, who blocks for it would be told of a deadlock.
      () => entry.options.isolation === undefined && gets('called by a task that blocks', [entry], callsSync.remote({ handle }, 3), [0, 1, 2]),
      () => {
        if (older === undefined) return
        const ref = handle.pass.remote(turn(entry), older.handle, older.name, value) as ObjectRef<number>
        gets('called by another', [entry, older], ref, value)
      },
      () => {
        if (older === undefined) return
        beside('kept by another', [entry, older], async () => {
          assert.ok((await get(handle.keep.remote(turn(entry), { handle: older.handle }))) > 0)
          const shown = await get(handle.shown.remote(turn(entry)))
          // What it kept before it was lost is gone.
          const last = shown.at(-1)
          if (last === undefined) assert.ok(entry.fate.isRestarted)
          else assert.match(actorId(last), /^[0-9a-f]{32}$/)
        })
      },
      () => {
        const stored = put({ handle, value })
        beside('put', [entry], async () => {
          const found = await get(stored)
          assert.is(actorId(found.handle), actorId(handle))
          assert.is(await get(found.handle.echo.remote(turn(entry), value) as ObjectRef<number>), value)
        })
      },
      () =>
        beside('returned by a task', [entry], async () => {
          const found = await get(gives.remote(handle) as unknown as ObjectRef<Handle>)
          assert.is(actorId(found), actorId(handle))
          assert.is(await get(found.echo.remote(turn(entry), value) as ObjectRef<number>), value)
        }),
      () => {
        const captured = remote(async () => get(handle.echoLater.remote({ caller: `closure ${value} ${entry.made.default}`, number: 0 }, value, 0)))
        gets('captured', [entry], captured.remote() as ObjectRef<number>, value)
      },
      () => {
        const involved: Entry[] = []
        beside('made by a task', involved, async () => {
          const isGiven = chance(0.5)
          const found = await get(makes.remote(isGiven))
          assert.is(found === undefined, !isGiven)
          if (found === undefined) return
          const given = add(`cell-${created++}`, {}, found)
          involved.push(given)
          assert.is(await get(given.handle.echo.remote(turn(given), value) as ObjectRef<number>), value)
        })
      },
      () => {
        const { name } = entry.options
        if (name === undefined) return
        beside('found by name', [entry], async () => {
          let found: Handle
          try {
            found = getActor<typeof tasks.RemoteCell>(name)
          } catch (error) {
            if (entry.fate.reasons.size > 0) return
            throw error
          }
          assert.is(actorId(found), actorId(handle))
          assert.is(await get(found.echo.remote(turn(entry), value) as ObjectRef<number>), value)
        })
      },
    ])()
  }

  const stream = (entry: Entry): void => {
    const { handle } = entry
    const [from, length] = [below(100), 1 + below(40)]
    const method = chance(0.5) ? handle.items : handle.itemsLater
    const items = method.options({ backpressure: 1 + below(5) }).remote(turn(entry), from, from + length) as ObjectRefGenerator<number>
    const taken = chance(0.5) ? length : 1 + below(length)
    beside(taken < length ? 'stream that is left' : 'stream', [entry], async () => {
      let at = from
      for await (const ref of items) {
        const item = await get(ref)
        assert.is(item, at, `item ${item} in place of ${at} of ${from} to ${from + length}`)
        at += 1
        if (at - from === taken && taken < length) break
      }
      assert.is(at - from, taken, `${at - from} items of ${length}, of which ${taken} are to be taken`)
    })
  }

  const cancelled = (entry: Entry): void => {
    const ref = entry.handle.forever.remote()
    beside('cancelled', [entry], async () => {
      await sleep(below(3))
      cancel(ref)
      const error = await rejection(get(ref))
      if (error instanceof ActorError) throw error
      assert.instance(error, TaskCancelledError)
    })
  }

  /** Ends for good, at once. */
  const end = (entry: Entry): void => {
    remove(entry)
    const { handle, fate } = entry
    const way = oneOf(['kill', 'exit', ...(entry.options.isolation === 'thread' ? ['spin'] : []), 'block'] as const)
    // One that goes on, if it has begun, and one that may not have. What exits may not have to wait for them.
    const going: ObjectRef<unknown>[] = way === 'exit' ? [] : [handle.forever.remote()]
    going.push(handle.echo.remote(turn(entry), 1))
    fate.reasons.add(way === 'exit' ? 'exited' : 'killed')
    if (way === 'spin') going.push(handle.spin.remote())
    const unended = way === 'block' ? never.remote() : undefined
    if (unended !== undefined) going.push(handle.block.remote({ ref: unended }))
    beside(`ended by ${way}`, [], async () => {
      await sleep(below(4))
      if (way === 'exit') {
        const left = await rejection(get(handle.leave.options({ maxTaskRetries: 0 }).remote() as unknown as ObjectRef<number>))
        // It may have been lost before it came to that.
        assert.ok(isExpected(left, [entry]) || (left instanceof ActorUnavailableError && fate.isRestarted), left.stack)
        if (left.reason !== 'exited') kill(handle)
        fate.reasons.add('killed')
      } else kill(handle)
      for (const ref of going) {
        const [settled] = await Promise.allSettled([get(ref as ObjectRef<unknown>)])
        // It blocks for what may go on where somebody blocks for it.
        const isCircle = settled.status === 'rejected' && way === 'block' && settled.reason instanceof DeadlockError
        if (settled.status === 'rejected' && !isCircle) assert.ok(isExpected(settled.reason, [entry]), (settled.reason as Error).stack)
      }
      const dead = await rejection(get(handle.echo.remote(turn(entry), 1)))
      assert.instance(dead, ActorDiedError)
      assert.ok(isExpected(dead, [entry]), dead.stack)
      if (unended !== undefined) cancel(unended)
    })
  }

  const restart = (entry: Entry): void => {
    if (!entry.fate.isRestarted) return
    beside('made anew', [entry], async () => {
      kill(entry.handle, { noRestart: false })
      const value = below(1000)
      assert.is(await get(entry.handle.echo.options({ maxTaskRetries: -1 }).remote(turn(entry), value) as ObjectRef<number>), value)
    })
  }

  const die = (entry: Entry): void => {
    const { handle, fate } = entry
    if (!fate.isRestarted) remove(entry)
    const way = oneOf(['die', 'dieOutside', 'itemsAndDeath'] as const)
    const dies = async (): Promise<void> => {
      if (way === 'itemsAndDeath') {
        const values: number[] = []
        const error = await rejection(
          (async () => {
            for await (const ref of handle.itemsAndDeath.options({ maxTaskRetries: 0 }).remote() as ObjectRefGenerator<number>) values.push(await get(ref))
          })(),
        )
        assert.ok(error instanceof ActorError, error.stack)
        assert.equal(values, [0, 1].slice(0, values.length))
      } else {
        const error = await rejection(get(handle[way].options({ maxTaskRetries: 0 }).remote() as unknown as ObjectRef<number>))
        assert.ok(error instanceof ActorError, error.stack)
      }
    }
    beside(`ended with its thread: ${way}`, [], dies)
  }

  /** Nobody here has it any more. */
  const drop = (entry: Entry, isAtOnce = chance(0.4)): void => {
    remove(entry)
    const { handle, options } = entry
    if (options.lifetime === 'detached') {
      const mayBeGone = entry.fate.reasons.size > 0
      entry.fate.reasons.add('killed')
      beside('detached, and killed by name', [], async () => {
        try {
          kill(getActor(options.name as string))
        } catch (error) {
          if (!mayBeGone) throw error
        }
      })
    } else if (isAtOnce || options.isolation === 'thread') {
      // Other operations may have its handle still.
      const ours = [...open].flatMap(([ended, { involved }]) => (involved.includes(entry) ? [ended] : []))
      beside('let go', [], async () => {
        await Promise.allSettled(ours)
        await handle[Symbol.asyncDispose]()
      })
    } else count('forgotten')
  }

  const uses: readonly (readonly [often: number, act: (entry: Entry) => void])[] = [
    [300, callOne],
    [200, passAround],
    [70, stream],
    [30, cancelled],
    [120, drop],
    ...(deaths === undefined
      ? []
      : ([
          [40, end],
          [30, restart],
          [deaths, die],
        ] as const)),
  ]
  const total = uses.reduce((sum, [often]) => sum + often, 0)
  const operation = (): void => {
    const entry = entries[below(entries.length)]
    if (entry === undefined || chance(0.13)) {
      create()
      return
    }
    if (entries.length > LIVING_MAX) {
      drop(entry)
      return
    }
    let at = below(total)
    for (const [often, act] of uses) {
      if (at >= 0 && at < often) act(entry)
      at -= often
    }
  }

  const settled = async (most: number): Promise<void> => {
    // What waits for something that an actor holds whom nobody has any more waits for the collector.
    const collecting = open.size > most ? setInterval(() => void collectGarbage(), COLLECT_AFTER_MS) : undefined
    while (open.size > most) await Promise.race(open.keys())
    clearInterval(collecting)
    if (failed !== undefined) throw failed
  }
  for (let k = 1; created < actors; k++) {
    operation()
    await settled(AT_ONCE_MAX)
    if (k % COLLECT_EVERY === 0) void collectGarbage()
  }
  await settled(0)
  for (const entry of [...entries]) {
    if (entry.fate.reasons.size === 0) gets('echo at last', [entry], entry.handle.echo.remote(turn(entry), 5) as ObjectRef<number>, 5)
    if (entry.options.lifetime === 'detached') drop(entry)
  }
  await settled(0)
  return done
}

/** What could be left. */
const census = async (): Promise<Record<string, number>> => {
  await within('a collection', collectGarbage())
  const { store, refs, tables } = await stats()
  const linux = process.platform === 'linux'
  return {
    actors: tables.actors as number,
    objects: store.objects,
    bytes: store.bytes,
    pins: store.pins,
    refs,
    edges: tables.edges as number,
    queued: tables.queued as number,
    slots: tables.slots as number,
    threads: linux ? readdirSync('/proc/self/task').length : 0,
    descriptors: linux ? readdirSync('/proc/self/fd').length : 0,
  }
}

/** Each thread keeps some slots in stock, and what it has loaded of functions. */
const SLACK: Readonly<Record<string, number>> = { slots: 1000, threads: 2, descriptors: 4, refs: 20, objects: 10, bytes: 10 * 4096 }

/** Until nothing is left that was not there before. */
const isBack = async (before: Readonly<Record<string, number>>): Promise<Record<string, number>> => {
  const end = Date.now() + SECONDS_MAX * 1000
  for (;;) {
    const now = await census()
    const more = Object.entries(now).filter(([what, is]) => is > (before[what] ?? 0) + (SLACK[what] ?? 0))
    const [available, all] = [await availableResources(), await clusterResources()]
    if (more.length === 0 && isDeepStrictEqual(available, all)) return now
    if (Date.now() > end) throw new Error(`left behind: ${JSON.stringify({ more, before, now, available, all })}`)
    await sleep(50)
  }
}

/** Gives what was done, by name. */
export const stress = async (what: Stress): Promise<Record<string, number>> => {
  await init({ numCpus: 2, maxWorkers: 5, resources: { tight: TIGHT, loose: 10_000 }, objectStoreMemory: 256 * 2 ** 20, logToDriver: false })
  try {
    const none = { actors: 0, edges: 0, queued: 0, pins: 0 }
    await work({ ...what, seed: what.seed + 1, actors: what.warmup })
    const before = await isBack({ slots: 1e9, threads: 1e9, descriptors: 1e9, refs: 1e9, objects: 1e9, bytes: 1e9, ...none })
    const done = await work(what)
    const after = await isBack({ ...before, ...none })
    return { ...done, ...Object.fromEntries(Object.entries(after).map(([name, is]) => [`${name} after`, is - (before[name] ?? 0)])) }
  } catch (error) {
    throw new Error(`MOBULA_TEST_SEED=${what.seed} repeats this: ${(error as Error).message}`)
  } finally {
    await shutdown()
  }
}

/** Something was done at all. */
export const assertDone = (done: Readonly<Record<string, number>>): void => {
  for (const what of ['echo', 'called by a task', 'called by another', 'captured', 'stream that is left', 'forgotten', 'let go'])
    assert.ok((done[what] ?? 0) > 0, `none: ${what}: ${JSON.stringify(done)}`)
}
