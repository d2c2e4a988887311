/** Waits for objects and reads their values. */

import { decode } from '../codec/codec.ts'
import type { Engine, Outcome } from '../engine/engine.ts'
import { DeadlockError, GetTimeoutError, ObjectFreedError, ObjectLostError, ShutdownError, WorkerCrashedError, WorkerSetupError } from '../errors/errors.ts'
import { taskError } from '../errors/task-error.ts'
import { loadClasses, mayImportHere, noteIn } from '../functions/classes.ts'
import type { Limits } from '../options/get.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { limited } from './limits.ts'

export interface GetRequest extends Limits {
  readonly refs: readonly ObjectRef[]
  /** Private, ordinary memory instead of views. */
  readonly copy: boolean
}

/** So many gets in a row may do without news of the runtime and, unless they block, a turn of the loop, in which finalizers run. */
const STRAIGHT_MAX = 16
let straight = 0
/** The last get gave views, which hold memory of the store until a finalizer runs. */
let gaveViews = false

/** Whether to look first and wait only if the value is not there: two crossings less, and no turn of the loop. */
const mayLookFirst = ({ refs, signal }: GetRequest): boolean => {
  if (refs.length !== 1 || signal !== undefined) return false
  straight = (straight + 1) % STRAIGHT_MAX
  return straight !== 0
}

/** Values in the order of the refs. The first failure rejects at once. */
export const getValues = async (engine: Engine, request: GetRequest): Promise<unknown[]> => {
  let mustBeThere = false
  const settled = async (): Promise<void> => {
    const status = await limited(engine.wait({ refs: request.refs }), request)
    if (status === 'stopped') throw new ShutdownError('the runtime was shut down before the value was there')
    if (status === 'ended') throw timedOut(request)
    mustBeThere = true
  }
  if (gaveViews || !mayLookFirst(request)) await settled()
  for (;;) {
    const missing = new Set<string>()
    try {
      const values = readAll(engine, request, missing)
      if (values !== undefined) return values
      if (mustBeThere) throw neverSettled(request)
    } catch (error) {
      // What was thrown, or what came back, may be of a class that a module exports which can be had here.
      if (missing.size === 0 || !(await loadClasses(missing, mayImportHere))) throw error
      continue
    }
    await settled()
  }
}

/** The same, blocking this thread. */
export const getValuesSync = (engine: Engine, request: GetRequest): unknown[] => {
  if (mayLookFirst(request)) {
    const values = readAll(engine, request, new Set())
    if (values !== undefined) return values
  }
  const timeout = request.timeout ?? Number.POSITIVE_INFINITY
  if (!engine.waitSync({ refs: request.refs }, timeout)) throw timedOut(request)
  const values = readAll(engine, request, new Set())
  if (values === undefined) throw neverSettled(request)
  return values
}

const neverSettled = ({ refs }: GetRequest): DeadlockError =>
  new DeadlockError(`${refs.length === 1 ? refs[0] : `one of ${refs.length} refs`} was reported as settled and is not: please report this`)

const timedOut = ({ refs, timeout }: GetRequest): GetTimeoutError => {
  const what = refs.length === 1 ? String(refs[0]) : `${refs.length} refs`
  return new GetTimeoutError(`get: no value of ${what} within ${timeout} ms. The work goes on; a later get can succeed.`)
}

/** Reads settled objects. Throws the first failure, by position among those that are settled. Undefined: one is not settled. */
const readAll = (engine: Engine, { refs, copy }: GetRequest, missing: Set<string>): unknown[] | undefined => {
  const values = new Array<unknown>(refs.length)
  let failure: { error: unknown } | undefined
  let isPending = false
  gaveViews = false
  const onUnknownClass = noteIn(missing)
  const asViews = { alias: true, onUnknownClass }
  const asCopies = { alias: false, onUnknownClass }
  engine.fetch(refs, (position, outcome) => {
    if (failure !== undefined) return
    if (outcome.state === 'pending') {
      isPending = true
    } else if (outcome.state === 'value') {
      const { value } = outcome
      if (value.alias) gaveViews = true
      values[position] = decode(value, value.alias && !copy ? asViews : asCopies)
    } else failure = { error: errorOf(outcome, refs[position] as ObjectRef, missing) }
  })
  if (failure !== undefined) throw failure.error
  return isPending ? undefined : values
}

/** The error of an outcome that is no value. */
export const errorOf = (outcome: Exclude<Outcome, { state: 'pending' | 'value' }>, ref: ObjectRef, missing: Set<string>): unknown => {
  switch (outcome.state) {
    case 'thrown': {
      const thrown = decode(outcome.value, { alias: false, onUnknownClass: noteIn(missing) })
      return taskError(thrown, { taskName: outcome.taskName })
    }
    case 'crashed': {
      const code = outcome.exitCode === null ? '' : ` (exit code ${outcome.exitCode})`
      const why = outcome.text === '' ? '' : `: ${outcome.text}`
      return new WorkerCrashedError(`the worker that ran task '${outcome.taskName}' died${code}${why}`, { exitCode: outcome.exitCode, signal: null })
    }
    case 'setup':
      return new WorkerSetupError(`no worker could be started: ${outcome.text}`)
    case 'freed':
      return new ObjectFreedError(`${ref}: its value was freed`)
    case 'gone':
      return new ObjectLostError(`${ref}: its value is gone, since nothing referred to it any more`)
  }
}
