/** Faults that tests have happen on a worker. Nothing is set most of the time: then a point costs a look at a word of the area. */

import { pass, points } from '../engine/local/faults.ts'
import * as L from '../engine/local/layout.ts'
import type { Port } from '../engine/local/port.ts'
import { leaveWord } from './exit.ts'

const numbered = (name: string): number => {
  const number = points.indexOf(name)
  if (number < 0) throw new Error(`the addon has no fault point ${name}: run \`npm run build\` again`)
  return number
}

export const WORKER_START: number = numbered('worker.start')
export const BEFORE_RUN: number = numbered('task.beforeRun')
export const AFTER_RUN: number = numbered('task.afterRun')
export const BEFORE_SEAL: number = numbered('result.beforeSeal')

/** This thread is at a point, and may end there, or block for a while. True: what should happen next is not to happen. */
export const passes = (port: Port, point: number): boolean => (port.words[L.H_FAULTS] === 0 ? false : strikes(port, point))

const strikes = (port: Port, point: number): boolean => {
  const fault = pass(point)
  if (fault === undefined) return false
  if (fault === 'kill') {
    leaveWord(port, `ended by a fault at ${points[point]}, as mobula/testing was told`)
    process.exit(1)
  }
  if (fault === 'drop') return true
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fault)
  return false
}
