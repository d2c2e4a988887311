/** The end of a worker that has been idle for long, when there are more of them than CPUs. */

import { getActiveResourcesInfo } from 'node:process'
import * as L from '../engine/local/layout.ts'
import type { Port } from '../engine/local/port.ts'

/** What may come and go by itself. */
const PASSING = new Set(['Immediate', 'CloseReq'])

const counts = (): Map<string, number> => {
  const counted = new Map<string, number>()
  for (const name of getActiveResourcesInfo()) if (!PASSING.has(name)) counted.set(name, (counted.get(name) ?? 0) + 1)
  return counted
}

/** Ends this thread when it is asked to, unless it holds refs, or users' code left something here that goes on: a timer, a server, a port. */
export class Retirement {
  readonly #port: Port
  /** What keeps any worker's loop alive. */
  readonly #own = counts()
  /** The last round after which it looked for refs that nobody has any more. */
  #collectedAfter = -1

  constructor(port: Port) {
    this.#port = port
  }

  /** Not at once: the loop's hook is on the stack. */
  hear(): void {
    setImmediate(() => {
      if (!this.#isAlone()) return
      this.#leave()
      const round = this.#port.words[L.H_ROUND] as number
      if (round === this.#collectedAfter) return
      this.#collectedAfter = round
      this.#port.forget(() => this.#leave())
    })
  }

  #isAlone(): boolean {
    return [...counts()].every(([name, count]) => count <= (this.#own.get(name) ?? 0))
  }

  #leave(): void {
    if (this.#isAlone() && this.#port.raw.leave()) process.exit(0)
  }
}
