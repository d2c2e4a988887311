/** `faults`: has things go wrong where tests want them to. */

import * as engine from '../engine/local/faults.ts'
import { badRange, badType, nearest } from '../errors/bad-input.ts'
import { checkOptions, optionalInteger, optionalNumber } from '../options/check.ts'

/** What is to happen at a point. */
export interface Fault {
  /** `kill`: the thread ends. `delay`: it, or what is about to happen, is late. `drop`: what is about to happen does not. */
  readonly action: 'kill' | 'delay' | 'drop'
  /** From this pass on, counted in all threads from `set` on; with a `seed`: at one pass in so many. Default: 1. */
  readonly nth?: number
  /** At so many passes; may be `Infinity`. Default: 1. */
  readonly times?: number
  /** Milliseconds of a delay. Default: 10. */
  readonly ms?: number
  /** An integer. The same one chooses the same passes again. */
  readonly seed?: number
}

type Action = Fault['action']

const ACTIONS: readonly Action[] = ['kill', 'delay', 'drop']

/** What can happen where: a `drop` elsewhere would lose something for good. */
const POSSIBLE: Readonly<Record<string, readonly Action[]>> = {
  'worker.start': ['kill', 'delay'],
  'task.beforeRun': ['kill', 'delay', 'drop'],
  'task.afterRun': ['kill', 'delay'],
  'result.beforeSeal': ['kill', 'delay'],
  'object.lose': ['drop'],
  wake: ['delay', 'drop'],
  completion: ['delay', 'drop'],
}

const MS_MAX = 2 ** 31
const MS = 10

const pointOf = (point: unknown): number => {
  if (typeof point !== 'string') throw badType('point', 'the name of a fault point', point)
  const number = engine.points.indexOf(point)
  if (number >= 0) return number
  const near = nearest(point, engine.points)
  throw badRange('point', near === undefined ? `one of ${engine.points.join(', ')}` : `one of ${engine.points.join(', ')} (did you mean '${near}'?)`, point)
}

const actionOf = (action: unknown, point: string): Action => {
  const possible = POSSIBLE[point] ?? ACTIONS
  if (typeof action !== 'string') throw badType('fault.action', 'a string', action)
  if (!possible.includes(action as Action)) throw badRange('fault.action', `${possible.map((one) => `'${one}'`).join(' or ')} at ${point}`, action)
  return action as Action
}

const timesOf = (times: unknown): number => (times === Number.POSITIVE_INFINITY ? times : (optionalInteger(times, 'fault.times', 1) ?? 1))

/**
 * Has things go wrong at named points of all threads, for tests of programs that must survive that. What is set stays set until
 * `clear()`, also beyond a `shutdown`. While nothing is set the points cost nothing that can be measured.
 *
 * | point | `kill` | `delay` | `drop` |
 * |---|---|---|---|
 * | `worker.start` | the thread ends before it is ready | it is late | |
 * | `task.beforeRun` | its thread ends before the function is called | the call is late | the task is given back, and begun again somewhere |
 * | `task.afterRun` | its thread ends when the function has returned or thrown | the result is late | |
 * | `result.beforeSeal` | its thread ends when the result is encoded, and not stored | the result is late | |
 * | `object.lose` | | | a stored value (more than 1 KiB) that was put, or is what a task returned first, is lost, in a task with all that it returns: `ObjectLostError` |
 * | `wake` | | a sleeping thread is woken late | it is not woken: somebody looks every 2 s whether that got lost |
 * | `completion` | | a `get` or `wait` hears late that it is over | as for `wake` |
 *
 * A delay blocks the thread that passes the point. Those of the last two do not, and are as many as 256 at a time.
 *
 * @throws {RangeError} for a point that there is not, for an action that the point has not, for numbers out of bounds; {TypeError} for
 * what is of another type, and for unknown names
 * @example
 * ```ts
 * import { get, getRuntimeContext, remote } from 'mobula'
 * import { faults } from 'mobula/testing'
 * const attempt = remote(() => getRuntimeContext().attempt)
 * faults.set('task.afterRun', { action: 'kill' })
 * console.log(await get(attempt.remote())) // 1: the first thread ended
 * faults.clear()
 * ```
 */
export const faults: {
  /** The names of all points. */
  points(): readonly string[]
  /** From now on, instead of what was set at this point before; passes are counted anew. */
  set(point: string, fault: Fault): void
  /** Nothing goes wrong any more. */
  clear(): void
} = Object.freeze({
  points: (): readonly string[] => engine.points,
  set: (point: string, fault: Fault): void => {
    const number = pointOf(point)
    if (fault === undefined) throw badType('fault', 'an object', fault)
    const raw = checkOptions(fault, 'fault', ['action', 'nth', 'times', 'ms', 'seed'], [])
    const action = actionOf(raw.action, point)
    const nth = optionalInteger(raw.nth, 'fault.nth', 1) ?? 1
    const times = timesOf(raw.times)
    const ms = optionalNumber(raw.ms, 'fault.ms', 0, MS_MAX)
    if (ms !== undefined && action !== 'delay') throw badRange('fault.ms', `nothing with '${action}': only a delay has a length`, ms)
    const seed = optionalInteger(raw.seed, 'fault.seed', 0)
    engine.set(number, { action, nth, times, ms: ms ?? MS, ...(seed !== undefined && { seed }) })
  },
  clear: (): void => engine.clear(),
})
