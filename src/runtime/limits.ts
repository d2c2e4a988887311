/** Time limits and abort signals of a wait. */

import type { PendingWait, WaitStatus } from '../engine/engine.ts'
import type { Limits } from '../options/get.ts'
import { type RunningTask, runningTask } from './running.ts'

/** What `setTimeout` can count; longer times are counted in pieces. */
const TIMER_MAX = 2 ** 31 - 1

/** The task whose code waits, if nothing else may end its wait. */
export const ownerOf = ({ timeout, signal }: Limits): RunningTask | undefined => (timeout === undefined && signal === undefined ? runningTask() : undefined)

/**
 * The wait's status, or `ended` when the time is over first. Rejects with the signal's reason when that fires first, and with the
 * task's when the task that waits is cancelled.
 */
export const limited = (wait: PendingWait, limits: Limits): Promise<WaitStatus> => {
  const task = runningTask()
  return task === undefined ? withLimits(wait, limits) : inTask(task, wait, limits)
}

const inTask = async (task: RunningTask, wait: PendingWait, limits: Limits): Promise<WaitStatus> => {
  if (task.ended !== undefined) wait.end()
  const unhook = task.whenEnded(() => wait.end())
  try {
    const status = await withLimits(wait, limits)
    if (status !== 'stopped' && task.ended !== undefined) throw task.ended
    return status
  } finally {
    unhook()
  }
}

const withLimits = async (wait: PendingWait, { timeout, signal }: Limits): Promise<WaitStatus> => {
  if (timeout === undefined && signal === undefined) return wait.done
  if (signal?.aborted === true) {
    wait.end()
    signal.throwIfAborted()
  }
  let timer: NodeJS.Timeout | undefined
  const startTimer = (left: number): void => {
    timer = setTimeout(() => (left > TIMER_MAX ? startTimer(left - TIMER_MAX) : wait.end()), Math.min(left, TIMER_MAX))
  }
  const onAbort = (): void => wait.end()
  if (timeout !== undefined && timeout !== Number.POSITIVE_INFINITY) startTimer(timeout)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const status = await wait.done
    if (status === 'ended') signal?.throwIfAborted()
    return status
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
