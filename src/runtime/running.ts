/** Which task the running code belongs to, also after an `await`. Filled by the worker's executor; always nothing on a driver. */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Assignment } from '../engine/engine.ts'

/** The actor that a task belongs to. */
export interface RunningActor {
  /** Where the runtime has it. */
  readonly key: { readonly slot: number; readonly generation: number }
  readonly classId: number
  readonly name: string
  /** In front of what its code prints: the name that it was given, or else that of its class. */
  readonly label: string
  /** How often its instance was made before. */
  readonly restarts: number
}

export interface RunningTask {
  /** Undefined: it is no call of an actor's. */
  readonly actor: RunningActor | undefined
  readonly name: string
  /** The number of its function. */
  readonly function: number
  /** Public, 128 bits in hexadecimal: the id of the ref that the call returned. Asked for seldom, so made when it is. */
  readonly id: string | undefined
  /** What it was given to run with. */
  readonly assignment: Assignment
  /** How often it was begun before, in vain. */
  readonly attempt: number
  /** Where the runtime has it. */
  readonly slot: number
  readonly generation: number
  /** Which of its actor's births it is of, from 1 on; 0: it is no actor's. */
  readonly birth: number
  /** Nobody wants it any more: why. */
  readonly ended: Error | undefined
  /** Fires then. */
  readonly signal: AbortSignal
  /** Calls back then, unless the hook is taken off before. Not for what is over already. */
  whenEnded(then: (reason: Error) => void): () => void
}

/** What asynchronous work was started in: the task that it goes on for, if it is known to and the task has not ended. */
export interface Scope {
  task: RunningTask | undefined
}

/** Nothing else runs on a thread while a task's code is on its stack: there a variable is enough. */
let onStack: RunningTask | undefined
/** For what goes on later. A driver never enters it: once used, it slows every promise of its thread on Node 20 and 22. */
const scopes = new AsyncLocalStorage<Scope>()
/**
 * A scope that no task has taken yet, for functions that have not returned promises so far. Entering a scope costs 100 ns on Node 24 and
 * newer, so such functions share one until it turns out that the one that runs in it goes on.
 */
let spare: Scope = { task: undefined }

/** The task whose own code called this; of what goes on after an `await` it says nothing, since gets of several tasks are answered together. */
export const taskOnStack = (): RunningTask | undefined => onStack

/** The task that this code belongs to. On a driver, which asks for every `get`, it costs a look at a variable. */
export const runningTask = (): RunningTask | undefined => onStack ?? (hasEntered ? scopes.getStore()?.task : undefined)

let hasEntered = false

/** The code of a task begins on this stack. `goesOn`: it may return a promise. Gives what was there before, for {@link leave}. */
export const enter = (task: RunningTask, goesOn: boolean): RunningTask | undefined => {
  const before = onStack
  onStack = task
  hasEntered = true
  if (goesOn) scopes.enterWith({ task: undefined })
  else if (scopes.getStore() !== spare) scopes.enterWith(spare)
  return before
}

export const leave = (before: RunningTask | undefined): void => {
  onStack = before
}

/** The task whose code was entered last returned a promise: what was started in its scope is its own. */
export const keepScope = (task: RunningTask): void => {
  const scope = scopes.getStore()
  if (scope !== undefined) scope.task = task
  if (scope === spare) spare = { task: undefined }
}

/** A scope for code of a task that is called again and again. */
export const ownScope = (task: RunningTask): Scope => ({ task })

/** Such code goes on on this stack. Gives what was there before, for {@link leave}. */
export const reenter = (scope: Scope): RunningTask | undefined => {
  const before = onStack
  onStack = scope.task
  hasEntered = true
  scopes.enterWith(scope)
  return before
}

/** The task has ended, in code that goes on for it: what else was started in it belongs to none. */
export const endScope = (): void => {
  const scope = scopes.getStore()
  if (scope !== undefined) scope.task = undefined
}

/** Runs other tasks inside of the one that runs now, which then has its scope back. */
export const nested = (run: () => void): void => {
  const outer = scopes.getStore()
  const own = spare
  spare = { task: undefined }
  try {
    run()
  } finally {
    spare = own
    if (outer !== undefined) scopes.enterWith(outer)
  }
}
