/** The error classes: one base, a stable `code` each, and `instanceof` by brand, so that it holds across threads and duplicated copies of the package. */

import { ERROR_CODES } from './codes.ts'

const CLASS_BRAND: unique symbol = Symbol.for('mobula.error.brand') as never

/** The brand an instance carries: its class's, and by the prototype chain those of its parents. */
export const brandOf = (name: string): symbol => Symbol.for(`mobula.error.${name}`)

/**
 * Called once per class, in a static block: the brand goes on the prototype, so that instances carry it at no cost. The block says `this`:
 * a bundler renames a class whose own name stands inside of it.
 */
const mark = (Class: { readonly prototype: object }, name: string): void => {
  const brand = brandOf(name)
  Object.defineProperty(Class, CLASS_BRAND, { value: brand })
  Object.defineProperty(Class.prototype, brand, { value: true })
  Object.defineProperty(Class.prototype, 'name', { value: name, writable: true, configurable: true })
}

const carries = (value: unknown, brand: symbol): boolean => {
  if (typeof value !== 'object' || value === null) return false
  try {
    return (value as Record<symbol, unknown>)[brand] === true
  } catch {
    return false
  }
}

export interface MobulaErrorOptions extends ErrorOptions {
  readonly code?: string
}

/**
 * The base of every error this package throws, bad input aside (that is a `TypeError` or a `RangeError`).
 *
 * `instanceof` goes by brand: it holds for errors from other threads and from another copy of the package.
 */
export class MobulaError extends Error {
  readonly code: string

  constructor(message: string, options: MobulaErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = options.code ?? ERROR_CODES.ERR_INTERNAL
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore-start lint/complexity/noThisInStatic: `this` is the class on the right of `instanceof`, not always this one.
    // A user's subclass inherits this method but not the brand: it is an ordinary class and is tested as one.
    const brand = Object.hasOwn(this, CLASS_BRAND) ? (this as unknown as Record<symbol, symbol>)[CLASS_BRAND] : undefined
    return (brand !== undefined && carries(value, brand)) || Function.prototype[Symbol.hasInstance].call(this, value)
    // biome-ignore-end lint/complexity/noThisInStatic: until here.
  }

  static {
    mark(this, 'MobulaError')
  }
}

/**
 * The task's function threw. The rejection is at once a `TaskError` and an instance of the thrown error's class;
 * `cause` is the thrown value, also when it is no error.
 */
export class TaskError extends MobulaError {
  declare readonly cause: unknown
  readonly taskCode = 'ERR_TASK' as const
  readonly taskName: string
  /** How often the task had been begun before, in vain: 0, unless it was run again. */
  declare readonly attempt: number | undefined

  constructor(message: string, options: ErrorOptions & { readonly taskName: string }) {
    super(message, { code: ERROR_CODES.ERR_TASK, cause: options.cause })
    this.taskName = options.taskName
  }

  static {
    mark(this, 'TaskError')
  }
}

/** The task was cancelled: by `cancel`, by the signal in its options, or with the task that submitted it. Its code may still run. */
export class TaskCancelledError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_TASK_CANCELLED })
  }

  static {
    mark(this, 'TaskCancelledError')
  }
}

/** A run of the task took longer than the `timeout` in its options. */
export class TaskTimeoutError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_TASK_TIMEOUT })
  }

  static {
    mark(this, 'TaskTimeoutError')
  }
}

/** The worker thread ended while the task was on it (`process.exit`, an uncaught error), and `maxRetries` allows no further run. */
export class WorkerCrashedError extends MobulaError {
  readonly exitCode: number | null | undefined
  readonly signal: string | null | undefined

  constructor(message: string, options: ErrorOptions & { readonly exitCode?: number | null | undefined; readonly signal?: string | null | undefined } = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_WORKER_CRASHED })
    this.exitCode = options.exitCode
    this.signal = options.signal
  }

  static {
    mark(this, 'WorkerCrashedError')
  }
}

/** The worker's heap was exhausted while the task was on it, by this task or by another of the same thread. */
export class OutOfMemoryError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_OUT_OF_MEMORY })
  }

  static {
    mark(this, 'OutOfMemoryError')
  }
}

/** A call could not be made, or came to nothing, since its actor was not there. */
export class ActorError extends MobulaError {
  /** Why: `'killed'`, `'exited'`, `'out of scope'`, `'crashed'`, `'neighbour'` (another actor ended the thread that they shared), `'constructor'`, `'restarting'`. */
  readonly reason?: unknown

  constructor(message: string, options: MobulaErrorOptions & { readonly reason?: unknown } = {}) {
    super(message, options)
    this.reason = options.reason
  }

  static {
    mark(this, 'ActorError')
  }
}

/** The actor has ended, and does not come back. A constructor that threw is the `cause`. */
export class ActorDiedError extends ActorError {
  constructor(message: string, options: ErrorOptions & { readonly reason?: unknown } = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_ACTOR_DIED })
  }

  static {
    mark(this, 'ActorDiedError')
  }
}

/** The actor is being restarted, and the call may not be made again: `maxTaskRetries` is 0, or used up. It may have run. */
export class ActorUnavailableError extends ActorError {
  constructor(message: string, options: ErrorOptions & { readonly reason?: unknown } = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_ACTOR_UNAVAILABLE })
  }

  static {
    mark(this, 'ActorUnavailableError')
  }
}

/** The module given as `init({ setup })` threw, or could not be imported. */
export class WorkerSetupError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_WORKER_SETUP })
  }

  static {
    mark(this, 'WorkerSetupError')
  }
}

/** `get` waited as long as its `timeout` says. The task goes on. */
export class GetTimeoutError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_GET_TIMEOUT })
  }

  static {
    mark(this, 'GetTimeoutError')
  }
}

/** `.remote()` would leave more calls unfinished than `maxPendingTasks` allows. Nothing was queued. */
export class PendingCallsLimitError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_PENDING_CALLS_LIMIT })
  }

  static {
    mark(this, 'PendingCallsLimitError')
  }
}

/** The object store has no room for a value, and nothing in it can be let go. */
export class ObjectStoreFullError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_OBJECT_STORE_FULL })
  }

  static {
    mark(this, 'ObjectStoreFullError')
  }
}

/** The store is full, and the disk that objects could go to is, too. */
export class OutOfDiskError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_OUT_OF_DISK })
  }

  static {
    mark(this, 'OutOfDiskError')
  }
}

/** The value behind a ref is gone, and nothing can make it again. */
export class ObjectLostError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_OBJECT_LOST })
  }

  static {
    mark(this, 'ObjectLostError')
  }
}

/** Somebody gave the value up by `free`. */
export class ObjectFreedError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_OBJECT_FREED })
  }

  static {
    mark(this, 'ObjectFreedError')
  }
}

/** A value cannot be kept, or bytes are no value: the message has the path inside the value and the way round. */
export class SerializationError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_SERIALIZATION })
  }

  static {
    mark(this, 'SerializationError')
  }
}

/** A function cannot ship, because of something it takes along. */
export class CaptureError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_CAPTURE })
  }

  static {
    mark(this, 'CaptureError')
  }
}

/** Tasks wait for each other in a ring: the message has the ring. */
export class DeadlockError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_DEADLOCK })
  }

  static {
    mark(this, 'DeadlockError')
  }
}

/** The runtime was shut down before this could be answered. */
export class ShutdownError extends MobulaError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, code: ERROR_CODES.ERR_SHUTDOWN })
  }

  static {
    mark(this, 'ShutdownError')
  }
}
