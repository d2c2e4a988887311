/** `free`: values go before their refs do. */

import type { ObjectRef } from '../refs/object-ref.ts'
import { checkRef, refStopped } from '../runtime/current.ts'
import { runtimeOrDefault } from './init.ts'

/**
 * Deletes values now, whoever still refers to them: every later `get` of them rejects with `ObjectFreedError`, and so does a task
 * that was to get one as an argument. Views gotten before stay readable until they are let go. A task that has not finished goes on,
 * and what it returns is dropped. Rarely needed: forgetting the refs, or `ref[Symbol.dispose]()`, gives memory back without taking
 * it from others.
 *
 * @param refs one ref, or a list of them; freeing twice is harmless
 * @throws {TypeError} for what is no ref, by position; {@link ShutdownError} for a ref of a runtime that was shut down
 * @example
 * ```ts
 * import { free, get, ObjectFreedError, put } from 'mobula'
 * const ref = put(new Float64Array(1_000_000))
 * free(ref)
 * await get(ref).catch((error) => console.log(error instanceof ObjectFreedError)) // true
 * ```
 */
export const free = (refs: ObjectRef<unknown> | readonly ObjectRef<unknown>[]): void => {
  const list = Array.isArray(refs) ? (refs as readonly ObjectRef[]).map((ref, k) => checkRef(ref, `refs[${k}]`)) : [checkRef(refs, 'ref')]
  for (const ref of list) {
    const stopped = refStopped(ref)
    if (stopped !== undefined) throw stopped
  }
  runtimeOrDefault().engine.free(list)
}
