/** Handles with a method for each method of their class. */

import type { Engine, FoundActor } from '../engine/engine.ts'
import { type ClassNotes, classNotesOf } from '../functions/actor-class.ts'
import { ActorMethod } from './actor-call.ts'
import { ActorHandle, type ActorParts, isActorHandle } from './actor-handle.ts'

/** Names that are asked of any object, to find out what it is: an actor's method must be known to be there. */
const ASKED_OF_ALL = new Set(['then', 'toJSON', 'constructor', 'prototype', 'nodeType', 'tagName', 'asymmetricMatch', '$$typeof', 'hasAttribute', 'inspect'])

type Made = new (parts: ActorParts) => ActorHandle

/** By what is known of their class: handles with its methods. */
const made = new WeakMap<ClassNotes, Made>()

const makeMade = (notes: ClassNotes): Made => {
  class Handle extends ActorHandle {}
  Object.defineProperty(Handle, 'name', { value: 'ActorHandle' })
  const names = notes.methods === undefined ? [] : Object.keys(notes.methods)
  for (const name of names) {
    Object.defineProperty(Handle.prototype, name, {
      configurable: true,
      enumerable: false,
      get(this: ActorHandle): ActorMethod {
        return methodOf(this, name)
      },
    })
  }
  // Asked only for what none of the above has.
  const others = new Proxy(ActorHandle.prototype, {
    get(target, name, handle) {
      if (typeof name === 'symbol' || ASKED_OF_ALL.has(name)) return Reflect.get(target, name, handle) as unknown
      return isActorHandle(handle) ? methodOf(handle, name) : undefined
    },
  })
  Object.setPrototypeOf(Handle.prototype, others)
  return Handle
}

/** Made once for each handle: it is its own property after that. */
const methodOf = (handle: ActorHandle, name: string): ActorMethod => {
  const method = new ActorMethod(handle, name, {})
  Object.defineProperty(handle, name, { value: method, enumerable: false, configurable: true })
  return method
}

export const makeActorHandle = (parts: ActorParts): ActorHandle => {
  let Made = made.get(parts.notes)
  if (Made === undefined) {
    Made = makeMade(parts.notes)
    made.set(parts.notes, Made)
  }
  return new Made(parts)
}

/** A handle to an actor that was created or found. */
export const handleOf = (engine: Engine, { ref, classId }: FoundActor): ActorHandle =>
  makeActorHandle({ ref, classId, notes: classNotesOf(engine.definition(classId)?.notes ?? '') })
