/** What code can know of where it runs. */

import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import { current } from './current.ts'
import { type RunningTask, runningTask } from './running.ts'

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
  /** How often the task was begun before: 0, since this version begins each once. */
  readonly attempt: number
  /** Scope of names. */
  readonly namespace: string
  /** What the task holds while it runs, by name; empty outside of tasks. */
  readonly assignedResources: Readonly<Record<string, number>>
  /** The GPUs that the task has to itself: none, since this version has no GPUs. */
  readonly gpuIds: readonly number[]
}

export const readContext = (): RuntimeContext => {
  const runtime = current()
  if (runtime === undefined) {
    throw new MobulaError('getRuntimeContext: no runtime is running in this thread; call init() first', { code: ERROR_CODES.ERR_NOT_INITIALIZED })
  }
  const { info, nodeId, workerId } = runtime
  const task = runningTask()
  return {
    jobId: info.jobId,
    nodeId,
    taskId: task?.id,
    workerId,
    taskName: task?.name,
    attempt: 0,
    namespace: info.namespace,
    ...assigned(task),
  }
}

/** What a task was given to run with. */
const assigned = (task: RunningTask | undefined): Pick<RuntimeContext, 'assignedResources' | 'gpuIds'> => ({
  assignedResources: task === undefined ? {} : { CPU: 1 },
  gpuIds: [],
})
