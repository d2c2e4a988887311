/** `getRuntimeContext`: where the running code is. */

import { type RuntimeContext, readContext } from '../runtime/context.ts'

/**
 * Tells which task the running code belongs to, also after an `await`, and where it runs. On a driver, and in what goes on after its
 * task has ended, there is no task. The answer is of this moment: ask again rather than keep it.
 *
 * @throws {MobulaError} `ERR_NOT_INITIALIZED` where no runtime runs
 * @example
 * ```ts
 * import { get, getRuntimeContext, remote } from 'mobula'
 * const whoami = remote(function whoami() {
 *   const { taskName, workerId } = getRuntimeContext()
 *   return `${taskName} on worker ${workerId}`
 * })
 * console.log(await get(whoami.remote())) // whoami on worker 1
 * ```
 */
export const getRuntimeContext = (): RuntimeContext => readContext()

export type { RuntimeContext }
