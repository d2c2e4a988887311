/** `getRuntimeContext`: where the running code is. */

import { type RuntimeContext as Context, readContext } from '../runtime/context.ts'
import type { ActorHandle } from './actor-types.ts'

export interface RuntimeContext extends Omit<Context, 'actor'> {
  /** A handle to the actor whose code this is, for others to call it by: it keeps the actor alive as any handle does. Undefined outside of actors. */
  // biome-ignore lint/suspicious/noExplicitAny: of whatever class
  readonly actor: ActorHandle<any> | undefined
}

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
export const getRuntimeContext = (): RuntimeContext => readContext() as RuntimeContext
