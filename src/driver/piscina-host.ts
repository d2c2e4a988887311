/** Owns one worker thread by way of a Piscina of one: piscina sees the thread, never a task. */

import { createRequire } from 'node:module'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ResourceLimits } from 'node:worker_threads'
import type { Piscina } from 'piscina'

export interface ThreadOptions {
  readonly boot: URL
  readonly data: unknown
  readonly env: NodeJS.ProcessEnv
  readonly execArgv: readonly string[] | undefined
  readonly resourceLimits: ResourceLimits | undefined
  /** Somebody, also the user's own code, is about to terminate the thread. */
  onTerminate(): void
  /** The thread is gone, for whatever reason, once. */
  onExit(code: number, error: unknown): void
}

export interface Thread {
  stop(): Promise<void>
  /** At once; native code that it is in ends first. */
  terminate(): void
}

type PiscinaModule = { readonly Piscina: typeof Piscina }

/** Loaded with the first thread: a worker that imports this package, and a program that only defines tasks, do without. */
const loadPiscina = (): typeof Piscina => (createRequire(import.meta.url)('piscina') as PiscinaModule).Piscina

/** Milliseconds that a starting thread is given before it is ended all the same. */
const BOOT_PATIENCE = 1000

/** Starts a thread. It takes its first message also while this thread blocks. */
export const startThread = (options: ThreadOptions): Thread => {
  const Pool = loadPiscina()
  const pool = new Pool({
    filename: fileURLToPath(options.boot),
    name: 'boot',
    minThreads: 1,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    concurrentTasksPerWorker: 1,
    // A waiting piscina would freeze the thread's event loop, in which our own loop lives.
    atomics: 'disabled',
    recordTiming: false,
    workerData: options.data,
    env: options.env as Record<string, string>,
    ...(options.execArgv === undefined ? {} : { execArgv: [...options.execArgv] }),
    ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
  })
  // Whether and when a dead thread is replaced is the runtime's decision.
  pool.options.minThreads = 0
  let failure: unknown
  const [thread] = pool.threads
  thread?.on('error', (error: unknown) => {
    failure = error
  })
  if (thread !== undefined) {
    const { terminate } = thread
    thread.terminate = (...callback: []) => {
      options.onTerminate()
      return terminate.apply(thread, callback)
    }
  }
  thread?.once('exit', (code: number) => {
    options.onExit(code, failure)
    void pool.destroy()
  })
  // Errors reach the thread's own 'error' event as well; here they would only end the process.
  pool.on('error', () => {})
  const ready = pool.run(undefined).catch((error: unknown) => {
    failure ??= error
    void pool.destroy()
  })
  return {
    terminate: () => void thread?.terminate(),
    stop: async () => {
      // A thread that is cut off while it reads its modules leaves their files open.
      const patience = new AbortController()
      await Promise.race([ready, setTimeout(BOOT_PATIENCE, undefined, { signal: patience.signal }).catch(() => {})])
      patience.abort()
      await pool.destroy()
    },
  }
}
