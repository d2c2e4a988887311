/** `clusterResources` and `availableResources`: what tasks may use, and what of it is free. */

import type { ResourceFigure } from '../engine/engine.ts'
import { byName } from '../options/resources.ts'
import { runtimeOrDefault } from './init.ts'

const figures = (parts: (figure: ResourceFigure) => number): Record<string, number> => ({
  ...byName(
    runtimeOrDefault()
      .engine.resources()
      .map((figure) => ({ name: figure.name, parts: parts(figure) })),
  ),
})

/**
 * All that tasks may use: `CPU`, `GPU`, and the resources named at `init`.
 *
 * @example
 * ```ts
 * import { init, shutdown } from 'mobula'
 * import { clusterResources } from 'mobula/state'
 * await init({ numCpus: 2, resources: { db: 4 } })
 * console.log(await clusterResources()) // { CPU: 2, GPU: 0, db: 4 }
 * await shutdown()
 * ```
 */
export const clusterResources = async (): Promise<Record<string, number>> => figures(({ total }) => total)

/**
 * What of it no task uses at this moment: CPU where no code of a task runs, everything else that no task holds.
 *
 * @example
 * ```ts
 * import { get, init, remote, shutdown } from 'mobula'
 * import { availableResources } from 'mobula/state'
 * await init({ numCpus: 2, resources: { db: 4 } })
 * const query = remote(() => 1, { resources: { db: 3 } })
 * await get(query.remote())
 * console.log(await availableResources()) // { CPU: 2, GPU: 0, db: 4 }: what ended has given all back
 * await shutdown()
 * ```
 */
export const availableResources = async (): Promise<Record<string, number>> => figures(({ available }) => available)
