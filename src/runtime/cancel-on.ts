/** Tasks that end with an `AbortSignal`: one listener for all tasks of a signal. */

import type { Engine } from '../engine/engine.ts'
import { type ObjectRef, partsOf, type RefParts } from '../refs/object-ref.ts'

/** The tasks of one signal that may not have ended. Those that have are dropped whenever the list has doubled. */
interface Group {
  readonly engine: Engine
  tasks: RefParts[]
  kept: number
  readonly end: () => void
}

/** Shorter lists are not worth a look. */
const CLEANED_FROM = 64

const groups = new WeakMap<AbortSignal, Group>()

/** The task behind a ref, which was just submitted, is cancelled when the signal fires, also if nobody has the ref any more. */
export const cancelOn = (signal: AbortSignal, engine: Engine, ref: ObjectRef): void => {
  const task = partsOf(ref)
  if (signal.aborted) {
    engine.cancel({ task, force: false, recursive: true })
    return
  }
  const group = groupOf(signal, engine)
  if (group.tasks.length >= Math.max(CLEANED_FROM, 2 * group.kept)) {
    group.tasks = group.tasks.filter((one) => !one.settled && !engine.isOver(one))
    group.kept = group.tasks.length
  }
  group.tasks.push(task)
}

const groupOf = (signal: AbortSignal, engine: Engine): Group => {
  const known = groups.get(signal)
  if (known?.engine === engine) return known
  // Those of a runtime that was shut down have ended with it.
  if (known !== undefined) signal.removeEventListener('abort', known.end)
  const group: Group = { engine, tasks: [], kept: 0, end: () => end(group) }
  groups.set(signal, group)
  signal.addEventListener('abort', group.end, { once: true })
  return group
}

const end = (group: Group): void => {
  const { engine, tasks } = group
  group.tasks = []
  if (engine.isStopped) return
  for (const task of tasks) engine.cancel({ task, force: false, recursive: true })
}
