/** Waits for objects and reads their values. */

import { type DecodeOptions, decode } from '../codec/codec.ts'
import type { ActorReason, Engine, Outcome } from '../engine/engine.ts'
import { soon } from '../engine/microtask.ts'
import { shown } from '../errors/bad-input.ts'
import {
  ActorDiedError,
  ActorUnavailableError,
  DeadlockError,
  GetTimeoutError,
  ObjectFreedError,
  ObjectLostError,
  OutOfMemoryError,
  ShutdownError,
  TaskCancelledError,
  TaskTimeoutError,
  WorkerCrashedError,
} from '../errors/errors.ts'
import { fromCode } from '../errors/from-code.ts'
import { setupError } from '../errors/setup-error.ts'
import { taskError } from '../errors/task-error.ts'
import { loadMissing, type Missing, mayImportHere, noteClass, takeMissing } from '../functions/classes.ts'
import { changeStacks, mapStack } from '../functions/stacks.ts'
import type { Limits } from '../options/get.ts'
import { beginUse, endUse, type ObjectRef } from '../refs/object-ref.ts'
import { limited, ownerOf } from './limits.ts'
import { type RunningTask, runningTask } from './running.ts'

export interface GetRequest extends Limits {
  readonly refs: readonly ObjectRef[]
  /** Private, ordinary memory instead of views. */
  readonly copy: boolean
}

const AS_VIEWS: DecodeOptions = { alias: true, onUnknownClass: noteClass }
const AS_COPIES: DecodeOptions = { alias: false, onUnknownClass: noteClass }

/** Values in the order of the refs. The first failure rejects at once. */
export const getValues = async (engine: Engine, request: GetRequest): Promise<unknown[]> => {
  const { refs } = request
  for (let k = 0; k < refs.length; k++) beginUse(refs[k] as ObjectRef)
  try {
    return await valuesOf(engine, request)
  } finally {
    for (let k = 0; k < refs.length; k++) endUse(refs[k] as ObjectRef)
  }
}

const valuesOf = async (engine: Engine, request: GetRequest): Promise<unknown[]> => {
  const status = await limited(engine.wait({ refs: request.refs, owner: ownerOf(request) }), request)
  if (status === 'stopped') throw stoppedFirst()
  if (typeof status !== 'string') throw status
  if (status === 'ended') throw timedOut(request)
  for (;;) {
    takeMissing()
    try {
      const values = readAll(engine, request)
      if (values === undefined) throw neverSettled(request.refs)
      return values
    } catch (error) {
      // What was thrown, or what came back, may be of a class that a module exports which can be had here.
      const missing = takeMissing()
      if (missing === undefined || !(await loadMissing(missing, mayImportHere))) throw error
    }
  }
}

/** The `get` of one ref without limits: it is looked for, and waited for, together with all others of this turn. */
interface Asked {
  readonly ref: ObjectRef
  readonly copy: boolean
  /** Its wait is over. */
  mustBeThere: boolean
  /** It holds its ref no longer. */
  isOver: boolean
  /** The task that asks, if one does. */
  readonly task: RunningTask | undefined
  resolve(value: unknown): void
  reject(error: unknown): void
}

let asked: Asked[] = []
/** The engine that those belong to. */
let askedOf: Engine | undefined

/** So many turns in a row may be answered without one of the event loop, in which finalizers run. */
const STRAIGHT_MAX = 16
let straight = 0
/** The last look gave views, which hold memory of the store until a finalizer runs. */
let gaveViews = false

/** The value of one ref. */
export const getValue = (engine: Engine, ref: ObjectRef, copy: boolean): Promise<unknown> => {
  const task = runningTask()
  if (task?.ended !== undefined) return Promise.reject(task.ended)
  beginUse(ref)
  return new Promise((resolve, reject) => ask(engine, { ref, copy, mustBeThere: false, isOver: false, task, resolve, reject }))
}

const ask = (engine: Engine, one: Asked): void => {
  if (askedOf !== engine && asked.length > 0) answerAsked()
  askedOf = engine
  if (asked.push(one) === 1) soon(answerAsked)
}

