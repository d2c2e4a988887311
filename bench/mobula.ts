/** mobula as a rival: a runtime of so many workers, warm when it is measured. */

import { get, init, put, type RemoteFunction, remote, shutdown, wait } from '../src/index.ts'
import type { Rival } from './support/suite.ts'

export const RETURNS = 3000

export interface Mobula {
  readonly identity: RemoteFunction<(value: unknown) => unknown>
  readonly sum: RemoteFunction<(numbers: Float64Array) => number>
  /** Computes for so many microseconds. */
  readonly busy: RemoteFunction<(microseconds: number) => number>
  /** Takes so many milliseconds, and no CPU. */
  readonly sleep: RemoteFunction<(ms: number) => Promise<unknown>>
  readonly count: RemoteFunction<(...values: unknown[]) => number>
  /** Returns the numbers below `RETURNS` as so many objects. */
  readonly several: RemoteFunction<(count: number) => number[], typeof RETURNS>
  readonly get: typeof get
  readonly put: typeof put
  readonly wait: typeof wait
}

const identity = remote((value: unknown): unknown => value)
const sum = remote((numbers: Float64Array): number => {
  let total = 0
  for (let at = 0; at < numbers.length; at++) total += numbers[at] ?? 0
  return total
})

const busy = remote((microseconds: number): number => {
  const end = performance.now() + microseconds / 1000
  let rounds = 0
  while (performance.now() < end) rounds++
  return rounds
})
const sleep = remote(async (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms)))
const several = remote((count: number): number[] => Array.from({ length: count }, (_, k) => k), { numReturns: RETURNS })
const count = remote((...values: unknown[]): number => values.length)

/** One runtime serves all of a bench's entries of mobula: a process has one at a time. */
let users = 0

export const openMobula = (who: string, threads: number, run: (mobula: Mobula) => Promise<number>): Rival => ({
  who,
  open: async () => {
    if (users++ > 0) return
    await init({ numCpus: threads, objectStoreMemory: 2 ** 31 })
    await get(Array.from({ length: threads * 4 }, (_, k) => identity.remote(k)))
  },
  run: () => run({ identity, sum, busy, sleep, count, several, get, put, wait }),
  close: async () => {
    if (--users === 0) await shutdown()
  },
})
