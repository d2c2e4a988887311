/** The object that users hold a remote function by, wherever it was made. */

import { rootNow } from '../functions/capture-root.ts'
import { Handle, setHandles } from '../functions/handle.ts'
import { resolveTask, type TaskOptions } from '../options/task.ts'
import { current, type Runtime } from './current.ts'
import { bindTarget, madeTarget, type RemoteTarget, submitCall, takeHandle, variantOf } from './remote.ts'

let startDefault: (() => Runtime) | undefined

/** A driver's first call starts the runtime; workers have one. */
export const setDefaultRuntime = (start: () => Runtime): void => {
  startDefault = start
}

export const runtimeHere = (): Runtime => {
  const runtime = current() ?? startDefault?.()
  if (runtime === undefined) throw new Error('a remote function was called in a thread without a runtime: please report this')
  return runtime
}

/** Methods are own properties, which keep working when they are taken off. */
export class RemoteHandle extends Handle {
  readonly remote: (...args: unknown[]) => unknown
  readonly options: (options: TaskOptions) => unknown

  constructor(target: RemoteTarget) {
    super()
    bindTarget(this, target)
    this.remote = (...args) => submitCall(runtimeHere(), target, args)
    this.options = (options) => new RemoteHandle(variantOf(target, resolveTask(options, '.options()')))
  }
}

setHandles({
  take: (handle) => takeHandle(handle, rootNow()?.isDry === true),
  make: (template, values, home) => new RemoteHandle(madeTarget(template, values, home)),
})