const answerAsked = (): void => {
  const all = asked
  const engine = askedOf
  if (engine === undefined || all.length === 0) return
  asked = []
  straight = (straight + 1) % STRAIGHT_MAX
  // What is there at once is answered without a wait, two crossings less; but now and then finalizers must run.
  const mayLook = straight !== 0 && !gaveViews
  const looked = mayLook ? all : all.filter((one) => one.mustBeThere)
  const waiting = mayLook ? [] : all.filter((one) => !one.mustBeThere)
  gaveViews = false
  const refs = new Array<ObjectRef>(looked.length)
  for (let k = 0; k < looked.length; k++) refs[k] = (looked[k] as Asked).ref
  try {
    engine.fetch(refs, (position, outcome) => {
      const one = looked[position] as Asked
      if (outcome.state === 'pending' && !one.mustBeThere) waiting.push(one)
      else answer(engine, one, outcome)
    })
    for (let k = 0; k < waiting.length; k++) watch(engine, waiting[k] as Asked)
    if (waiting.length > 0) engine.flush()
  } catch (error) {
    // The runtime was shut down meanwhile. Who was answered already hears nothing of it.
    for (const one of all) giveUp(one, fromCode(error))
  }
}

/** Lets go of the ref, once, whoever comes first. */
const end = (one: Asked): void => {
  if (!one.isOver) endUse(one.ref)
  one.isOver = true
}

const giveUp = (one: Asked, error: unknown): void => {
  end(one)
  one.reject(error)
}

const watch = (engine: Engine, one: Asked): void => {
  if (one.task?.ended !== undefined) {
    giveUp(one, one.task.ended)
    return
  }
  let unhook: (() => void) | undefined
  const watch = engine.watch(
    one.ref,
    (status) => {
      unhook?.()
      if (one.isOver) return
      if (status === 'stopped') {
        giveUp(one, stoppedFirst())
        return
      }
      if (typeof status !== 'string') {
        giveUp(one, status)
        return
      }
      one.mustBeThere = true
      ask(engine, one)
    },
    one.task,
  )
  unhook = one.task?.whenEnded((reason) => {
    giveUp(one, reason)
    engine.endWatch(watch)
  })
}

const answer = (engine: Engine, one: Asked, outcome: Outcome): void => {
  const { ref, copy } = one
  takeMissing()
  let failure: unknown
  try {
    if (outcome.state === 'value') {
      const { value } = outcome
      gaveViews ||= value.alias
      one.resolve(decode(value, value.alias && !copy ? AS_VIEWS : AS_COPIES))
      end(one)
      return
    }
    failure = outcome.state === 'pending' ? neverSettled([ref]) : errorOf(outcome, ref)
  } catch (error) {
    failure = error
  }
  const missing = takeMissing()
  if (missing === undefined) giveUp(one, failure)
  else one.resolve(again(engine, one, { missing, failure }).finally(() => end(one)))
}

/** Once more, with the classes that were missing, if they can be had here. */
const again = async (
  engine: Engine,
  { ref, copy }: Asked,
  { missing, failure }: { readonly missing: Missing; readonly failure: unknown },
): Promise<unknown> => {
  if (!(await loadMissing(missing, mayImportHere))) throw failure
  const [value] = await getValues(engine, { refs: [ref], copy, timeout: undefined, signal: undefined })
  return value
}

/** The same, blocking this thread. */
export const getValuesSync = (engine: Engine, request: GetRequest): unknown[] => {
  straight = (straight + 1) % STRAIGHT_MAX
  if (straight !== 0 && request.refs.length === 1) {
    const values = readAll(engine, request)
    if (values !== undefined) return values
  }
  const timeout = request.timeout ?? Number.POSITIVE_INFINITY
  if (!engine.waitSync({ refs: request.refs }, timeout)) throw timedOut(request)
  const values = readAll(engine, request)
  if (values === undefined) throw neverSettled(request.refs)
  return values
}

const stoppedFirst = (): ShutdownError => new ShutdownError('the runtime was shut down before the value was there')

const neverSettled = (refs: readonly ObjectRef[]): DeadlockError =>
  new DeadlockError(`${refs.length === 1 ? refs[0] : `one of ${refs.length} refs`} was reported as settled and is not: please report this`)

const timedOut = ({ refs, timeout }: GetRequest): GetTimeoutError => {
  const what = refs.length === 1 ? String(refs[0]) : `${refs.length} refs`
  return new GetTimeoutError(`get: no value of ${what} within ${timeout} ms. The work goes on; a later get can succeed.`)
}

