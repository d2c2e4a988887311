/** What all rivals have in common, so that a suite can run the same work on each of them. */

/** A function of bench/compare/work.mjs. */
export type Work = 'noop' | 'identity' | 'add' | 'sum' | 'glance' | 'glanceAtFile' | 'keep' | 'busy'

export interface Pool {
  /** The name in the table. */
  readonly who: string
  run(work: Work, value?: unknown, transfer?: readonly ArrayBuffer[]): Promise<unknown>
  close(): Promise<void>
}
