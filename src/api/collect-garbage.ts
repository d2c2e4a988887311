/** `collectGarbage`: what is forgotten goes now, on every thread. */

import { setTimeout } from 'node:timers/promises'
import { current } from '../runtime/current.ts'

/** Milliseconds between looks at who is still at it. */
const LOOK_EVERY = 2

/**
 * A major collection and a turn of the loop in every worker and here, so that handles and views which nobody refers to are gone
 * when it resolves. A worker inside of synchronous code does it when that returns, and this waits for it. Takes some milliseconds
 * per thread and megabytes of heap: for tests.
 *
 * @example
 * ```ts
 * import { put } from 'mobula'
 * import { collectGarbage, stats } from 'mobula/testing'
 * put(new Float64Array(1000))
 * await collectGarbage()
 * console.log((await stats()).store.objects) // 0
 * ```
 */
export const collectGarbage = async (): Promise<void> => {
  const engine = current()?.engine
  if (engine === undefined) return
  engine.askToCollect()
  do await setTimeout(LOOK_EVERY)
  while ((engine.figures().collecting ?? 0) > 0)
}
