/** Remote functions among values: what they are made of is known where they are submitted. */

import { type Capsule, Taken } from '../codec/capsules.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import type { RemoteTemplate } from './template.ts'

/** What `remote` gives extends it. */
export class Handle extends Taken {}

/** A function and what its options hold: what its calls bring along. */
export class TaskParts extends Taken {
  readonly fn: unknown
  readonly held: unknown

  constructor(fn: unknown, held: unknown) {
    super()
    this.fn = fn
    this.held = held
  }
}

interface Handles {
  take(handle: Handle): Capsule
  /** `home`: the object that the handle was found in, for functions that call themselves. */
  make(template: RemoteTemplate, values: readonly unknown[], home: ObjectRef | undefined): Handle
}

let handles: Handles | undefined

export const setHandles = (all: Handles): void => {
  handles = all
}

interface ActorHandles {
  /** `undefined`: it is no handle of an actor's, and no remote class. */
  take(value: unknown): Capsule | undefined
  make(classId: number, ref: ObjectRef): unknown
  /** A remote class that is there before what it is made of: its class may refer to it. */
  beginClass(): { readonly value: object; readonly finish: (values: readonly unknown[]) => void }
}

let actors: ActorHandles | undefined

export const setActorHandles = (all: ActorHandles): void => {
  actors = all
}

const actorsHere = (): ActorHandles => {
  if (actors === undefined) throw new Error("a handle of an actor's came to a thread that knows none: please report this")
  return actors
}

export const makeActor = (classId: number, ref: ObjectRef): unknown => actorsHere().make(classId, ref)

export const beginRemoteClass: ActorHandles['beginClass'] = () => actorsHere().beginClass()

export const makeRemoteClass = (values: readonly unknown[]): unknown => {
  const { value, finish } = beginRemoteClass()
  finish(values)
  return value
}

export const takeRemote = (value: unknown): Capsule | undefined => {
  if (value instanceof Handle) return handles?.take(value)
  if (value instanceof Taken && !(value instanceof TaskParts)) return actors?.take(value)
  if (!(value instanceof TaskParts)) return undefined
  return { template: '{"kind":"task"}', values: [value.fn, value.held], steps: ['', ', whose option retryExceptions'], id: '' }
}

let home: ObjectRef | undefined
/** Those that a function of theirs calls again. */
const homes = new WeakSet<ObjectRef>()

/** Whether somebody made of what was read `withHome` of this ref holds it. */
export const isHome = (ref: ObjectRef): boolean => homes.has(ref)

/** What is decoded in `read` is the object behind `ref`. */
export const withHome = <T>(ref: ObjectRef | undefined, read: () => T): T => {
  const before = home
  home = ref
  try {
    return read()
  } finally {
    home = before
  }
}

export const makeHandle = (template: RemoteTemplate, values: readonly unknown[]): Handle => {
  if (handles === undefined) throw new Error('a remote function came to a thread that knows none: please report this')
  if (template.how === 'self' && home !== undefined) homes.add(home)
  return handles.make(template, values, home)
}
