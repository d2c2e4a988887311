/** Faults that tests have happen, for all threads of the process: the addon counts the passes. */

import { clearFaults, faultPoints, passFault, setFault } from '../../binding.ts'

export type FaultRecord = Parameters<typeof setFault>[1]

/** The names of all points; the place of a name is the number of its point. */
export const points: readonly string[] = Object.freeze(faultPoints())

export const set = (point: number, fault: FaultRecord): void => setFault(point, fault)

export const clear = (): void => clearFaults()

/** Somebody is at a point: what is to happen there, or how many milliseconds it is to be late. */
export const pass = (point: number): 'kill' | 'drop' | number | undefined => (passFault(point) as 'kill' | 'drop' | number | null) ?? undefined
