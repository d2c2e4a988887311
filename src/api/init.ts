/** `init` and `isInitialized`: the life of a runtime begins. */

import { startRuntime } from '../driver/start.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import { type InitOptions, resolveInit } from '../options/init.ts'
import { current, type Runtime, type RuntimeInfo } from '../runtime/current.ts'

/**
 * Starts the runtime of this thread. It need not be awaited: work submitted meanwhile is queued. The first `.remote()` or
 * `put()` does it with defaults if it was not called. In a worker it tells of the runtime that the worker belongs to.
 *
 * Costs about a millisecond; worker threads start with the first work (50-250 ms each, side by side).
 *
 * @throws {TypeError | RangeError} for a wrong option, by name
 * @throws {MobulaError} `ERR_ALREADY_INITIALIZED` if a runtime runs and `ignoreReinitError` is not set; `ERR_NOT_SUPPORTED` for an
 *   option of the contract that this version has not
 * @example
 * ```ts
 * import { init, shutdown } from 'mobula'
 * const info = await init({ numCpus: 2 })
 * console.log(info.workers) // 2
 * await shutdown()
 * ```
 */
export const init = (options?: InitOptions): Promise<RuntimeInfo> => {
  const running = current()
  if (running?.role === 'worker') return Promise.resolve(running.info)
  const resolved = resolveInit(options)
  if (running !== undefined) {
    if (resolved.ignoreReinitError) return Promise.resolve(running.info)
    throw new MobulaError('init: a runtime is running; call shutdown() first, or pass ignoreReinitError: true to keep it', {
      code: ERROR_CODES.ERR_ALREADY_INITIALIZED,
    })
  }
  return Promise.resolve(startRuntime(resolved).info)
}

/** True as soon as `init` was called, until `shutdown`. */
export const isInitialized = (): boolean => current() !== undefined

/** The thread's runtime, started with defaults if there is none. */
export const runtimeOrDefault = (): Runtime => current() ?? startRuntime(resolveInit(undefined))
