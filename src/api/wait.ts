/** `wait`: which of several refs are settled. */

import { badRange, badType } from '../errors/bad-input.ts'
import { resolveWait, type WaitOptions } from '../options/get.ts'
import { type ObjectRef, partsOf, usablePartsOf } from '../refs/object-ref.ts'
import { isRefGenerator, type ObjectRefGenerator, streamOf } from '../refs/object-ref-generator.ts'
import { checkRef, current, refStopped } from '../runtime/current.ts'
import { waitSome } from '../runtime/wait.ts'
import { runtimeOrDefault } from './init.ts'

/**
 * Waits until `numReturns` of the refs (1 unless given) are settled, and splits them into ready and not ready, both in input
 * order. `ready` holds at most `numReturns`. A stream is ready when its next item, or its end, is there. Failed refs are ready; `wait` itself rejects only for an abort or a shutdown.
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
export const wait = <R extends ObjectRef<unknown> | ObjectRefGenerator<unknown>>(
  refs: readonly R[],
  options?: WaitOptions,
): Promise<[ready: R[], notReady: R[]]> => {
  if (!Array.isArray(refs)) throw badType('refs', 'an array of ObjectRefs', refs)
  const list = [...(refs as readonly R[])]
  const { repeated, stopped, hasStreams } = look(list)
  const resolved = resolveWait(options, list.length)
  if (repeated > 0) throw badRange('refs', 'distinct refs', `${repeated} repeated`)
  if (stopped !== undefined) return Promise.reject(stopped)
  return split(list, waitSome(runtimeOrDefault().engine, { refs: hasStreams ? list.map(settling) : (list as readonly ObjectRef[]), ...resolved }))
}

/** What settles when one of them is ready. */
const settling = (one: ObjectRef | ObjectRefGenerator): ObjectRef => (isRefGenerator(one) ? streamOf(one).peek() : one)

let calls = 0

interface Looked {
  readonly repeated: number
  readonly stopped: Error | undefined
  readonly hasStreams: boolean
}

/** Refuses what is no ref, counts those that are there twice, and finds one of a runtime that was shut down. A mark on each ref costs a hundredth of a set of them. */
const look = (refs: readonly unknown[]): Looked => {
  calls += 1
  const runtime = current()?.engine.runtime
  let repeated = 0
  let stopped: Error | undefined
  let hasStreams = false
  for (let k = 0; k < refs.length; k++) {
    let ref = refs[k]
    let parts = usablePartsOf(ref)
    if (parts === undefined) {
      if (isRefGenerator(ref)) {
        hasStreams = true
        ref = streamOf(ref).task
      }
      parts = partsOf(checkRef(ref, `refs[${k}]`))
    }
    if (parts.seenBy === calls) repeated += 1
    parts.seenBy = calls
    if (parts.origin.runtime !== runtime) stopped ??= refStopped(ref as ObjectRef)
  }
  return { repeated, stopped, hasStreams }
}

const split = async <R>(refs: R[], positions: Promise<readonly number[]>): Promise<[R[], R[]]> => {
  const at = await positions
  const ready = at.map((k) => refs[k] as R)
  if (at.length === 1) {
    refs.splice(at[0] as number, 1)
    return [ready, refs]
  }
  const chosen = new Set(at)
  return [ready, refs.filter((_, k) => !chosen.has(k))]
}
