/** Makes the error of a failed task: at once a `TaskError` and an instance of the class of what was thrown. */

import { inspect, types } from 'node:util'
import { ERROR_CODES } from './codes.ts'
import { brandOf, TaskError } from './errors.ts'

export interface TaskErrorInfo {
  readonly taskName: string
  /** The worker's stack, with the user's file and line; the thrown error's own when left out. */
  readonly stack?: string | undefined
  /** How often it had been begun before, in vain. */
  readonly attempt?: number
}

/** The rejection of a task that threw `cause`. */
export const taskError = (cause: unknown, info: TaskErrorInfo): TaskError => fillTaskError(blankTaskError(), cause, info)

/** A native error without a stack of its own: capturing one costs microseconds, and the worker's replaces it. */
export const blankTaskError = (): Error => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return new Error()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Turns a blank error into the task's. Apart from making it, because a decoder needs the object before its cause is read: the cause may point back to it. */
export const fillTaskError = (target: Error, cause: unknown, info: TaskErrorInfo): TaskError => {
  const thrown = isError(cause) ? cause : undefined
  const message = thrown === undefined ? `task '${info.taskName}' threw ${describe(cause)}` : textOf(thrown, 'message', '')
  Object.setPrototypeOf(target, thrown === undefined ? TaskError.prototype : dualPrototype(thrown))
  if (thrown !== undefined) copyOwn(thrown, target)
  const name = thrown === undefined ? 'TaskError' : textOf(thrown, 'name', 'Error')
  if (textOf(target, 'name', '') !== name) hide(target, 'name', name)
  hide(target, 'message', message)
  hide(target, 'stack', info.stack ?? (thrown === undefined ? `${name}: ${message}` : textOf(thrown, 'stack', `${name}: ${message}`)))
  hide(target, 'cause', cause)
  hide(target, 'taskName', info.taskName)
  if (info.attempt !== undefined) hide(target, 'attempt', info.attempt)
  hide(target, 'taskCode', ERROR_CODES.ERR_TASK)
  const code = thrown === undefined ? undefined : read(thrown, 'code')
  Object.defineProperty(target, 'code', { value: code ?? ERROR_CODES.ERR_TASK, enumerable: true, writable: true, configurable: true })
  return target as TaskError
}

/** True for what can be treated as an error: native ones, from any realm, and objects made in an error class's image. */
export const isError = (value: unknown): value is Error => {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false
  return types.isNativeError(value) || value instanceof Error
}

const duals = new WeakMap<object, object>()

/** One prototype per thrown class: everything of that class, and the brands that make it a `TaskError` as well. */
const dualPrototype = (thrown: Error): object => {
  const base = Object.getPrototypeOf(thrown) as object | null
  if (base === null) return TaskError.prototype
  if (base instanceof TaskError) return base
  let dual = duals.get(base)
  if (dual === undefined) {
    dual = Object.create(base, { [brandOf('TaskError')]: { value: true }, [brandOf('MobulaError')]: { value: true } }) as object
    duals.set(base, dual)
  }
  return dual
}

const copyOwn = (from: object, to: object): void => {
  for (const key of Reflect.ownKeys(from)) {
    if (key === 'stack' || key === 'cause') continue
    const property = Object.getOwnPropertyDescriptor(from, key)
    if (property === undefined) continue
    const value: unknown = property.get === undefined && property.set === undefined ? property.value : read(from, key)
    Object.defineProperty(to, key, { value, enumerable: property.enumerable ?? false, writable: true, configurable: true })
  }
}

const hide = (target: object, key: string, value: unknown): void => {
  Object.defineProperty(target, key, { value, enumerable: false, writable: true, configurable: true })
}

/** A property of somebody else's error: its getters may throw. */
const read = (from: object, key: PropertyKey): unknown => {
  try {
    return (from as Record<PropertyKey, unknown>)[key]
  } catch {
    return undefined
  }
}

const textOf = (from: object, key: string, otherwise: string): string => {
  const value = read(from, key)
  return typeof value === 'string' ? value : otherwise
}

const describe = (value: unknown): string => {
  try {
    const text = inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 8, maxStringLength: 120 })
    return text.length > 160 ? `${text.slice(0, 160)}…` : text
  } catch {
    return `a value of type ${typeof value}`
  }
}
