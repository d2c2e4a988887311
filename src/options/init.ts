/** Options of `init`: raw as users write them, resolved as the driver needs them. Defaults are written here alone. */

import { statSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ResourceLimits } from 'node:worker_threads'
import { badRange, badType } from '../errors/bad-input.ts'
import { checkOptions, optionalBoolean, optionalInteger, optionalResourceLimits, optionalString } from './check.ts'
import { availableCpus, availableMemory } from './machine.ts'
import { type Amount, optionalAmount, optionalAmounts, PARTS } from './resources.ts'

export interface InitOptions {
  /** CPUs for tasks, to 0.0001: so many run at once that need one each. Default: the cores that this process may use. 0: only tasks of `numCpus: 0` run. */
  readonly numCpus?: number
  /** GPUs for tasks: a count, since tasks are only given numbers, from 0 up. Default: 0. */
  readonly numGpus?: number
  /**
   * Resources of your own by name, such as `{ db: 4 }`: tasks that need one hold it until they have ended. Default: none.
   *
   * @example
   * ```ts
   * import { get, init, remote, shutdown } from 'mobula'
   * await init({ resources: { db: 4 } })
   * const query = remote((id: number) => id, { resources: { db: 1 } }) // at most 4 at once
   * console.log(await get(query.remote(7))) // 7
   * await shutdown()
   * ```
   */
  readonly resources?: Readonly<Record<string, number>>
  /** Bytes that the object store may hold, at least 1 MiB. Default: 30 % of the memory that this process may use. Committed as it is needed. */
  readonly objectStoreMemory?: number
  /** Where objects go when the store is full: a folder on a disk. `false`: nowhere; then a full store is an `ObjectStoreFullError`. Default: the folder for temporary files, `/var/tmp` if that lies in memory, nowhere if both do. Its files have no names, and are gone with the process. */
  readonly spillDirectory?: string | false
  /** Worker threads at most, spares for blocked ones included. Default: 4 × cores + 16, and no fewer than `numCpus`. */
  readonly maxWorkers?: number
  /** Async tasks that one worker may have begun and not finished, those aside that wait for other tasks. Default: 1,000. */
  readonly asyncConcurrency?: number
  /**
   * Tasks that may be submitted and not ended, by all threads together; `.remote()` throws `PendingCallsLimitError` beyond that. Default:
   * no limit but memory.
   */
  readonly maxPendingTasks?: number
  /**
   * A module that every worker imports before its first task: a URL, or a path, which counts from the folder that the program runs in.
   * Its `await`s are waited for. If it throws, each task is a `WorkerSetupError`; after three failures in a row no more threads are tried.
   */
  readonly setup?: string | URL
  /** Scope of names. Default: random. */
  readonly namespace?: string
  /** Show what workers print, prefixed with the task's name. Default: true. */
  readonly logToDriver?: boolean
  /** A second `init` returns the running runtime instead of throwing. Default: false. */
  readonly ignoreReinitError?: boolean
  /** V8's limits for each worker thread, as for `worker_threads`. */
  readonly resourceLimits?: ResourceLimits
  /** Node's options for worker threads, instead of those of this process. Default: those of this process that a thread can have. */
  readonly execArgv?: readonly string[]
  /** Added to the environment of workers; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface ResolvedInit {
  /** CPU and named resources in parts of 1/10,000; whole GPUs. */
  readonly cpu: number
  readonly gpus: number
  readonly named: readonly Amount[]
  readonly objectStoreMemory: number
  /** Undefined: where the platform has room. */
  readonly spillDirectory: string | false | undefined
  readonly maxWorkers: number
  readonly asyncConcurrency: number
  /** Undefined: no limit. */
  readonly maxPendingTasks: number | undefined
  /** URL of a module. */
  readonly setup: string | undefined
  readonly namespace: string | undefined
  readonly logToDriver: boolean
  readonly ignoreReinitError: boolean
  readonly resourceLimits: ResourceLimits | undefined
  readonly execArgv: readonly string[] | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

const KNOWN = [
  'numCpus',
  'numGpus',
  'resources',
  'objectStoreMemory',
  'spillDirectory',
  'maxWorkers',
  'asyncConcurrency',
  'maxPendingTasks',
  'setup',
  'namespace',
  'logToDriver',
  'ignoreReinitError',
  'resourceLimits',
  'execArgv',
  'env',
]
/** Names of the contract that this version refuses. */
const LATER = ['workers', 'dashboard', 'address']

const GPUS_MAX = 4096
const STORE_MIN = 1024 * 1024
const STORE_SHARE = 0.3
const WORKERS_MAX = 4096

export const resolveInit = (options: unknown): ResolvedInit => {
  const raw = checkOptions(options, 'init: options', KNOWN, LATER)
  const cpu = optionalAmount(raw.numCpus, 'options.numCpus', WORKERS_MAX) ?? availableCpus() * PARTS
  const share = Math.max(STORE_MIN, Math.floor(availableMemory() * STORE_SHARE))
  return {
    cpu,
    gpus: optionalInteger(raw.numGpus, 'options.numGpus', 0, GPUS_MAX) ?? 0,
    named: optionalAmounts(raw.resources, 'options.resources') ?? [],
    objectStoreMemory: optionalInteger(raw.objectStoreMemory, 'options.objectStoreMemory', STORE_MIN, totalmem()) ?? share,
    spillDirectory: spillDirectory(raw.spillDirectory),
    maxWorkers: optionalInteger(raw.maxWorkers, 'options.maxWorkers', 1, WORKERS_MAX) ?? Math.max(4 * availableParallelism() + 16, Math.ceil(cpu / PARTS)),
    maxPendingTasks: optionalInteger(raw.maxPendingTasks, 'options.maxPendingTasks', 1, 2 ** 31),
    asyncConcurrency: optionalInteger(raw.asyncConcurrency, 'options.asyncConcurrency', 1, 2 ** 31) ?? 1000,
    setup: setup(raw.setup),
    namespace: optionalString(raw.namespace, 'options.namespace'),
    logToDriver: optionalBoolean(raw.logToDriver, 'options.logToDriver') ?? true,
    ignoreReinitError: optionalBoolean(raw.ignoreReinitError, 'options.ignoreReinitError') ?? false,
    resourceLimits: optionalResourceLimits(raw.resourceLimits),
    execArgv: execArgv(raw.execArgv),
    env: env(raw.env),
  }
}

const spillDirectory = (value: unknown): string | false | undefined => {
  if (value === undefined || value === false) return value
  if (typeof value !== 'string' || value === '') throw badType('options.spillDirectory', 'the path of a folder, or false', value)
  return resolve(value)
}

const SETUP_PROTOCOLS = ['file:', 'data:', 'node:']

/** A path becomes a URL here, since the folder that the program runs in may be another by the time that a worker starts. */
const setup = (value: unknown): string | undefined => {
  if (value === undefined) return undefined
  if (!(value instanceof URL) && (typeof value !== 'string' || value === '')) throw badType('options.setup', 'the URL or the path of a module', value)
  const url = value instanceof URL ? value : setupUrl(value)
  if (url === undefined || !SETUP_PROTOCOLS.includes(url.protocol)) throw badRange('options.setup', 'a path, or a URL of file:, data: or node:', value)
  if (url.protocol === 'file:' && !isFile(url)) throw badRange('options.setup', 'a module that exists', url.href)
  return url.href
}

/** A path may have a colon in it, but none that follows letters alone, which would be a URL of some kind. */
const setupUrl = (text: string): URL | undefined => {
  if (!/^[a-z]+:/i.test(text)) return pathToFileURL(resolve(text))
  return URL.canParse(text) ? new URL(text) : undefined
}

const isFile = (url: URL): boolean => {
  try {
    return statSync(url).isFile()
  } catch {
    return false
  }
}

const execArgv = (value: unknown): readonly string[] | undefined => {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw badType('options.execArgv', 'an array of strings', value)
  value.forEach((item, k) => {
    if (typeof item !== 'string') throw badType(`options.execArgv[${k}]`, 'a string', item)
  })
  return [...(value as string[])]
}

const env = (value: unknown): Readonly<Record<string, string | undefined>> => {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badType('options.env', 'an object of strings', value)
  for (const [name, item] of Object.entries(value)) {
    if (item !== undefined && typeof item !== 'string') throw badType(`options.env.${name}`, 'a string', item)
  }
  return { ...(value as Record<string, string | undefined>) }
}
