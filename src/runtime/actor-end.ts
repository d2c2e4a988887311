/** Lets go of an actor, and waits for its end where nobody else holds it. */

import { partsOf } from '../refs/object-ref.ts'
import type { ActorParts } from './actor-handle.ts'
import { current } from './current.ts'

export const disposeActor = async ({ ref }: ActorParts): Promise<void> => {
  const engine = current()?.engine
  const parts = partsOf(ref)
  if (engine === undefined || engine.runtime !== parts.origin.runtime) {
    ref[Symbol.dispose]()
    return
  }
  // Before the handle is gone: the actor's slot is there for as long as its own hold, but nobody may look for it after that.
  const end = engine.wait({ refs: [ref], count: 1 })
  ref[Symbol.dispose]()
  if (!engine.isUnheld(parts)) end.end()
  await end.done
}
