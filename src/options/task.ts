/** Options of remote functions: raw as users write them, resolved as a submission needs them. Defaults are written here alone. */

import { badRange, badType } from '../errors/bad-input.ts'
import { type ErrorClass, HELD, optionalRetryable, type Retryable, type RetryableNote } from '../functions/retryable.ts'
import { checkOptions, optionalInteger, optionalNumber, optionalRecord, optionalSignal, optionalString, optionalStrings } from './check.ts'
import { type Amount, optionalAmount, optionalAmounts, optionalGpus, PARTS } from './resources.ts'

export interface TaskOptions {
  /** Shown in errors and in front of what the task prints. Default: the function's name. */
  readonly name?: string
  /**
   * CPUs that a call needs while its code runs; it gives them back while it waits, in `getSync` or by `await`, so nesting never
   * deadlocks. Fractions to 0.0001, and 0 for what only waits. Default: 1.
   *
   * A call that needs more than there is in total stays pending, with one warning; others are not held up by it.
   *
   * @example
   * ```ts
   * import { get, init, remote, shutdown } from 'mobula'
   * await init({ numCpus: 2, resources: { db: 4 } })
   * const query = remote(async (id: number) => id * 2, { numCpus: 0.1, resources: { db: 1 } })
   * console.log(await get([1, 2, 3].map((id) => query.remote(id)))) // [ 2, 4, 6 ]: at most 4 of them at once
   * await shutdown()
   * ```
   */
  readonly numCpus?: number
  /**
   * GPUs that a call needs until it has ended: parts of one (less than 1), or whole ones. Which, is in the runtime context. Default: 0.
   *
   * @example
   * ```ts
   * import { get, init, remote, shutdown } from 'mobula'
   * await init({ numGpus: 1 })
   * const infer = remote((batch: number[]) => batch.length, { numGpus: 0.5 }) // two share a GPU
   * console.log(await get(infer.remote([1, 2, 3]))) // 3
   * await shutdown()
   * ```
   */
  readonly numGpus?: number
  /** Named resources that a call needs until it has ended, also while it waits. Default: none. */
  readonly resources?: Readonly<Record<string, number>>
  /**
   * Calls of higher priority begin first; of equal priority, in the order in which they became ready. One of 64 goes to whoever was
   * passed over that often, so none waits for ever. Default: 0.
   *
   * @example
   * ```ts
   * import { get, remote } from 'mobula'
   * const render = remote((page: number) => page)
   * const urgent = render.options({ priority: 1 })
   * console.log(await get([render.remote(1), urgent.remote(2)])) // [ 1, 2 ]
   * ```
   */
  readonly priority?: -1 | 0 | 1
  /**
   * How many objects a call returns. For n, 2 or more, the function returns an array of n and `.remote()` n refs, which can be passed on
   * one by one; for 0 it returns nothing. A generator function yields n items, of which each settles its ref. All n refs reject if the function throws or returns another number. Default: 1.
   *
   * @example
   * ```ts
   * import { get, remote } from 'mobula'
   * const divide = remote((a: number, b: number): [number, number] => [Math.floor(a / b), a % b], { numReturns: 2 })
   * const [quotient, rest] = divide.remote(17, 5)
   * console.log(await get(quotient), await get(rest)) // 3 2
   * ```
   */
  readonly numReturns?: number
  /**
   * How often a call is run again after its worker died under it; -1: for ever. Runs that had not begun are not counted. A task with
   * side effects that must not happen twice wants 0. Default: 3.
   *
   * @example
   * ```ts
   * import { get, getRuntimeContext, remote } from 'mobula'
   * const flaky = remote(() => {
   *   const { attempt } = getRuntimeContext()
   *   if (attempt < 2) process.exit(1)
   *   return attempt
   * })
   * console.log(await get(flaky.remote())) // 2
   * ```
   */
  readonly maxRetries?: number
  /**
   * Which errors of the function let it run again, out of the same budget: `true`, all; classes, their instances; a function of the
   * error, those for which it is true. It ships as the function does, and runs on the worker. Default: `false`.
   *
   * @example
   * ```ts
   * import { get, remote } from 'mobula'
   * const options = { retryExceptions: (error: { code?: string }) => error.code === 'ECONNRESET', maxRetries: 5 }
   * const load = remote(async (url: string) => (await fetch(url)).text(), options)
   * ```
   */
  readonly retryExceptions?: boolean | readonly ErrorClass[] | ((error: never) => boolean)
  /**
   * Milliseconds that one run may take, from its beginning; the import of its module is not counted. Then the ref rejects with `TaskTimeoutError`, and the run is ended as
   * by `cancel(ref, { force: true })`: it is not run again. Default: no limit.
   *
   * @example
   * ```ts
   * import { get, remote } from 'mobula'
   * const endless = remote(() => { for (;;); }, { timeout: 100 })
   * await get(endless.remote()).catch((error) => console.log(error.name)) // TaskTimeoutError
   * ```
   */
  readonly timeout?: number
  /**
   * After so many calls of this function a worker is replaced by a fresh one, when what it has begun has ended: for functions that
   * leak. Default: no limit.
   */
  readonly maxCalls?: number
  /**
   * Of generators: so many items at most are there that nobody has taken; then the producer waits, and holds no CPU meanwhile. Where nobody can
   * tell whether a function of `remote.module` is a generator, it counts as one if this is said. Default: 16.
   *
   * @example
   * ```ts
   * import { get, remote } from 'mobula'
   * const frames = remote(function* (count: number) {
   *   for (let k = 0; k < count; k++) yield new Uint8Array(1_000_000).fill(k)
   * }, { backpressure: 2 })
   * for await (const ref of frames.remote(3)) console.log((await get(ref)).length) // 1000000, three times
   * ```
   */
  readonly backpressure?: number
  /**
   * Cancels calls that have not ended, as by `cancel(ref)`.
   *
   * @example
   * ```ts
   * import { get, remote } from 'mobula'
   * const sleep = remote(async (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)))
   * const ref = sleep.options({ signal: AbortSignal.timeout(100) }).remote(60_000)
   * await get(ref).catch((error) => console.log(error.name)) // TaskCancelledError
   * ```
   */
  readonly signal?: AbortSignal
  /**
   * Values of names that the function uses of its surroundings, instead of those that are there. Names that are not said here are captured
   * as usual. Where Node runs without its inspector (`--permission`), all have to be said. Default: what stands around the function.
   *
   * @example
   * ```ts
   * import { get, remote } from 'mobula'
   * const rate = 2
   * const scale = remote((x: number) => x * rate, { captures: { rate: 3 } })
   * console.log(await get(scale.remote(5))) // 15
   * ```
   */
  readonly captures?: Readonly<Record<string, unknown>>
  /**
   * Modules, as the function's file names them in `import` or `require`, whose bindings the function takes along by value: for modules that
   * workers cannot import, or whose state is to be as it is here. Default: none.
   */
  readonly byValue?: readonly string[]
  /**
   * Modules whose exported functions and classes workers import, although the function stands in the same file: for files with much state
   * of their own. URLs, absolute paths, or relative to the function's file. Default: none.
   */
  readonly byReference?: readonly string[]
}

