/** Options of remote classes: raw as users write them, resolved as the creation of an actor needs them. Defaults are written here alone. */

import type { ResourceLimits } from 'node:worker_threads'
import { badRange, badType, notSupported } from '../errors/bad-input.ts'
import { optionalRetryable, type Retryable } from '../functions/retryable.ts'
import { checkOptions, optionalBoolean, optionalInteger, optionalRecord, optionalResourceLimits, optionalString, optionalStrings } from './check.ts'
import { type Amount, optionalAmount, optionalAmounts, optionalGpus } from './resources.ts'
import { COUNT_MAX, type TaskOptions } from './task.ts'

export interface ActorOptions extends Pick<TaskOptions, 'captures' | 'byValue' | 'byReference' | 'retryExceptions'> {
  /**
   * Found by it with `getActor`. Unique among the living actors of a namespace.
   *
   * @example
   * ```ts
   * import { get, getActor, remote } from 'mobula'
   * const Counter = remote(class Counter { n = 0; add(k: number) { this.n += k; return this.n } })
   * const counter = Counter.options({ name: 'hits' }).remote()
   * console.log(await get(getActor<typeof Counter>('hits').add.remote(5)), counter === undefined) // 5 false
   * ```
   */
  readonly name?: string
  /** Scope of the name. Default: that of `init({ namespace })`. */
  readonly namespace?: string
  /** If there is an actor of that name, `.remote()` gives a handle to it, and its arguments are not used. Default: `false`, then it throws. */
  readonly getIfExists?: boolean
  /** `'scoped'`: ends, after its queued calls, when the last handle is gone anywhere. `'detached'`: lives until `kill` or `shutdown`. Default: `'scoped'`. */
  readonly lifetime?: 'scoped' | 'detached'
  /** CPUs that it holds while it lives. An actor that holds none runs beside whatever runs. Default: 0. */
  readonly numCpus?: number
  /** GPUs that it holds while it lives. Default: 0. */
  readonly numGpus?: number
  /** Named resources that it holds while it lives. Default: none. */
  readonly resources?: Readonly<Record<string, number>>
  /** How often its constructor runs again, with the same arguments, after its worker died or `kill(actor, { noRestart: false })`; -1: for ever. Default: 0. */
  readonly maxRestarts?: number
  /** How often a call is made again after the actor was lost under it, or after it threw what `retryExceptions` says; -1: for ever. Default: 0: at most once. */
  readonly maxTaskRetries?: number
  /**
   * Calls that may go on at once. A call goes on while its promise has not settled. Default: 1, so that calls run one after another; 1,000
   * if the class has a method that is declared `async`.
   */
  readonly maxConcurrency?: number
  /** Groups of methods, each with a limit of its own: methods of one group do not hold up another's. A method is put into one by `static methods`, or for a call by `.options({ concurrencyGroup })`. */
  readonly concurrencyGroups?: Readonly<Record<string, number>>
  /** Calls that may be made and not have ended: then `.remote()` throws `PendingCallsLimitError`. Default: no limit. */
  readonly maxPendingCalls?: number
  /** Calls of one caller begin in the order in which their arguments are there, not in which they were made. Default: `false`. */
  readonly allowOutOfOrder?: boolean
  /** `'thread'`: a thread to itself, however many actors there are. */
  readonly isolation?: 'thread'
  /** Limits of memory for the actor's thread, which it has to itself, and which is started for it. Default: those of `init`, of a thread that is there. */
  readonly resourceLimits?: ResourceLimits
}

/** What was said; what was not takes the default, or what the class had before. */
export interface ResolvedActor {
  readonly name?: string
  readonly namespace?: string
  readonly getIfExists?: boolean
  readonly lifetime?: 'scoped' | 'detached'
  readonly cpu?: number
  readonly gpu?: number
  readonly named?: readonly Amount[]
  readonly restarts?: number
  readonly callRetries?: number
  readonly retryable?: Retryable
  readonly concurrency?: number
  readonly groups?: readonly (readonly [name: string, limit: number])[]
  readonly pendingMax?: number
  readonly outOfOrder?: boolean
  readonly isOwn?: boolean
  readonly resourceLimits?: ResourceLimits
  readonly captures?: Readonly<Record<string, unknown>>
  readonly byValue?: readonly string[]
  readonly byReference?: readonly string[]
}

/** On what terms the actors of a class live, all of it said. */
export interface ActorTerms {
  /** How often each may be made anew after it lost its instance; -1: for ever. */
  readonly restarts: number
  /** Calls that may go on at once; 0: as the class says, once it is there. */
  readonly concurrency: number
  /** The same for each group of methods, from number 1 on. */
  readonly groups: readonly number[]
  /** Calls of one caller begin in the order in which they were made. */
  readonly inOrder: boolean
  /** Calls that may be made and not have ended. */
  readonly pendingMax?: number
  /** Each has a thread to itself. */
  readonly isOwn: boolean
  /** That thread is started for it. */
  readonly isSingle: boolean
  /** They live until somebody kills them. */
  readonly isDetached: boolean
}

