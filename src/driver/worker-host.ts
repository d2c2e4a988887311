/** Brings worker threads up and down, as the runtime wants them. */

import { inspect } from 'node:util'
import type { ResourceLimits } from 'node:worker_threads'
import { actorThreadEnded, executeThread, threadEnded, threadTerminating } from '../binding.ts'
import type { Stored } from '../engine/local/port.ts'
import { classNotesOf } from '../functions/actor-class.ts'
import { programEntries } from '../functions/entry.ts'
import { projectRoot } from '../functions/project.ts'
import type { ResolvedInit } from '../options/init.ts'
import type { Runtime } from '../runtime/current.ts'
import type { WorkerStart } from '../worker/start.ts'
import { inheritableExecArgv } from './exec-argv.ts'
import { startThread, type Thread } from './piscina-host.ts'
import { tsxRegistration } from './tsx.ts'

export class WorkerHost {
  /** Known before the first thread is wanted. */
  runtime: Runtime | undefined
  readonly #options: ResolvedInit
  readonly #byStart = new Map<number, Thread>()
  #serial = 0
  #isStopping = false

  constructor(options: ResolvedInit) {
    this.#options = options
  }

  add(count: number): void {
    for (let k = 0; k < count && !this.#isStopping; k++) this.#start(undefined, this.#options.resourceLimits)
  }

  /** A thread for an actor alone, with limits of its own. */
  addFor(actor: Stored, classId: number): void {
    const { resourceLimits } = classNotesOf((this.runtime as Runtime).engine.definition(classId)?.notes ?? '{}')
    if (!this.#isStopping) this.#start(actor, { ...this.#options.resourceLimits, ...resourceLimits })
  }

  #start(actor: Stored | undefined, resourceLimits: ResourceLimits | undefined): void {
    const options = this.#options
    const { engine, info, nodeId } = this.runtime as Runtime
    const data: WorkerStart = {
      loop: new URL(import.meta.url.endsWith('.ts') ? '../worker/loop.ts' : '../worker/loop.js', import.meta.url).href,
      tsx: tsxRegistration(),
      runtime: engine.runtime,
      actor,
      workerId: ++this.#serial,
      logToDriver: options.logToDriver,
      setup: options.setup,
      info,
      nodeId,
      entries: programEntries(),
      root: projectRoot(),
    }
    let thread: Thread
    try {
      thread = startThread({
        boot: new URL('../worker/boot.mjs', import.meta.url),
        data,
        env: mergedEnv(options.env),
        execArgv: options.execArgv ?? inheritableExecArgv(process.execArgv),
        resourceLimits,
        onTerminate: () => threadTerminating(data.workerId),
        onExit: (code, error) => {
          this.#byStart.delete(data.workerId)
          // Whether it had taken part before is known in Rust, also while this thread blocks.
          if (!this.#isStopping) ended(data, reasonOf(code, error))
        },
      })
    } catch (error) {
      // Node refuses an option, or the system another thread: the work that wants it is told.
      ended(data, reasonOf(0, error))
      return
    }
    this.#byStart.set(data.workerId, thread)
  }

  /** The runtime gave this thread up, unless it has come back meanwhile. */
  terminate(start: number): void {
    if (executeThread(start)) this.#byStart.get(start)?.terminate()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all([...this.#byStart.values()].map((thread) => thread.stop()))
  }
}

const ended = ({ workerId, actor }: WorkerStart, reason: string): void => {
  if (actor === undefined) threadEnded(workerId, reason)
  else actorThreadEnded(actor.slot, actor.generation, workerId, reason)
}

const mergedEnv = (added: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv => {
  const env = { ...process.env, ...added }
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name]
  return env
}

/** Longer reasons are cut: they travel in records. */
const REASON_MAX = 4000

/** Errors that crossed from a thread may have lost their class on the way. */
const reasonOf = (code: number, error: unknown): string => {
  if (error === undefined) return `the thread ended with exit code ${code} before it was ready`
  const text = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error)
  return text.slice(0, REASON_MAX)
}