/** What was said; what was not takes the default, or what the function had before. */
export interface ResolvedTask {
  readonly name?: string
  /** In parts of 1/10,000. */
  readonly cpu?: number
  readonly gpu?: number
  readonly named?: readonly Amount[]
  readonly priority?: number
  readonly returns?: number
  readonly retries?: number
  readonly retryable?: Retryable
  readonly backpressure?: number
  readonly limit?: number
  readonly maxCalls?: number
  readonly signal?: AbortSignal
  readonly captures?: Readonly<Record<string, unknown>>
  readonly byValue?: readonly string[]
  readonly byReference?: readonly string[]
}

/** On what terms a call runs, all of it said. */
export interface Terms {
  readonly cpu: number
  readonly gpu: number
  readonly named: readonly Amount[]
  readonly priority: number
  readonly returns: number
  readonly retries: number
  readonly limit: number | undefined
  /** A {@link TaskNotes} as JSON; empty: there are none. */
  readonly notes: string
}

/** What only the worker has to know of a function's terms. */
export interface TaskNotes {
  readonly retryable?: RetryableNote
  readonly maxCalls?: number
  /** It is a generator whose items are the objects that a call returns. */
  readonly isSeveral?: true
}

/** The same of a method's calls. */
export interface CallNotes {
  /** By number; 0: none. */
  readonly group: number
  /** `static`: the class says it; `actor`: it came with the class. */
  readonly retryable?: RetryableNote | 'static' | 'actor'
  readonly isSeveral?: true
}