/** Reads settled objects. Throws the first failure, by position among those that are settled. Undefined: one is not settled. */
const readAll = (engine: Engine, { refs, copy }: GetRequest): unknown[] | undefined => {
  const values = new Array<unknown>(refs.length)
  let failure: { error: unknown } | undefined
  let isPending = false
  engine.fetch(refs, (position, outcome) => {
    if (failure !== undefined) return
    if (outcome.state === 'pending') {
      isPending = true
    } else if (outcome.state === 'value') {
      const { value } = outcome
      if (value.alias) gaveViews = true
      values[position] = decode(value, value.alias && !copy ? AS_VIEWS : AS_COPIES)
    } else failure = { error: errorOf(outcome, refs[position] as ObjectRef) }
  })
  if (failure !== undefined) throw failure.error
  return isPending ? undefined : values
}

/**
 * Every other end of a thread leaves an exit code or a text: `process.exit` and uncaught errors emit `exit` in the thread, and whoever
 * calls `terminate` is noticed. V8 at its limit ends it without another line of JavaScript.
 */
const outOfMemory = ({ taskName, attempt }: { readonly taskName: string; readonly attempt: number }): OutOfMemoryError =>
  new OutOfMemoryError(
    `the worker that ran task '${taskName}'${afterRetries(attempt)} reached the limit of its heap, by this task or by others on the same thread. Keep less at a time, put large data into the store (put, createBuffer), or raise init({ resourceLimits: { maxOldGenerationSizeMb } }).`,
  )

const afterRetries = (attempt: number): string => (attempt === 0 ? '' : ` (attempt ${attempt + 1})`)

type OfActor = Extract<Outcome, { state: 'actor-died' | 'actor-broken' | 'actor-unavailable' }>

const actorError = (outcome: OfActor): unknown => {
  if (outcome.state === 'actor-unavailable') return new ActorUnavailableError(outcome.text, { reason: 'restarting' })
  const { actorName } = outcome
  if (outcome.state === 'actor-died')
    return new ActorDiedError(`actor ${actorName} has ended: ${END_TEXTS[outcome.reason]}${outcome.text === '' ? '' : `: ${outcome.text}`}`, {
      reason: outcome.reason,
    })
  const cause = decode(outcome.value, AS_COPIES)
  changeStacks(cause, mapStack)
  const what = cause instanceof Error ? `${cause.name}: ${cause.message}` : shown(cause)
  return new ActorDiedError(`actor ${actorName} has ended: its constructor threw ${what}`, { reason: 'constructor', cause })
}

const END_TEXTS: Readonly<Record<ActorReason, string>> = {
  killed: 'it was killed by kill()',
  exited: 'it ended itself by exitActor()',
  'out of scope': 'nobody had a handle to it any more',
  crashed: 'its worker died, and maxRestarts allows no further start',
  neighbour: 'another actor on the same thread ended the thread, and maxRestarts allows no further start',
  constructor: 'its constructor threw',
}

/** The error of an outcome that is no value. */
export const errorOf = (outcome: Exclude<Outcome, { state: 'pending' | 'value' }>, ref: ObjectRef): unknown => {
  switch (outcome.state) {
    case 'thrown': {
      const thrown = decode(outcome.value, AS_COPIES)
      changeStacks(thrown, mapStack)
      return taskError(thrown, { taskName: outcome.taskName, attempt: outcome.attempt })
    }
    case 'crashed': {
      if (outcome.exitCode === null && outcome.text === '') return outOfMemory(outcome)
      const code = outcome.exitCode === null ? '' : ` (exit code ${outcome.exitCode})`
      const why = outcome.text === '' ? '' : `: ${outcome.text}`
      return new WorkerCrashedError(`the worker that ran task '${outcome.taskName}'${afterRetries(outcome.attempt)} died${code}${why}`, {
        exitCode: outcome.exitCode,
        signal: null,
      })
    }
    case 'cancelled':
      return new TaskCancelledError(`task '${outcome.taskName}' was cancelled`)
    case 'timed-out':
      return new TaskTimeoutError(`task '${outcome.taskName}'${afterRetries(outcome.attempt)} took longer than its timeout of ${outcome.limit} ms`)
    case 'actor-died':
    case 'actor-broken':
    case 'actor-unavailable':
      return actorError(outcome)
    case 'setup':
      return setupError(outcome.text)
    case 'unreadable':
      return outcome.error
    case 'freed':
      return new ObjectFreedError(`${ref}: its value was freed`)
    case 'lost':
      return new ObjectLostError(`${ref}: its value was lost`)
    case 'gone':
      return new ObjectLostError(`${ref}: its value is gone, since nothing referred to it any more`)
  }
}
