/** Options of remote functions: raw as users write them, resolved as a submission needs them. Defaults are written here alone. */

import { badRange, badType } from '../errors/bad-input.ts'
import { checkOptions, optionalInteger, optionalString } from './check.ts'
import { type Amount, optionalAmount, optionalAmounts, PARTS } from './resources.ts'

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
   * one by one; for 0 it returns nothing. All n refs reject if the function throws or returns another number. Default: 1.
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
}

/** On what terms a call runs, all of it said. */
export interface Terms {
  readonly cpu: number
  readonly gpu: number
  readonly named: readonly Amount[]
  readonly priority: number
  readonly returns: number
}

export const termsOf = ({ cpu = PARTS, gpu = 0, named = [], priority = 0, returns = 1 }: ResolvedTask): Terms => ({ cpu, gpu, named, priority, returns })

/** More than a table of refs in one record is for; whoever returns more wants a list. */
const RETURNS_MAX = 100_000

const KNOWN = ['name', 'numCpus', 'numGpus', 'resources', 'priority', 'numReturns']
/** Names of the contract that this version refuses. */
const LATER = ['maxRetries', 'retryExceptions', 'timeout', 'maxCalls', 'signal', 'isolation', 'backpressure', 'captures', 'byValue', 'byReference']

export const resolveTask = (options: unknown, where: string): ResolvedTask => {
  const raw = checkOptions(options, `${where}: options`, KNOWN, LATER)
  const all = {
    name: optionalString(raw.name, 'options.name'),
    cpu: optionalAmount(raw.numCpus, 'options.numCpus'),
    gpu: optionalGpus(raw.numGpus),
    named: optionalAmounts(raw.resources, 'options.resources'),
    priority: optionalPriority(raw.priority),
    returns: optionalInteger(raw.numReturns, 'options.numReturns', 0, RETURNS_MAX),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

const optionalGpus = (value: unknown): number | undefined => {
  const parts = optionalAmount(value, 'options.numGpus')
  if (parts !== undefined && parts > PARTS && parts % PARTS !== 0) throw badRange('options.numGpus', 'less than 1, or a whole number', value)
  return parts
}

const optionalPriority = (value: unknown): number | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw badType('options.priority', '-1, 0 or 1', value)
  if (value !== -1 && value !== 0 && value !== 1) throw badRange('options.priority', '-1, 0 or 1', value)
  return value
}
