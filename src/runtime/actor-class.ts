/** A remote class: shipped with its first actor, which `.remote()` creates. */

import { type Capsule, encodeArgs } from '../codec/codec.ts'
import type { Callee } from '../engine/engine.ts'
import { badType, nearest } from '../errors/bad-input.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import { type ClassNotes, groupNumber, type MethodNotes } from '../functions/actor-class.ts'
import { concurrencyOf, methodsOf } from '../functions/methods.ts'
import type { AnyClass, Described } from '../functions/record.ts'
import { HELD } from '../functions/retryable.ts'
import type { RemoteClassTemplate, RemoteTemplate } from '../functions/template.ts'
import { actorTermsOf, checkTogether, type ResolvedActor } from '../options/actor.ts'
import { type ResolvedCall, resolveMethods } from '../options/actor-call.ts'
import { BACKPRESSURE } from '../options/task.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import type { ActorHandle } from './actor-handle.ts'
import { handleOf } from './actor-methods.ts'
import type { Runtime } from './current.ts'
import { checkRefs, madeTarget, makeTarget, type RemoteTarget, takeAlong, takeTarget, variantOf } from './remote.ts'

export interface ClassTarget {
  readonly options: ResolvedActor
  /** What ships, as a function does. */
  readonly carrier: RemoteTarget
  /** What is known of its methods, if it came from elsewhere. */
  readonly notes: ClassNotes | undefined
  /** In the runtime that it was last shipped to. */
  shipped: Shipped | undefined
}

interface Shipped extends Callee {
  readonly runtime: number
}

/** What decides what a class takes along. */
const carried = ({ captures, byValue, byReference, retryable }: ResolvedActor): object => ({
  ...(captures !== undefined && { captures }),
  ...(byValue !== undefined && { byValue }),
  ...(byReference !== undefined && { byReference }),
  ...(retryable !== undefined && { retryable }),
})

export const makeClassTarget = (described: Described, options: ResolvedActor): ClassTarget => ({
  options,
  carrier: makeTarget(described, carried(options)),
  notes: undefined,
  shipped: undefined,
})

/** A remote class on its way to another thread. */
export const takeClassTarget = (target: ClassTarget, isDry: boolean): Capsule => {
  const { options, carrier } = target
  const { template, values, steps } = takeTarget(carrier, isDry, takeAlong)
  const { captures: _, byValue: __, byReference: ___, retryable: ____, ...travelling } = options
  const whole: RemoteClassTemplate = {
    kind: 'remote class',
    options: JSON.stringify(travelling),
    notes: JSON.stringify(notesOf(target)),
    carrier: template,
  }
  return { template: JSON.stringify(whole), values, steps, id: '' }
}

/** The target of a remote class that came from another thread. */
export const madeClassTarget = ({ options, notes, carrier }: RemoteClassTemplate, values: readonly unknown[], home: ObjectRef | undefined): ClassTarget => ({
  options: JSON.parse(options) as ResolvedActor,
  carrier: madeTarget(JSON.parse(carrier) as RemoteTemplate, values, home),
  notes: JSON.parse(notes) as ClassNotes,
  shipped: undefined,
})

/** The same class with other options. */
export const classVariantOf = ({ options, carrier, notes }: ClassTarget, changed: ResolvedActor): ClassTarget => ({
  options: { ...options, ...changed },
  carrier: variantOf(carrier, carried(changed)),
  notes,
  shipped: undefined,
})

/** Creates an actor, or finds the one of its name. The arguments are taken now; nothing is queued if one of them, or the class, cannot travel. */
export const createActor = ({ engine, info }: Runtime, target: ClassTarget, args: readonly unknown[]): ActorHandle => {
  const { options, carrier } = target
  checkTogether(options)
  let { shipped } = target
  if (shipped === undefined || shipped.runtime !== engine.runtime) shipped = ship(engine, target)
  const encoded = encodeArgs(args, carrier.name)
  checkRefs(encoded.deps)
  checkRefs(encoded.refs)
  const name = options.name === undefined ? undefined : { namespace: options.namespace ?? info.namespace, name: options.name }
  const found = engine.createActor(shipped, encoded, name)
  if (!found.isNew && options.getIfExists !== true) {
    found.ref[Symbol.dispose]()
    throw new MobulaError(
      `there is an actor named '${options.name}' in namespace '${name?.namespace}'. Nothing was created: choose another name, say getIfExists: true, or end it by kill(getActor('${options.name}')).`,
      { code: ERROR_CODES.ERR_ACTOR_NAME },
    )
  }
  return handleOf(engine, found)
}

