/** What all rivals have in common, so that a suite can run the same work on each of them. */

import type { Rival } from '../support/suite.ts'

/** A function of bench/compare/work.mjs. */
export type Work = 'noop' | 'identity' | 'add' | 'sum' | 'glance' | 'glanceAtFile' | 'keep' | 'busy'

export interface Pool {
  /** The name in the table. */
  readonly who: string
  run(work: Work, value?: unknown, transfer?: readonly ArrayBuffer[]): Promise<unknown>
  close(): Promise<void>
}

/** A pool as a rival: opened for the bench, measured by `run`; `before` is called when it closes, first. */
export const poolRival = (who: string, open: () => Promise<Pool>, run: (pool: Pool) => Promise<number>, before?: () => void): Rival => {
  let pool: Pool | undefined
  return {
    who,
    open: async () => {
      pool = await open()
    },
    run: () => run(pool as Pool),
    close: async () => {
      before?.()
      await pool?.close()
    },
  }
}
