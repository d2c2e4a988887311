/** `get` and `getSync`: values leave the store. */

import { badType } from '../errors/bad-input.ts'
import { type GetLimits, type GetOptions, resolveGet } from '../options/get.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { checkRef, isUsable, refStopped } from '../runtime/current.ts'
import { type GetRequest, getValue, getValues, getValuesSync } from '../runtime/get.ts'
import { runtimeOrDefault } from './init.ts'
import type { Values } from './types.ts'

/**
 * The value of a ref, or the values of a list of refs, in its order. Small values are decoded anew by each call; binary data over
 * 16 KiB is a view of shared memory, whatever its size, in about a microsecond.
 *
 * @param refs one ref, or a list or tuple of them; tuples keep their types
 * @returns rejects with the first failure: a `TaskError` that is also an instance of what the task threw, or a
 *   `WorkerCrashedError`, `GetTimeoutError`, `ShutdownError`, `ObjectLostError`
 * @throws {TypeError | RangeError} synchronously, for a wrong argument or option, by name
 * @example
 * ```ts
 * import { get, put } from 'mobula'
 * const [one, two] = await get([put(1), put('two')])
 * console.log(one + 1, two.length) // 2 3
 * ```
 */
export function get<T>(ref: ObjectRef<T>, options?: GetOptions): Promise<T>
export function get<const T extends readonly ObjectRef<unknown>[]>(refs: T, options?: GetOptions): Promise<Values<T>>
export function get(refs: ObjectRef | readonly ObjectRef[], options?: GetOptions): Promise<unknown> {
  const limits = resolveGet(options, 'get')
  if (Array.isArray(refs)) {
    const request = listed(refs, limits)
    const stopped = firstStopped(request.refs)
    return stopped === undefined ? getValues(runtimeOrDefault().engine, request) : Promise.reject(stopped)
  }
  const ref = checkRef(refs, 'ref')
  const stopped = refStopped(ref)
  if (stopped !== undefined) return Promise.reject(stopped)
  const { engine } = runtimeOrDefault()
  const { timeout, signal, copy } = limits
  if (timeout === undefined && signal === undefined) return getValue(engine, ref, copy)
  return getValues(engine, { refs: [ref], ...limits }).then(([value]) => value)
}

/**
 * As `get`, but blocks this thread, inside of tasks too. A task that blocks gives its CPU to others meanwhile, and runs the very
 * task that it waits for if nobody has begun it. On the main thread nothing else of the program runs until it returns.
 *
 * @throws what `get` rejects with, and `DeadlockError` for a task that only this thread could finish
 * @example
 * ```ts
 * import { getSync, put } from 'mobula'
 * console.log(getSync(put(42))) // 42
 * ```
 */
export function getSync<T>(ref: ObjectRef<T>, options?: GetOptions): T
export function getSync<const T extends readonly ObjectRef<unknown>[]>(refs: T, options?: GetOptions): Values<T>
export function getSync(refs: ObjectRef | readonly ObjectRef[], options?: GetOptions): unknown {
  const limits = resolveGet(options, 'getSync')
  const isList = Array.isArray(refs)
  const request = isList ? listed(refs, limits) : { refs: [checkRef(refs, 'ref')], ...limits }
  request.signal?.throwIfAborted()
  const stopped = firstStopped(request.refs)
  if (stopped !== undefined) throw stopped
  const values = getValuesSync(runtimeOrDefault().engine, request)
  return isList ? values : values[0]
}

const listed = (list: readonly unknown[], limits: GetLimits): GetRequest => {
  // A plain loop: holes are to be found, which forEach would skip; and a name is made for what is refused alone.
  for (let k = 0; k < list.length; k++) if (!isUsable(list[k])) checkRef(list[k], `refs[${k}]`)
  if (list.length > REFS_MAX) throw badType('refs', `at most ${REFS_MAX} refs`, list)
  return { refs: [...list] as ObjectRef[], ...limits }
}

const REFS_MAX = 2 ** 24

const firstStopped = (refs: readonly ObjectRef[]): Error | undefined => {
  for (let k = 0; k < refs.length; k++) {
    const stopped = refStopped(refs[k] as ObjectRef)
    if (stopped !== undefined) return stopped
  }
  return undefined
}
