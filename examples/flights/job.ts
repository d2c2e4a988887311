/** What both runs are given, and what both give back. */

import type { Airports } from './airports.ts'
import type { Partition } from './parquet.ts'
import type { Scaling, Sums } from './sums.ts'
import type { Tensor } from './tasks.ts'

export interface Job {
  readonly file: Uint8Array<ArrayBuffer>
  readonly partitions: readonly Partition[]
  readonly airports: Airports
}

/** `start` is the start of the worker threads, and `merge` what the driver alone does between and after the passes. */
export const PHASES = ['start', 'decode', 'fit', 'transform', 'merge'] as const
export type Phase = (typeof PHASES)[number]

/** Milliseconds on the driver's clock: a phase ends when its last partition is done. */
export type Times = Readonly<Record<Phase, number>>

export interface Outcome {
  readonly sums: Sums
  readonly scaling: Scaling
  /** In the order of the partitions. */
  readonly tensors: readonly Tensor[]
  readonly times: Times
}

/** Called once for each partition that a phase is done with: three times for each partition. */
export type Progress = (phase: Phase) => void

export class Stopwatch {
  readonly times: Record<Phase, number> = { start: 0, decode: 0, fit: 0, transform: 0, merge: 0 }
  #last = performance.now()

  /** What has passed since the last call was spent on this. */
  lap(phase: Phase): void {
    const now = performance.now()
    this.times[phase] += now - this.#last
    this.#last = now
  }
}

export const totalOf = (times: Times): number => PHASES.reduce((total, phase) => total + times[phase], 0)
