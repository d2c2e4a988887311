/** What a worker thread is started with. */

import type { RuntimeInfo } from '../runtime/current.ts'

export interface WorkerStart {
  /** URL of the loop's module: TypeScript in a checkout, JavaScript in a package. */
  readonly loop: string
  /** URL of tsx's registration, where the driver runs under tsx and threads do not inherit that. */
  readonly tsx: string | undefined
  readonly runtime: number
  /** The actor that the thread is started for alone. */
  readonly actor: { readonly slot: number; readonly generation: number } | undefined
  readonly workerId: number
  readonly logToDriver: boolean
  /** URL of the user's module that is imported before the first task. */
  readonly setup: string | undefined
  readonly info: RuntimeInfo
  readonly nodeId: string
  /** The program's own file, by all its URLs: never imported. */
  readonly entries: readonly string[]
  /** URL of the project's folder, from which files are named in records. */
  readonly root: string
}
