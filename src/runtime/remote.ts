/** A remote function: what was described once, shipped on the first call, and submitted on each. */

import { encodeArgs } from '../codec/codec.ts'
import { PendingCallsLimitError, ShutdownError } from '../errors/errors.ts'
import type { ShippedFunction } from '../functions/record.ts'
import { type ResolvedTask, termsOf } from '../options/task.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { cancelOn } from './cancel-on.ts'
import { checkRef, type Runtime, refStopped } from './current.ts'

export interface RemoteTarget {
  readonly shipped: ShippedFunction
  readonly name: string
  readonly options: ResolvedTask
  /** The function's id in the runtime that it was last shipped to. */
  readonly id: { runtime: number; value: number }
}

export const makeTarget = (shipped: ShippedFunction, options: ResolvedTask): RemoteTarget => ({
  shipped,
  name: options.name ?? shipped.name,
  options,
  id: { runtime: -1, value: -1 },
})

/** Queues one call. The arguments are taken now; nothing is queued if one of them cannot travel. */
export const submitCall = ({ engine }: Runtime, target: RemoteTarget, args: readonly unknown[]): ObjectRef | ObjectRef[] | undefined => {
  if (!engine.hasRoom()) {
    throw new PendingCallsLimitError(
      `task '${target.name}': as many tasks are unfinished as init({ maxPendingTasks }) allows. Nothing was queued: await some of them (wait, asCompleted), then call again.`,
    )
  }
  const encoded = encodeArgs(args, target.name)
  checkRefs(encoded.deps)
  checkRefs(encoded.refs)
  if (target.id.runtime !== engine.runtime) {
    const { source, isAsync } = target.shipped
    target.id.value = engine.define({ name: target.name, source: JSON.stringify(source), isAsync, ...termsOf(target.options) })
    target.id.runtime = engine.runtime
  }
  const { returns = 1, signal } = target.options
  if (returns > 1) {
    const refs = engine.submitMany(target.id.value, encoded, returns)
    if (signal !== undefined) cancelOn(signal, engine, refs[0] as ObjectRef)
    return refs
  }
  const ref = engine.submit(target.id.value, encoded)
  if (signal !== undefined) cancelOn(signal, engine, ref)
  if (returns === 1) return ref
  // Nobody has a use for it; the task goes on.
  ref[Symbol.dispose]()
  return undefined
}

const checkRefs = (refs: readonly ObjectRef[]): void => {
  for (let k = 0; k < refs.length; k++) {
    const stopped = refStopped(checkRef(refs[k], 'args'))
    if (stopped !== undefined) throw new ShutdownError(stopped.message)
  }
}
