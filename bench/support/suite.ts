/** What a bench file exports: one question, and the rivals that answer it side by side. */

/** What a figure counts. Rates (ending in `/s`) and shares are better when higher, times and sizes when lower. */
export type Unit = 'ns' | 'µs' | 'ms' | 's' | 'tasks/s' | 'items/s' | 'ops/s' | 'rows/s' | 'MB/s' | 'GB/s' | 'MB' | 'bytes' | '%'

/** What was held fixed: sizes, counts, numbers of workers. */
export type Params = Readonly<Record<string, string | number | boolean>>

/** One way of doing the work. */
export interface Rival {
  /** Its name in the table, such as `mobula` or `piscina (atomics: async)`. */
  readonly who: string
  /** Brings up what it needs, unmeasured. */
  readonly open?: () => Promise<void> | void
  /** Does the work once and returns the figure, in the unit of its bench; `timed` and `rate` help. */
  readonly run: () => Promise<number> | number
  /** Ends all that `open` began: nothing may be left when the suite ends. */
  readonly close?: () => Promise<void> | void
}

/** One figure, by several rivals. The first of them is the one that the others are compared with. */
export interface Bench {
  readonly bench: string
  readonly unit: Unit
  readonly params: Params
  readonly rivals: readonly Rival[]
  /** Measured rounds; 10 unless told. The command line overrules it. */
  readonly runs?: number
  /** Rounds before those, not counted; 2 unless told. */
  readonly warmup?: number
  /**
   * Opens and closes each rival around each of its turns, instead of keeping all of them open: for rivals that would disturb
   * each other merely by being alive (threads that spin, memory that is held).
   */
  readonly fresh?: boolean
}

/** What `bench/<name>.bench.ts` exports as `suite`. */
export interface Suite {
  /** The one question that it answers. */
  readonly question: string
  /** What its figures are not evidence of. */
  readonly notEvidenceOf: string
  /** Made when the suite is run, so that importing it costs nothing. */
  readonly benches: () => readonly Bench[] | Promise<readonly Bench[]>
}
