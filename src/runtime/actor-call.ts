/** A method of an actor: defined with its first call, and sent to the actor's mailbox on each. */

import { encode, encodeArgs } from '../codec/codec.ts'
import type { Callee, Engine } from '../engine/engine.ts'
import { nearest } from '../errors/bad-input.ts'
import { ActorDiedError, PendingCallsLimitError, ShutdownError } from '../errors/errors.ts'
import { type ClassNotes, groupNumber } from '../functions/actor-class.ts'
import { TaskParts } from '../functions/handle.ts'
import { HELD } from '../functions/retryable.ts'
import { type ResolvedCall, resolveCall } from '../options/actor-call.ts'
import type { CallNotes } from '../options/task.ts'
import { type ObjectRef, partsOf } from '../refs/object-ref.ts'
import type { ObjectRefGenerator } from '../refs/object-ref-generator.ts'
import { type ActorHandle, actorPartsOf, isDisposedHandle } from './actor-handle.ts'
import { cancelOn } from './cancel-on.ts'
import { current } from './current.ts'
import { checkRefs, submitSeveral } from './remote.ts'
import { openStream } from './stream.ts'

/** What each call brings along is what its options hold. */
interface Defined extends Callee {
  /** What errors call it. */
  readonly title: string
  readonly engine: Engine
  readonly returns: number
  readonly isGenerator: boolean
  readonly group: number
}

export class ActorMethod {
  /** Queues a call. Own properties, which keep working when they are taken off. */
  readonly remote: (...args: unknown[]) => unknown
  /** The same method with other options, for calls made through it. */
  readonly options: (options: unknown) => ActorMethod

  constructor(handle: ActorHandle, name: string, options: ResolvedCall) {
    let defined: Defined | undefined
    this.remote = (...args) => {
      defined = definedHere(handle, name, options, defined)
      return submit(handle, { defined, signal: options.signal }, args)
    }
    this.options = (more) => {
      checkMethod(actorPartsOf(handle).notes, name)
      const changed = resolveCall(more, `${name}.options()`)
      const { notes } = actorPartsOf(handle)
      if (changed.group !== undefined) groupNumber(notes.groups, changed.group, 'options.concurrencyGroup')
      return new ActorMethod(handle, name, { ...options, ...changed })
    }
  }
}

const checkMethod = ({ className, methods, fields }: ClassNotes, name: string): void => {
  if (methods === undefined || Object.hasOwn(methods, name) || fields === undefined || fields.includes(name)) return
  const near = nearest(name, Object.keys(methods))
  const known = near === undefined ? `it has ${Object.keys(methods).join(', ') || 'none'}` : `did you mean '${near}'?`
  throw new TypeError(`actor ${className} has no method '${name}'; ${known}`)
}

const definedHere = (handle: ActorHandle, name: string, options: ResolvedCall, known: Defined | undefined): Defined => {
  const { ref, notes } = actorPartsOf(handle)
  const engine = current()?.engine
  if (engine === undefined || engine.runtime !== partsOf(ref).origin.runtime)
    throw new ShutdownError(`${notes.className}.${name}: the runtime that this actor belongs to was shut down`)
  if (isDisposedHandle(handle))
    throw new ActorDiedError(`${notes.className}.${name}: this handle was disposed; keep another, or get one by getActor`, { reason: 'disposed' })
  return known?.engine === engine ? known : define(engine, notes, name, options)
}

const define = (engine: Engine, notes: ClassNotes, name: string, options: ResolvedCall): Defined => {
  checkMethod(notes, name)
  const said = notes.methods?.[name]
  const returns = options.returns ?? said?.returns ?? 1
  const stream = streamOf(notes, name, options)
  const isGenerator = stream !== undefined
  const groupName = options.group ?? said?.group
  const group = groupName === undefined ? 0 : groupNumber(notes.groups, groupName, `${notes.className}.${name}: concurrencyGroup`)
  const { retryable } = options
  const held = typeof retryable === 'object' && 'held' in retryable ? retryable.held : undefined
  const noted = held !== undefined ? HELD : ((retryable as CallNotes['retryable']) ?? said?.retryable ?? (notes.retryable === HELD ? 'actor' : notes.retryable))
  const callNotes: CallNotes = { group, ...(noted !== undefined && { retryable: noted }), ...(isGenerator && returns > 1 && { isSeveral: true }) }
  const id = engine.define({
    name: options.name ?? said?.name ?? `${notes.className}.${name}`,
    source: JSON.stringify({ kind: 'method', name, env: held !== undefined }),
    isAsync: false,
    cpu: 0,
    gpu: 0,
    named: [],
    priority: 0,
    returns,
    retries: options.retries ?? said?.retries ?? notes.callRetries,
    limit: options.limit ?? said?.limit,
    notes: JSON.stringify(callNotes),
    isMethod: true,
    ...(isGenerator && returns === 1 && { stream }),
  })
  const env = held === undefined ? undefined : engine.put(encode(new TaskParts(undefined, held), `${notes.className}.${name}`))
  return { engine, id, title: `${notes.className}.${name}`, returns, isGenerator, group, env }
}

/** How many items of a call may be there that nobody has taken; undefined: it is no generator, as far as that is known. */
const streamOf = ({ methods }: ClassNotes, name: string, { backpressure }: ResolvedCall): number | undefined => {
  // A class of another module, or a field: nobody has looked at it.
  if (methods === undefined || !Object.hasOwn(methods, name)) return backpressure
  const said = methods[name]?.stream
  return said === undefined ? undefined : (backpressure ?? said)
}

interface Called {
  readonly defined: Defined
  readonly signal: AbortSignal | undefined
}

const submit = (handle: ActorHandle, { defined, signal }: Called, args: readonly unknown[]): ObjectRef | ObjectRef[] | ObjectRefGenerator | undefined => {
  const { engine, title, returns, isGenerator, group } = defined
  const { ref: actor, notes } = actorPartsOf(handle)
  const parts = partsOf(actor)
  if (notes.isBounded === true && !engine.hasRoomForCall(parts))
    throw new PendingCallsLimitError(
      `${title}: as many calls of this actor are unfinished as maxPendingCalls allows. Nothing was queued: await some of them, then call again.`,
    )
  if (!engine.hasRoom())
    throw new PendingCallsLimitError(
      `${title}: as many tasks are unfinished as init({ maxPendingTasks }) allows. Nothing was queued: await some of them (wait, asCompleted), then call again.`,
    )
  const encoded = encodeArgs(args, title)
  checkRefs(encoded.deps)
  checkRefs(encoded.refs)
  const to = { actor: parts, group }
  if (returns > 1) return submitSeveral(engine, encoded, { callee: defined, returns, isGenerator, signal, to })
  const ref = engine.submit(defined, encoded, to)
  if (signal !== undefined) cancelOn(signal, engine, ref)
  if (returns === 1) return isGenerator ? openStream(engine, ref) : ref
  ref[Symbol.dispose]()
  return undefined
}
