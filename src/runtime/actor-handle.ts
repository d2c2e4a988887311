/** The object that users hold an actor by. */

import { Taken } from '../codec/capsules.ts'
import type { ClassNotes } from '../functions/actor-class.ts'
import type { ObjectRef } from '../refs/object-ref.ts'

const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never

/** What the runtime needs to know of a handle. */
export interface ActorParts {
  /** Of the actor itself. It is no object that could be gotten. */
  readonly ref: ObjectRef
  readonly classId: number
  readonly notes: ClassNotes
}

let partsIn: (handle: ActorHandle) => ActorParts
let isOne: (value: object) => boolean
let wasDisposed: (handle: ActorHandle) => boolean
let setDisposed: (handle: ActorHandle) => void

/** Methods of handles are named by users: nothing else may have a name here. */
export class ActorHandle extends Taken {
  readonly #parts: ActorParts
  #isDisposed = false

  constructor(parts: ActorParts) {
    super()
    this.#parts = parts
  }

  /** Lets go of this handle. If it was the last, waits until the actor has ended, after its queued calls. */
  async [Symbol.asyncDispose](): Promise<void> {
    await disposeHandle(this)
  }

  static {
    Object.defineProperty(this.prototype, INSPECT, {
      value(this: ActorHandle): string {
        const { notes, ref } = this.#parts
        return `ActorHandle(${notes.className}, ${ref.id})`
      },
    })
    partsIn = (handle) => handle.#parts
    isOne = (value) => #parts in value
    wasDisposed = (handle) => handle.#isDisposed
    setDisposed = (handle) => {
      handle.#isDisposed = true
    }
  }
}

export const isActorHandle = (value: unknown): value is ActorHandle => typeof value === 'object' && value !== null && isOne(value)

export const actorPartsOf = (handle: ActorHandle): ActorParts => partsIn(handle)

export const isDisposedHandle = (handle: ActorHandle): boolean => wasDisposed(handle)

let disposeHandle: (handle: ActorHandle) => Promise<void>

/** What it takes to wait for an actor's end is further up. */
export const setDisposeHandle = (dispose: (parts: ActorParts) => Promise<void>): void => {
  disposeHandle = async (handle) => {
    if (wasDisposed(handle)) return
    setDisposed(handle)
    await dispose(partsIn(handle))
  }
}
