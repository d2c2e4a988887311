/** `asCompleted`: results in the order in which they come. */

import { badType } from '../errors/bad-input.ts'
import { type GetOptions, resolveGet } from '../options/get.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { isRefGenerator, type ObjectRefGenerator, streamOf } from '../refs/object-ref-generator.ts'
import { refsAsCompleted } from '../runtime/as-completed.ts'
import { checkRef, refStopped } from '../runtime/current.ts'
import { runtimeOrDefault } from './init.ts'

/**
 * Gives refs back one by one as they settle, failed ones too: `get` of each is there at once. Leaving the loop early leaves the work
 * alone.
 *
 * @param refs any iterable of refs; a ref that is in it twice comes twice. A stream comes when its next item, or its end, is there
 * @param options `timeout` for all of it, in milliseconds; `signal` ends it; `copy` means nothing here
 * @returns an async iterator; it rejects with `GetTimeoutError`, `ShutdownError` or the signal's reason
 * @throws {TypeError} synchronously for what is no ref, by position
 * @example
 * ```ts
 * import { asCompleted, get, remote } from 'mobula'
 * const slow = remote(async (ms: number) => new Promise<number>((resolve) => setTimeout(resolve, ms, ms)))
 * for await (const ref of asCompleted([slow.remote(30), slow.remote(10)])) console.log(await get(ref)) // 10, then 30
 * ```
 */
export const asCompleted: {
  <T>(refs: Iterable<ObjectRef<T>>, options?: GetOptions): AsyncIterableIterator<ObjectRef<T>>
  <R extends ObjectRef<unknown> | ObjectRefGenerator<unknown>>(refs: Iterable<R>, options?: GetOptions): AsyncIterableIterator<R>
} = (refs: Iterable<ObjectRef | ObjectRefGenerator>, options?: GetOptions): AsyncIterableIterator<never> => {
  if (typeof refs !== 'object' || refs === null || typeof (refs as { [Symbol.iterator]?: unknown })[Symbol.iterator] !== 'function') {
    throw badType('refs', 'an iterable of ObjectRefs', refs)
  }
  const list = [...refs]
  const tasks = list.map((ref, k) => (isRefGenerator(ref) ? streamOf(ref).task : checkRef(ref, `refs[${k}]`)))
  const limits = resolveGet(options, 'asCompleted')
  const { engine } = runtimeOrDefault()
  // As `get` and `wait` do: what has happened to the runtime is no mistake of this call.
  const stopped = tasks.map(refStopped).find((error) => error !== undefined)
  return refsAsCompleted(engine, list, limits, stopped) as AsyncIterableIterator<never>
}
