/** `memorySummary`: who holds what of the store. */

import type { Holding } from '../engine/engine.ts'
import { runtimeOrDefault } from './init.ts'
import { type Stats, stats } from './stats.ts'

export interface MemorySummary {
  /** Bytes and objects of the store, as `stats` gives them. */
  readonly store: Stats['store']
  /** Stored objects by where they come from, the largest first: values put, results by task name, arguments of tasks that have not ended. Values up to 1 KiB lie beside their task and are not counted. */
  readonly holdings: readonly Holding[]
  /** To how many objects each thread has handles: the driver's first, then the workers'. */
  readonly handles: readonly number[]
  /** Bytes that are out of use until the process ends, since they were moved to another thread and theirs has ended. */
  readonly strandedBytes: number
}

/**
 * Says what is in the object store and who keeps it there. Walks all objects.
 *
 * @example
 * ```ts
 * import { put } from 'mobula'
 * import { memorySummary } from 'mobula/state'
 * const ref = put(new Float64Array(1_000_000))
 * console.log((await memorySummary()).holdings, ref) // [ { kind: 'put', name: '', objects: 1, bytes: 8000128 } ]
 * ```
 */
export const memorySummary = async (): Promise<MemorySummary> => {
  const { engine } = runtimeOrDefault()
  return { store: (await stats()).store, holdings: engine.holdings(), handles: engine.handles(), strandedBytes: engine.figures().strandedBytes ?? 0 }
}
