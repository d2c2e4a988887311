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

/** Values in the order of the refs. The first failure rejects at once. */
export const getValues = async (engine: Engine, request: GetRequest): Promise<unknown[]> => {
  const status = await limited(engine.wait({ refs: request.refs }), request)
  if (status === 'stopped') throw new ShutdownError('the runtime was shut down before the value was there')
  if (status === 'ended') throw timedOut(request)
  for (;;) {
    const missing = new Set<string>()
    try {
      return readAll(engine, request, missing)
    } catch (error) {
      // What was thrown, or what came back, may be of a class that a module exports which can be had here.
      if (missing.size === 0 || !(await loadClasses(missing, mayImportHere))) throw error
    }
  }
}

/** The same, blocking this thread. */
export const getValuesSync = (engine: Engine, request: GetRequest): unknown[] => {
  const timeout = request.timeout ?? Number.POSITIVE_INFINITY
  if (!engine.waitSync({ refs: request.refs }, timeout)) throw timedOut(request)
  return readAll(engine, request, new Set())
}

const timedOut = ({ refs, timeout }: GetRequest): GetTimeoutError => {
  const what = refs.length === 1 ? String(refs[0]) : `${refs.length} refs`
  return new GetTimeoutError(`get: no value of ${what} within ${timeout} ms. The work goes on; a later get can succeed.`)
}

/** Reads settled objects. Throws the first failure, by position among those that are settled. */
const readAll = (engine: Engine, { refs, copy }: GetRequest, missing: Set<string>): unknown[] => {
  const values = new Array<unknown>(refs.length)
  let failure: { error: unknown } | undefined
  let pending = -1
  const onUnknownClass = noteIn(missing)
  engine.fetch(refs, (position, outcome) => {
    if (failure !== undefined) return
    if (outcome.state === 'pending') pending = position
    else if (outcome.state === 'value') values[position] = decode(outcome.bytes, outcome.refs, { alias: outcome.alias && !copy, onUnknownClass })
    else failure = { error: errorOf(outcome, refs[position] as ObjectRef, missing) }
  })
  if (failure !== undefined) throw failure.error
  if (pending >= 0) throw new DeadlockError(`${refs[pending]} was reported as settled and is not: please report this`)
  return values
}

/** The error of an outcome that is no value. */
export const errorOf = (outcome: Exclude<Outcome, { state: 'pending' | 'value' }>, ref: ObjectRef, missing: Set<string>): unknown => {
  switch (outcome.state) {
    case 'thrown': {
      const thrown = decode(outcome.bytes, outcome.refs, { alias: false, onUnknownClass: noteIn(missing) })
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