const ship = (engine: Runtime['engine'], target: ClassTarget): Shipped => {
  const { options, carrier } = target
  const notes = notesOf(target)
  const { source, env } = takeAlong(carrier)
  const { cpu = 0, gpu = 0, named = [] } = options
  const id = engine.define({
    name: carrier.name,
    source,
    isAsync: false,
    cpu,
    gpu,
    named,
    priority: 0,
    returns: 1,
    retries: 0,
    limit: undefined,
    notes: JSON.stringify(notes),
    actor: actorTermsOf({ ...options, concurrency: notes.concurrency }),
  })
  const shipped: Shipped = { runtime: engine.runtime, id, env }
  target.shipped = shipped
  return shipped
}

const notesOf = ({ options, carrier: { described, name }, notes }: ClassTarget): ClassNotes => {
  const { groups = [], callRetries = 0, resourceLimits, retryable, pendingMax } = options
  const isHeld = typeof retryable === 'object' && 'held' in retryable
  const common = {
    className: name,
    groups,
    callRetries,
    ...(resourceLimits !== undefined && { resourceLimits }),
    ...(pendingMax !== undefined && { isBounded: true as const }),
    ...(notes?.retryable !== undefined && { retryable: notes.retryable }),
    ...(retryable !== undefined && { retryable: isHeld ? (HELD as typeof HELD) : retryable }),
  }
  if (described.kind !== 'function')
    return { ...common, methods: notes?.methods, fields: notes?.fields, concurrency: options.concurrency ?? notes?.concurrency ?? 0 }
  const Class = described.fn as unknown as AnyClass
  const { names, fields, isOpen, hasAsync, generators } = methodsOf(Class)
  const own = resolveMethods((Class as unknown as { methods?: unknown }).methods, name)
  checkMethods(Object.keys(own), names, { name, isOpen })
  const methods = Object.fromEntries(names.map((method) => [method, methodNotes(method, own[method] ?? {}, { name, groups, generators })]))
  return { ...common, methods, fields: isOpen ? undefined : fields, concurrency: options.concurrency ?? concurrencyOf(hasAsync) }
}

const checkMethods = (said: readonly string[], names: readonly string[], { name, isOpen }: { readonly name: string; readonly isOpen: boolean }): void => {
  for (const method of said) {
    if (names.includes(method) || isOpen) continue
    const near = nearest(method, names)
    throw new TypeError(`class ${name}: static methods names '${method}', which is no method of it${near === undefined ? '' : `; did you mean '${near}'?`}`)
  }
}

const methodNotes = (
  method: string,
  { name, limit, returns, group, retries, retryable, backpressure, signal }: ResolvedCall,
  Class: { readonly name: string; readonly groups: ClassNotes['groups']; readonly generators: readonly string[] },
): MethodNotes => {
  if (signal !== undefined) throw badType(`class ${Class.name}: static methods.${method}.signal`, 'to be left out: a signal belongs to one call', signal)
  if (group !== undefined) groupNumber(Class.groups, group, `class ${Class.name}: static methods.${method}.concurrencyGroup`)
  const isHeld = typeof retryable === 'object' && 'held' in retryable
  const stream = Class.generators.includes(method) ? (backpressure ?? BACKPRESSURE) : undefined
  return {
    ...(stream !== undefined && { stream }),
    ...(name !== undefined && { name }),
    ...(returns !== undefined && { returns }),
    ...(group !== undefined && { group }),
    ...(retries !== undefined && { retries }),
    ...(limit !== undefined && { limit }),
    ...(retryable !== undefined && { retryable: isHeld ? ('static' as const) : retryable }),
  }
}