export { HELD }

/** What of the options travels with the function itself. */
export const heldOf = ({ retryable }: ResolvedTask): unknown => (typeof retryable === 'object' && 'held' in retryable ? retryable.held : undefined)

export const termsOf = (
  { cpu = PARTS, gpu = 0, named = [], priority = 0, returns = 1, retries = 3, limit, retryable, maxCalls }: ResolvedTask,
  isSeveral: boolean,
): Terms => {
  const isHeld = typeof retryable === 'object' && 'held' in retryable
  const notes: TaskNotes = {
    ...(retryable !== undefined && { retryable: isHeld ? HELD : retryable }),
    ...(maxCalls !== undefined && { maxCalls }),
    ...(isSeveral && { isSeveral }),
  }
  return { cpu, gpu, named, priority, returns, retries, limit, notes: Object.keys(notes).length === 0 ? '' : JSON.stringify(notes) }
}

/** More than a table of refs in one record is for; whoever returns more wants a list. */
export const RETURNS_MAX = 100_000

const KNOWN = [
  'name',
  'numCpus',
  'numGpus',
  'resources',
  'priority',
  'numReturns',
  'maxRetries',
  'retryExceptions',
  'timeout',
  'maxCalls',
  'backpressure',
  'signal',
  'captures',
  'byValue',
  'byReference',
]
/** Names of the contract that this version refuses. */
const LATER = ['isolation']

/** What a counter holds. Of retries -1 means no limit, and so does this. */
export const COUNT_MAX: number = 2 ** 31 - 1

export const resolveTask = (options: unknown, where: string): ResolvedTask => {
  const raw = checkOptions(options, `${where}: options`, KNOWN, LATER)
  const all = {
    name: optionalString(raw.name, 'options.name'),
    cpu: optionalAmount(raw.numCpus, 'options.numCpus'),
    gpu: optionalGpus(raw.numGpus),
    named: optionalAmounts(raw.resources, 'options.resources'),
    priority: optionalPriority(raw.priority),
    returns: optionalInteger(raw.numReturns, 'options.numReturns', 0, RETURNS_MAX),
    retries: optionalInteger(raw.maxRetries, 'options.maxRetries', -1, COUNT_MAX),
    retryable: optionalRetryable(raw.retryExceptions),
    limit: optionalLimit(raw.timeout, 'options.timeout'),
    maxCalls: optionalInteger(raw.maxCalls, 'options.maxCalls', 1),
    backpressure: optionalBackpressure(raw.backpressure, 'options.backpressure'),
    signal: optionalSignal(raw.signal, 'options.signal'),
    captures: optionalRecord(raw.captures, 'options.captures'),
    byValue: optionalStrings(raw.byValue, 'options.byValue'),
    byReference: optionalStrings(raw.byReference, 'options.byReference'),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** Endless is what it is without being said. */
export const optionalLimit = (value: unknown, argument: string): number | undefined => {
  const limit = optionalNumber(value, argument, 1)
  return limit === Number.POSITIVE_INFINITY ? undefined : limit
}

/** Unconsumed items of a stream that says nothing else. */
export const BACKPRESSURE = 16

export const optionalBackpressure = (value: unknown, argument: string): number | undefined => optionalInteger(value, argument, 1, COUNT_MAX)

const optionalPriority = (value: unknown): number | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw badType('options.priority', '-1, 0 or 1', value)
  if (value !== -1 && value !== 0 && value !== 1) throw badRange('options.priority', '-1, 0 or 1', value)
  return value
}
