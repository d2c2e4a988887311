/** `wait`: which of several refs are settled. */

import { badRange, badType } from '../errors/bad-input.ts'
import { resolveWait, type WaitOptions } from '../options/get.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { checkRef, refStopped } from '../runtime/current.ts'
import { waitSome } from '../runtime/wait.ts'
import { runtimeOrDefault } from './init.ts'

/**
 * Waits until `numReturns` of the refs (1 unless given) are settled, and splits them into ready and not ready, both in input
 * order. `ready` holds at most `numReturns`. Failed refs are ready; `wait` itself rejects only for an abort or a shutdown.
 *
 * @throws {TypeError | RangeError} synchronously, for a wrong argument or option, by name; refs must be distinct
 * @example
 * ```ts
 * import { get, remote, wait } from 'mobula'
 * const square = remote((x: number) => x * x)
 * let left = [1, 2, 3].map((x) => square.remote(x))
 * while (left.length > 0) {
 *   const [ready, rest] = await wait(left)
 *   console.log(await get(ready))
 *   left = rest
 * }
 * ```
 */
export const wait = <R extends ObjectRef<unknown>>(refs: readonly R[], options?: WaitOptions): Promise<[ready: R[], notReady: R[]]> => {
  if (!Array.isArray(refs)) throw badType('refs', 'an array of ObjectRefs', refs)
  const list = [...(refs as readonly R[])]
  list.forEach((ref, k) => {
    checkRef(ref, `refs[${k}]`)
  })
  const resolved = resolveWait(options, list.length)
  const distinct = new Set(list)
  if (distinct.size !== list.length) throw badRange('refs', 'distinct refs', `${list.length - distinct.size} repeated`)
  for (const ref of list) {
    const stopped = refStopped(ref)
    if (stopped !== undefined) return Promise.reject(stopped)
  }
  return split(list, waitSome(runtimeOrDefault().engine, { refs: list, ...resolved }))
}

const split = async <R>(refs: readonly R[], positions: Promise<number[]>): Promise<[R[], R[]]> => {
  const ready = new Set(await positions)
  return [refs.filter((_, k) => ready.has(k)), refs.filter((_, k) => !ready.has(k))]
}
