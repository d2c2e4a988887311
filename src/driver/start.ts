/** Starts the runtime of this thread: the addon's half now, worker threads when there is work for them. */

import { availableParallelism } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { running, start as startNative, version } from '../binding.ts'
import { LocalEngine } from '../engine/local/engine.ts'
import { forgetNames } from '../engine/local/fetch.ts'
import { Port } from '../engine/local/port.ts'
import { randomHex } from '../engine/local/random.ts'
import { badRange } from '../errors/bad-input.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import type { ResolvedInit } from '../options/init.ts'
import { byName, PARTS } from '../options/resources.ts'
import { current, type Runtime, setCurrent } from '../runtime/current.ts'
import { WorkerHost } from './worker-host.ts'

/** The runtime is there when this returns; what is submitted from now on is queued. */
export const startRuntime = (options: ResolvedInit): Runtime => {
  if (running() !== 0) throw inUse()
  const { cpu, gpus, named } = options
  const memory = { capacity: options.objectStoreMemory, views: viewMode(), hugePages: wantsHugePages() }
  const budget = { cpu, gpus, named: [...named] }
  const threads = { workersMax: options.maxWorkers, hostsMax: actorThreads(options.maxWorkers, cpu), asyncMax: options.asyncConcurrency }
  const limits = options.maxPendingTasks === undefined ? {} : { pendingMax: options.maxPendingTasks }
  const copyThreads = copyThreadsWished()
  const id = startStore(options, { ...budget, ...threads, ...limits, ...memory, ...(copyThreads && { copyThreads }) })
  forgetNames()
  const namespace = options.namespace ?? randomHex(8)
  const host = new WorkerHost(options)
  const port = new Port({
    role: 'driver',
    runtime: id,
    onWanted: (count) => host.add(count),
    onWantedFor: (actor, classId) => host.addFor(actor, classId),
    onDoomed: (start) => host.terminate(start),
    // A runtime that was started meanwhile is none of its business.
    onStopped: () => {
      if (current()?.engine.runtime === id) setCurrent(undefined)
    },
  })
  const engine = new LocalEngine({ runtime: id, port, stopThreads: () => host.stop() })
  const runtime: Runtime = {
    engine,
    role: 'driver',
    nodeId: randomHex(16),
    workerId: undefined,
    info: Object.freeze({
      jobId: randomHex(8),
      namespace,
      workers: Math.min(Math.max(1, Math.ceil(cpu / PARTS)), options.maxWorkers),
      resources: byName([{ name: 'CPU', parts: cpu }, { name: 'GPU', parts: gpus * PARTS }, ...named]),
      objectStoreMemory: options.objectStoreMemory,
      node: process.versions.node,
      version,
    }),
  }
  host.runtime = runtime
  setCurrent(runtime)
  return runtime
}

type Start = Parameters<typeof startNative>[0]

/** The only thing about a start that cannot be checked before is whether files can be made in a folder. */
const startStore = ({ spillDirectory }: ResolvedInit, start: Omit<Start, 'spills' | 'spillDirectory'>): number => {
  const spills = spillDirectory !== false
  if (typeof spillDirectory !== 'string') return startNative({ ...start, spills })
  try {
    return startNative({ ...start, spills, spillDirectory })
  } catch (cause) {
    const error = badRange('options.spillDirectory', 'a folder in which files can be made', spillDirectory)
    error.cause = cause
    throw error
  }
}

/** So many threads may run actors: then actors share them. One at least, and enough are left for tasks. */
const actorThreads = (maxWorkers: number, cpu: number): number => {
  const forTasks = Math.max(1, Math.ceil(cpu / PARTS))
  return Math.max(1, Math.min(Math.max(16, 4 * availableParallelism()), maxWorkers - forTasks))
}

/** How readers see stored bytes; the addon knows what the platform does best. */
const viewMode = (): string => {
  const mode = process.env.MOBULA_VIEWS ?? ''
  if (!['', 'private', 'copy', 'shared'].includes(mode)) throw badRange('MOBULA_VIEWS', "'private', 'copy' or 'shared'", mode)
  return mode
}

/** Whether the store takes its memory in huge pages where it can. */
const wantsHugePages = (): boolean => {
  const wish = process.env.MOBULA_HUGE_PAGES ?? ''
  if (!['', '0', '1'].includes(wish)) throw badRange('MOBULA_HUGE_PAGES', "'0' or '1'", wish)
  return wish !== '0'
}

/** How many threads may copy one large value into the store together; the addon knows what is best. */
const copyThreadsWished = (): number | undefined => {
  const wish = process.env.MOBULA_COPY_THREADS ?? ''
  if (wish === '') return undefined
  const count = Number(wish)
  if (!Number.isInteger(count) || count < 1 || count > 64) throw badRange('MOBULA_COPY_THREADS', 'a whole number from 1 to 64', wish)
  return count
}

const inUse = (): MobulaError => {
  const where = isMainThread ? 'another copy of mobula, or another thread of this process,' : 'another thread of this process'
  return new MobulaError(`${where} runs a runtime already, and using it from here is not supported in this version`, {
    code: ERROR_CODES.ERR_NOT_SUPPORTED,
  })
}
