/** Refuses what is no handle of an actor's, by argument name, synchronously. */

import type { Engine } from '../engine/engine.ts'
import { badType } from '../errors/bad-input.ts'
import { ShutdownError } from '../errors/errors.ts'
import { type ObjectRef, partsOf } from '../refs/object-ref.ts'
import { type ActorHandle, isActorHandle } from './actor-handle.ts'
import { current } from './current.ts'

export const checkActor = (value: unknown, argument: string): ActorHandle => {
  if (!isActorHandle(value)) throw badType(argument, "a handle of an actor's", value)
  return value
}

/** The engine of an actor, if that still runs. */
export const engineOfActor = (ref: ObjectRef, where: string): Engine => {
  const engine = current()?.engine
  if (engine === undefined || engine.runtime !== partsOf(ref).origin.runtime)
    throw new ShutdownError(`${where}: the runtime that this actor belongs to was shut down`)
  return engine
}