const KNOWN = [
  'name',
  'namespace',
  'getIfExists',
  'lifetime',
  'numCpus',
  'numGpus',
  'resources',
  'maxRestarts',
  'maxTaskRetries',
  'retryExceptions',
  'maxConcurrency',
  'concurrencyGroups',
  'maxPendingCalls',
  'allowOutOfOrder',
  'isolation',
  'resourceLimits',
  'captures',
  'byValue',
  'byReference',
]
export const resolveActor = (options: unknown, where: string): ResolvedActor => {
  const raw = checkOptions(options, `${where}: options`, KNOWN, [])
  const all = {
    name: optionalName(raw.name, 'options.name'),
    namespace: optionalName(raw.namespace, 'options.namespace'),
    getIfExists: optionalBoolean(raw.getIfExists, 'options.getIfExists'),
    lifetime: optionalLifetime(raw.lifetime),
    cpu: optionalAmount(raw.numCpus, 'options.numCpus'),
    gpu: optionalGpus(raw.numGpus),
    named: optionalAmounts(raw.resources, 'options.resources'),
    restarts: optionalInteger(raw.maxRestarts, 'options.maxRestarts', -1, COUNT_MAX),
    callRetries: optionalInteger(raw.maxTaskRetries, 'options.maxTaskRetries', -1, COUNT_MAX),
    retryable: optionalRetryable(raw.retryExceptions),
    concurrency: optionalInteger(raw.maxConcurrency, 'options.maxConcurrency', 1, COUNT_MAX),
    groups: optionalGroups(raw.concurrencyGroups),
    pendingMax: optionalInteger(raw.maxPendingCalls, 'options.maxPendingCalls', 1, COUNT_MAX),
    outOfOrder: optionalBoolean(raw.allowOutOfOrder, 'options.allowOutOfOrder'),
    isOwn: optionalIsolation(raw.isolation),
    resourceLimits: optionalResourceLimits(raw.resourceLimits),
    captures: optionalRecord(raw.captures, 'options.captures'),
    byValue: optionalStrings(raw.byValue, 'options.byValue'),
    byReference: optionalStrings(raw.byReference, 'options.byReference'),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** What only makes sense together is checked when an actor is created: variants may have said the rest. */
export const checkTogether = ({ name, namespace, getIfExists }: ResolvedActor): void => {
  if (name !== undefined) return
  if (getIfExists === true) throw badType('options.name', 'a name, since options.getIfExists asks for one', name)
  if (namespace !== undefined) throw badType('options.name', 'a name, since options.namespace is given', name)
}

export const optionalName = (value: unknown, argument: string): string | undefined => {
  const name = optionalString(value, argument)
  if (name === '') throw badRange(argument, 'a name that is not empty', name)
  return name
}

const optionalLifetime = (value: unknown): 'scoped' | 'detached' | undefined => {
  if (value === undefined || value === 'scoped' || value === 'detached') return value
  if (typeof value !== 'string') throw badType('options.lifetime', "'scoped' or 'detached'", value)
  throw badRange('options.lifetime', "'scoped' or 'detached'", value)
}

const optionalIsolation = (value: unknown): true | undefined => {
  if (value === undefined) return undefined
  if (value === 'process') throw notSupported("options.isolation 'process'")
  if (typeof value !== 'string') throw badType('options.isolation', "'thread'", value)
  if (value !== 'thread') throw badRange('options.isolation', "'thread'", value)
  return true
}

const optionalGroups = (value: unknown): ResolvedActor['groups'] => {
  const groups = optionalRecord(value, 'options.concurrencyGroups')
  if (groups === undefined) return undefined
  return Object.entries(groups).map(([name, limit]) => {
    const argument = `options.concurrencyGroups.${name}`
    if (limit === undefined) throw badType(argument, 'a number', limit)
    return [name, optionalInteger(limit, argument, 1, COUNT_MAX) as number] as const
  })
}

/** On what terms actors live, all of it said. */
export const actorTermsOf = ({
  restarts = 0,
  concurrency = 0,
  groups = [],
  outOfOrder = false,
  pendingMax,
  isOwn = false,
  resourceLimits,
  lifetime,
}: ResolvedActor): ActorTerms => ({
  restarts,
  concurrency,
  groups: groups.map(([, limit]) => limit),
  inOrder: !outOfOrder,
  ...(pendingMax !== undefined && { pendingMax }),
  isOwn: isOwn || resourceLimits !== undefined,
  isSingle: resourceLimits !== undefined,
  isDetached: lifetime === 'detached',
})
