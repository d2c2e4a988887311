/** Measures rivals in alternating rounds, so that a noisy minute on the machine falls on all of them. */

import type { Bench, Params, Rival, Unit } from './suite.ts'

/** Median and spread of what one rival did in one bench. */
export interface Figure {
  readonly bench: string
  readonly who: string
  readonly unit: Unit
  readonly median: number
  readonly min: number
  readonly max: number
  /** How many rounds were measured. */
  readonly runs: number
  readonly params: Params
}

export interface Rounds {
  /** Overrules what the bench says. */
  readonly runs?: number | undefined
  readonly warmup?: number | undefined
  /** Told before each round, warm-up included. */
  readonly onRound?: (round: number, rounds: number) => void
}

const RUNS = 10
const WARMUP = 2

export async function measure(bench: Bench, { runs = bench.runs ?? RUNS, warmup = bench.warmup ?? WARMUP, onRound }: Rounds = {}): Promise<readonly Figure[]> {
  const { rivals, fresh = false } = bench
  const samples = new Map<Rival, number[]>(rivals.map((rival) => [rival, []]))
  const opened: Rival[] = []
  try {
    if (!fresh) {
      for (const rival of rivals) {
        // Noted first: an `open` that fails half way has something to close, too.
        opened.push(rival)
        await rival.open?.()
      }
    }
    for (let round = 0; round < warmup + runs; round++) {
      onRound?.(round, warmup + runs)
      for (const rival of turns(rivals, round)) {
        const figure = fresh ? await runFresh(rival) : await runOnce(rival)
        if (!Number.isFinite(figure)) throw new Error(`${bench.bench}: ${rival.who} returned ${figure} instead of a figure`)
        if (round >= warmup) samples.get(rival)?.push(figure)
      }
    }
  } finally {
    for (const rival of opened.reverse()) await rival.close?.()
  }
  return rivals.map((rival) => ({ bench: bench.bench, who: rival.who, unit: bench.unit, ...spread(samples.get(rival) ?? []), params: bench.params }))
}

/** How long the work takes, in milliseconds. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** How many of `count` the work does per second. */
export async function rate(count: number, work: () => unknown): Promise<number> {
  return (count * 1000) / (await timed(work))
}

/** The middle of an odd number of samples; between the middle two of an even one. */
export function spread(samples: readonly number[]): { readonly median: number; readonly min: number; readonly max: number; readonly runs: number } {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const low = sorted[Math.floor(middle)]
  const high = sorted[Math.ceil(middle)]
  if (low === undefined || high === undefined) throw new Error('there is no spread of no samples: at least one run is needed')
  return { median: (low + high) / 2, min: sorted[0] ?? low, max: sorted.at(-1) ?? high, runs: sorted.length }
}

/** Another one begins each round: who follows whom matters to caches and to the collector. */
function turns(rivals: readonly Rival[], round: number): readonly Rival[] {
  const first = round % Math.max(rivals.length, 1)
  return [...rivals.slice(first), ...rivals.slice(0, first)]
}

async function runOnce(rival: Rival): Promise<number> {
  // One rival's rubbish must not be collected on the next one's time.
  globalThis.gc?.()
  return rival.run()
}

async function runFresh(rival: Rival): Promise<number> {
  try {
    await rival.open?.()
    return await runOnce(rival)
  } finally {
    await rival.close?.()
  }
}
