/** `stats`: what there is at this moment, for tests that look for what is left behind. */

import { current } from '../runtime/current.ts'

export interface Stats {
  /** Of the object store: bytes that objects take (whole pages), bytes taken from the system, objects and drafts, pins, objects that have any and their bytes (views and running tasks pin what they read), the most bytes that objects may take, bytes on disk. */
  readonly store: {
    readonly bytes: number
    readonly committed: number
    readonly objects: number
    readonly pins: number
    readonly pinnedObjects: number
    readonly pinnedBytes: number
    readonly capacity: number
    readonly spilledBytes: number
  }
  /** Objects to which threads have handles, counted once for each thread. */
  readonly refs: number
  /** Sizes of the runtime's own tables: `slots` (tasks, objects, waits, and what threads hold in stock), `edges` (who waits for whom), `queued`, `actors` (those that have not ended). */
  readonly tables: Readonly<Record<string, number>>
}

/**
 * Figures of the runtime, each read by itself while others work on; all zero where none runs.
 *
 * @example
 * ```ts
 * import { put } from 'mobula'
 * import { stats } from 'mobula/testing'
 * const ref = put(new Float64Array(1000))
 * console.log((await stats()).store.objects, ref) // 1, and the ref
 * ```
 */
export const stats = async (): Promise<Stats> => {
  const engine = current()?.engine
  const figures = engine?.figures() ?? {}
  const figure = (name: string): number => figures[name] ?? 0
  return {
    store: {
      bytes: figure('storeBytes'),
      committed: figure('storeCommitted'),
      objects: figure('storeObjects'),
      pins: figure('storePins'),
      pinnedObjects: figure('storePinnedObjects'),
      pinnedBytes: figure('storePinnedBytes'),
      capacity: figure('storeCapacity'),
      spilledBytes: figure('storeSpilledBytes'),
    },
    refs: (engine?.handles() ?? []).reduce((sum, count) => sum + count, 0),
    tables: { slots: figure('slots'), edges: figure('edges'), queued: figure('queued'), actors: figure('actors') },
  }
}
