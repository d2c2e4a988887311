/** `actorId`: what identifies an actor. */

import { actorPartsOf } from '../runtime/actor-handle.ts'
import { checkActor } from '../runtime/check-actor.ts'
import type { AnyActorHandle } from './actor-types.ts'

/**
 * The 128-bit id of an actor as hexadecimal text: the same for all handles to it, on all threads.
 *
 * @throws {TypeError} for what is no handle of an actor's
 * @example
 * ```ts
 * import { actorId, get, remote } from 'mobula'
 * const Thing = remote(class Thing { id = 1 })
 * const thing = Thing.remote()
 * const same = remote((other: typeof thing) => actorId(other))
 * console.log((await get(same.remote(thing))) === actorId(thing)) // true
 * ```
 */
export const actorId = (actor: AnyActorHandle): string => actorPartsOf(checkActor(actor, 'actor')).ref.id
