/** The progress bar, for people: on stderr, and only where that is a terminal. */

import cliProgress from 'cli-progress'
import type { Phase, Progress } from './job.ts'

export const withBar = async <T>(title: string, steps: number, work: (progress: Progress) => T | Promise<T>): Promise<T> => {
  if (!process.stderr.isTTY) return work(() => {})
  const bar = new cliProgress.SingleBar({
    format: `${title} {bar} {value}/{total} {phase}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
  })
  bar.start(steps, 0, { phase: '' })
  try {
    return await work((phase: Phase) => {
      bar.increment({ phase })
      // The run on one thread leaves no time for the bar's own timer.
      bar.updateETA()
      bar.render()
    })
  } finally {
    bar.stop()
  }
}
