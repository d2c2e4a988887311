/** What code can know of where it runs. */

import type { Assignment } from '../engine/engine.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import { current } from './current.ts'
import { runningTask } from './running.ts'

export interface RuntimeContext {
  /** The run: what `init` resolves to has the same. */
  readonly jobId: string
  /** This machine's part of the run. */
  readonly nodeId: string
  /** The task: the `id` of the ref that its call returned. Undefined outside of tasks. */
  readonly taskId: string | undefined
  /** The worker thread: the number in front of what it prints. Undefined on the driver. */
  readonly workerId: string | undefined
  /** Undefined outside of tasks. */
  readonly taskName: string | undefined
  /** How often the task was begun before, in vain: 0 in its first run, and outside of tasks. */
  readonly attempt: number
  /** Fires when the task is cancelled or takes longer than its `timeout`; the reason is the error that its ref rejects with. Outside of tasks it never fires. */
  readonly signal: AbortSignal
  /** Scope of names. */
  readonly namespace: string
  /** What the task was given to run with, by name, `CPU` and `GPU` among them; empty outside of tasks. */
  readonly assignedResources: Readonly<Record<string, number>>
  /** The GPUs that the task was given, by number from 0 up: whole ones are its own, a part of one is shared. */
  readonly gpuIds: readonly number[]
}

export const readContext = (): RuntimeContext => {
  const runtime = current()
  if (runtime === undefined) {
    throw new MobulaError('getRuntimeContext: no runtime is running in this thread; call init() first', { code: ERROR_CODES.ERR_NOT_INITIALIZED })
  }
  const { info, nodeId, workerId } = runtime
  const task = runningTask()
  const context: Omit<RuntimeContext, 'signal'> = {
    jobId: info.jobId,
    nodeId,
    taskId: task?.id,
    workerId,
    taskName: task?.name,
    attempt: task?.attempt ?? 0,
    namespace: info.namespace,
    ...(task?.assignment ?? NOTHING),
  }
  // Made when it is asked for: most tasks never do. Not enumerable, since a context may be returned, and signals do not travel.
  return Object.defineProperty(context, 'signal', { get: () => task?.signal ?? NEVER }) as RuntimeContext
}

const NEVER: AbortSignal = new AbortController().signal
const NOTHING: Assignment = Object.freeze({ assignedResources: Object.freeze({}), gpuIds: Object.freeze([]) })
