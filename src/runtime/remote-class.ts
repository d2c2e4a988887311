/** The object that users hold a remote class by. */

import { type Capsule, Taken } from '../codec/capsules.ts'
import { rootNow } from '../functions/capture-root.ts'
import { setActorHandles } from '../functions/handle.ts'
import { captureRefusal } from '../functions/refuse-capture.ts'
import { resolveActor } from '../options/actor.ts'
import { type ClassTarget, classVariantOf, createActor, madeClassTarget, takeClassTarget } from './actor-class.ts'
import { disposeActor } from './actor-end.ts'
import { type ActorHandle, actorPartsOf, isActorHandle, isDisposedHandle, setDisposeHandle } from './actor-handle.ts'
import { handleOf } from './actor-methods.ts'
import { current, type Runtime } from './current.ts'
import { runtimeHere } from './remote-handle.ts'

const targets = new WeakMap<RemoteClassHandle, ClassTarget>()

/** Methods are own properties, which keep working when they are taken off. */
export class RemoteClassHandle extends Taken {
  readonly remote: (...args: unknown[]) => unknown
  readonly options: (options: unknown) => unknown

  constructor(target: ClassTarget) {
    super()
    targets.set(this, target)
    this.remote = (...args) => createActor(runtimeHere(), target, args)
    this.options = (options) => new RemoteClassHandle(classVariantOf(target, resolveActor(options, '.options()')))
  }
}

setDisposeHandle(disposeActor)

setActorHandles({
  take: (value) => (isActorHandle(value) ? takeActor(value) : value instanceof RemoteClassHandle ? takeClass(value) : undefined),
  make: (classId, ref) => handleOf((current() as Runtime).engine, { ref, classId }),
  makeClass: (template, values, home) => new RemoteClassHandle(madeClassTarget(template, values, home)),
})

const takeClass = (handle: RemoteClassHandle): Capsule => takeClassTarget(targets.get(handle) as ClassTarget, rootNow()?.isDry === true)

/** A handle on its way to another thread. */
const takeActor = (handle: ActorHandle): Capsule => {
  const { ref, classId, notes } = actorPartsOf(handle)
  if (isDisposedHandle(handle)) throw captureRefusal(`is a handle of actor ${notes.className} that was disposed`)
  return { template: JSON.stringify({ kind: 'actor', classId }), values: [ref], steps: [''], id: '' }
}
