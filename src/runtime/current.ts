/** The runtime that this thread takes part in: one slot per thread, filled by `init` on the driver and by the loop on a worker. */

import type { Engine } from '../engine/engine.ts'
import { badType } from '../errors/bad-input.ts'
import { ShutdownError } from '../errors/errors.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { isForeignRef, isObjectRef, partsOf, usablePartsOf, wasDisposed } from '../refs/object-ref.ts'
import { isRefGenerator } from '../refs/object-ref-generator.ts'

/** What `init` resolves to: the runtime as it was started. */
export interface RuntimeInfo {
  /** 16 random hexadecimal digits that name this run. */
  readonly jobId: string
  /** Scope of names. */
  readonly namespace: string
  /** Tasks of one CPU that may run at once, at least 1, and worker threads unless some block. */
  readonly workers: number
  /** Total resources by name, `CPU` and `GPU` among them. */
  readonly resources: Readonly<Record<string, number>>
  /** Capacity of the store in bytes. */
  readonly objectStoreMemory: number
  /** Version of Node.js. */
  readonly node: string
  /** Version of this package. */
  readonly version: string
}

export interface Runtime {
  readonly engine: Engine
  readonly info: RuntimeInfo
  readonly role: 'driver' | 'worker'
  /** Names this machine's part of the run. */
  readonly nodeId: string
  /** Undefined on the driver. */
  readonly workerId: string | undefined
}

let runtime: Runtime | undefined

/** The thread's runtime, if there is one. */
export const current = (): Runtime | undefined => runtime

export const setCurrent = (next: Runtime | undefined): void => {
  runtime = next
}

/** A ref of this package that was not disposed. */
export const isUsable = (value: unknown): value is ObjectRef => usablePartsOf(value) !== undefined

/** Refuses what is no ref of this package, by argument name, synchronously. */
export const checkRef = (value: unknown, argument: string): ObjectRef => {
  if (isObjectRef(value)) {
    if (wasDisposed(value)) throw badType(argument, 'an ObjectRef that was not disposed', value)
    return value
  }
  if (isForeignRef(value)) throw badType(argument, 'an ObjectRef of this copy of mobula (this one comes from another copy)', value)
  if (isRefGenerator(value)) throw badType(argument, 'an ObjectRef (of a stream, those that `for await` gives, or stream.completed())', value)
  throw badType(argument, 'an ObjectRef', value)
}

/** Why a ref cannot be used with the runtime of this thread; undefined if it can. */
export const refStopped = (ref: ObjectRef): ShutdownError | undefined =>
  runtime !== undefined && partsOf(ref).origin.runtime === runtime.engine.runtime
    ? undefined
    : new ShutdownError(`${ref}: the runtime it belongs to was shut down`)
