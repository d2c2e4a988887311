/** What the code of a task may use: for whoever tells the task. */

import { assigned } from '../../binding.ts'
import { byName, PARTS } from '../../options/resources.ts'
import type { Assignment } from '../engine.ts'

/** As a task record names a task. */
export interface TaskKey {
  readonly slot: number
  readonly generation: number
  readonly function: number
}

const COMMON: Assignment = Object.freeze({ assignedResources: byName([{ name: 'CPU', parts: PARTS }]), gpuIds: Object.freeze([]) })

/** Functions of other numbers are called on common terms: one CPU and nothing else. */
const SPECIAL = 2 ** 30

/** What a task uses that was handed to this thread and has not ended. */
export const assignmentOf = ({ slot, generation, function: id }: TaskKey): Assignment => {
  const record = (id & SPECIAL) === 0 ? null : assigned(slot, generation, id)
  if (record === null) return COMMON
  return Object.freeze({ assignedResources: byName(record.resources), gpuIds: Object.freeze(record.gpus) })
}
