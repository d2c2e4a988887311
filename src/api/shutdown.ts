/** `shutdown`: the life of a runtime ends. */

import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import { current, setCurrent } from '../runtime/current.ts'

let stopping: Promise<void> | undefined

/**
 * Stops the runtime: running work ends, pending `get` and `wait` reject with `ShutdownError`, worker threads are gone when the
 * promise resolves. Idempotent; afterwards `init()` works again. A program whose work is done needs no `shutdown`: it exits by
 * itself. Views gotten before stay readable.
 *
 * @throws {MobulaError} `ERR_NOT_SUPPORTED` in a worker: a task cannot end the runtime that it runs in
 * @example
 * ```ts
 * import { init, shutdown } from 'mobula'
 * await init()
 * await shutdown()
 * ```
 */
export const shutdown = (): Promise<void> => {
  const runtime = current()
  if (runtime === undefined) return stopping ?? Promise.resolve()
  if (runtime.role === 'worker') {
    throw new MobulaError('shutdown: a task cannot end the runtime that it runs in; call it where init was called', {
      code: ERROR_CODES.ERR_NOT_SUPPORTED,
    })
  }
  setCurrent(undefined)
  stopping = runtime.engine.stop().finally(() => {
    stopping = undefined
  })
  return stopping
}
