/** The object that users hold a remote class by. */

import { type Capsule, Taken } from '../codec/capsules.ts'
import { setActorHandles } from '../functions/handle.ts'
import type { Described } from '../functions/record.ts'
import { captureRefusal } from '../functions/refuse-capture.ts'
import { type ResolvedActor, resolveActor } from '../options/actor.ts'
import { type ClassTarget, classVariantOf, createActor, makeClassTarget } from './actor-class.ts'
import { disposeActor } from './actor-end.ts'
import { type ActorHandle, actorPartsOf, isActorHandle, isDisposedHandle, setDisposeHandle } from './actor-handle.ts'
import { handleOf } from './actor-methods.ts'
import { current, type Runtime } from './current.ts'
import { runtimeHere } from './remote-handle.ts'

/** Methods are own properties, which keep working when they are taken off. */
export class RemoteClassHandle extends Taken {
  readonly remote: (...args: unknown[]) => unknown
  readonly options: (options: unknown) => unknown
  /** Not there while one that came from elsewhere is made. */
  #target: ClassTarget | undefined

  constructor(target?: ClassTarget) {
    super()
    this.#target = target
    this.remote = (...args) => createActor(runtimeHere(), this.#target as ClassTarget, args)
    this.options = (options) => new RemoteClassHandle(classVariantOf(this.#target as ClassTarget, resolveActor(options, '.options()')))
  }

  /** On its way to another thread, which ships the class by itself. */
  static take(value: object): Capsule | undefined {
    if (!(#target in value)) return undefined
    const { carrier, options } = value.#target as ClassTarget
    return { template: JSON.stringify({ kind: 'remote-class' }), values: [carrier.described, options], steps: ['', "'s options"], id: '' }
  }

  static begin(): { readonly value: RemoteClassHandle; readonly finish: (values: readonly unknown[]) => void } {
    const value = new RemoteClassHandle()
    const finish = ([described, options]: readonly unknown[]): void => {
      value.#target = makeClassTarget(described as Described, options as ResolvedActor)
    }
    return { value, finish }
  }
}

setDisposeHandle(disposeActor)

setActorHandles({
  take: (value) => (isActorHandle(value) ? takeActor(value) : RemoteClassHandle.take(value as object)),
  make: (classId, ref) => handleOf((current() as Runtime).engine, { ref, classId }),
  beginClass: RemoteClassHandle.begin,
})

/** A handle on its way to another thread. */
const takeActor = (handle: ActorHandle): Capsule => {
  const { ref, classId, notes } = actorPartsOf(handle)
  if (isDisposedHandle(handle)) throw captureRefusal(`is a handle of actor ${notes.className} that was disposed`)
  return { template: JSON.stringify({ kind: 'actor', classId }), values: [ref], steps: [''], id: '' }
}
