/** `kill`: ends an actor now. */

import { checkOptions, optionalBoolean } from '../options/check.ts'
import { partsOf } from '../refs/object-ref.ts'
import { actorPartsOf } from '../runtime/actor-handle.ts'
import { checkActor, engineOfActor } from '../runtime/check-actor.ts'
import type { AnyActorHandle } from './actor-types.ts'

export interface KillOptions {
  /** `false`: its constructor runs again, as after a crash, if `maxRestarts` allows. Default: `true`. */
  readonly noRestart?: boolean
}

/**
 * Ends an actor at once: its queued calls and those that are under way reject with `ActorDiedError` (reason `'killed'`), later calls too.
 * Code of it that runs is told by `getRuntimeContext().signal`; synchronous code that does not return within 10 ms is ended with its
 * thread, within 1 s if other actors share the thread. Killing an actor that has ended has no effect.
 *
 * @throws {TypeError} for what is no handle of an actor's, and for unknown options; {@link ShutdownError} for one of a runtime that was shut down
 * @example
 * ```ts
 * import { get, kill, remote } from 'mobula'
 * const Endless = remote(class Endless { run() { for (;;); } })
 * const endless = Endless.remote()
 * const ref = endless.run.remote()
 * kill(endless)
 * await get(ref).catch((error) => console.log(error.name)) // ActorDiedError
 * ```
 */
export const kill = (actor: AnyActorHandle, options?: KillOptions): void => {
  const raw = checkOptions(options, 'kill: options', ['noRestart'], [])
  const noRestart = optionalBoolean(raw.noRestart, 'options.noRestart') ?? true
  const { ref } = actorPartsOf(checkActor(actor, 'actor'))
  engineOfActor(ref, 'kill').killActor(partsOf(ref), noRestart)
}
