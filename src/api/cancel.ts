/** `cancel`: ends work that nobody wants any more. */

import { badType } from '../errors/bad-input.ts'
import { checkOptions, optionalBoolean } from '../options/check.ts'
import { type ObjectRef, partsOf } from '../refs/object-ref.ts'
import { isRefGenerator, type ObjectRefGenerator, streamOf } from '../refs/object-ref-generator.ts'
import { checkRef, refStopped } from '../runtime/current.ts'
import { runtimeOrDefault } from './init.ts'

export interface CancelOptions {
  /** Also ends code that does not let go of its thread: the thread is replaced. Default: false. */
  readonly force?: boolean
  /** With all tasks that the task submitted. Default: true. */
  readonly recursive?: boolean
}

/**
 * Cancels the task behind a ref. The ref, and those of all tasks that depend on it, reject with `TaskCancelledError` at once. What was
 * not begun never is. What runs goes on until it lets go: an async task's `getRuntimeContext().signal` fires, and what it awaits by
 * `get` or `wait` rejects; a `getSync` throws. Other synchronous code runs to its end, and nobody sees what it comes to, unless
 * `force` is set: then a thread that does not come back to its event loop within 10 ms (within 1 s, if the task is async) is ended and
 * replaced. Of a stream, the next ref and `completed()` reject, and what was yielded is let go of; the producer's `finally` blocks run. The task's CPU, resources and arguments are in use until its code has really ended. A cancelled task is not run again.
 *
 * No effect on a ref of `put`, or of a task that has ended.
 *
 * @throws {TypeError} for what is no ref, and for unknown options; {@link ShutdownError} for a ref of a runtime that was shut down
 * @example
 * ```ts
 * import { cancel, get, remote, TaskCancelledError } from 'mobula'
 * const sleep = remote(async (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)))
 * const ref = sleep.remote(60_000)
 * cancel(ref)
 * await get(ref).catch((error) => console.log(error instanceof TaskCancelledError)) // true
 * ```
 */
export const cancel = (ref: ObjectRef<unknown> | ObjectRefGenerator<unknown>, options?: CancelOptions): void => {
  const raw = checkOptions(options, 'cancel: options', ['force', 'recursive'], [])
  const force = optionalBoolean(raw.force, 'options.force') ?? false
  const recursive = optionalBoolean(raw.recursive, 'options.recursive') ?? true
  const stream = isRefGenerator(ref) ? streamOf(ref) : undefined
  const checked = stream?.task ?? checkRef(ref, 'ref')
  const stopped = refStopped(checked)
  if (stopped !== undefined) throw stopped
  const { engine } = runtimeOrDefault()
  if (force && engine.isActorCall(partsOf(checked)))
    throw badType(
      'options.force',
      "false for a call of an actor's, since other calls would go with its thread (end the actor by kill, or leave force out)",
      force,
    )
  if (stream !== undefined) stream.cancel(force, recursive)
  else engine.cancel({ task: partsOf(checked), force, recursive })
}
