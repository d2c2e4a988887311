/** Measures what it costs to have the runtime: the time to the first result in a fresh process, and what its workers take while idle. */

import { ownProcess } from './support/own-process.ts'
import type { Bench, Suite } from './support/suite.ts'

/** A minute shows what happens once in a minute; a few seconds show all that happens more often. */
const IDLE_SECONDS = process.env['MOBULA_BENCH_LONG'] === '1' ? 60 : 5

export const suite: Suite = {
  question: 'How soon is the first result there in a fresh process, and what do idle workers cost?',
  notEvidenceOf: 'how long tasks take: that is the suite tasks',
  benches: (): readonly Bench[] => [
    {
      bench: 'import, init and first result',
      unit: 'ms',
      params: { workers: 2 },
      rivals: [ownProcess('mobula', 'first', 'mobula'), ownProcess('piscina', 'first', 'piscina')],
    },
    // Linux tells CPU times by thread; elsewhere there is nothing to ask.
    ...(process.platform === 'linux'
      ? [
          {
            bench: 'CPU of an idle worker',
            unit: '%' as const,
            params: { workers: 2, seconds: IDLE_SECONDS },
            rivals: [ownProcess('mobula', 'idle', String(IDLE_SECONDS))],
            runs: 3,
            warmup: 0,
          },
        ]
      : []),
  ],
}
