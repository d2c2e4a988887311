/** What code can know of where it runs. */

import type { Assignment } from '../engine/engine.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import type { ActorHandle } from './actor-handle.ts'
import { handleOf } from './actor-methods.ts'
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
  /** The actor whose code this is: what `actorId` says of its handles. Undefined outside of actors. */
  readonly actorId: string | undefined
  /** Its name, if it was given one. */
  readonly actorName: string | undefined
  /** A handle to it, for others to call it by. It keeps the actor alive as any handle does. */
  readonly actor: unknown
  /** Its constructor has run before: its worker died, or it was killed with `noRestart: false`. */
  readonly wasRestarted: boolean
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
  const { engine } = runtime
  const running = task?.actor
  const context: Omit<RuntimeContext, 'signal' | 'actor' | 'actorId'> = {
    jobId: info.jobId,
    nodeId,
    taskId: task?.id,
    workerId,
    taskName: task?.name,
    attempt: task?.attempt ?? 0,
    namespace: info.namespace,
    actorName: running === undefined ? undefined : engine.nameOfActor(running.key)?.name,
    wasRestarted: (running?.restarts ?? 0) > 0,
    ...(task?.assignment ?? NOTHING),
  }
  // Made when it is asked for: most tasks never do. Not enumerable, since a context may be returned, and signals do not travel.
  const handle = (): ActorHandle | undefined => {
    const ref = running === undefined ? undefined : engine.refOfActor(running.key)
    return ref === undefined ? undefined : handleOf(engine, { ref, classId: running?.classId ?? 0 })
  }
  return Object.defineProperties(context, {
    signal: { get: () => task?.signal ?? NEVER },
    actor: { get: handle },
    actorId: { enumerable: true, value: running === undefined ? undefined : engine.idOfActor(running.key) },
  }) as RuntimeContext
}

const NEVER: AbortSignal = new AbortController().signal
const NOTHING: Assignment = Object.freeze({ assignedResources: Object.freeze({}), gpuIds: Object.freeze([]) })
