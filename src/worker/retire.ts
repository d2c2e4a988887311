/** The end of a worker that has been idle for long, when there are more of them than CPUs. */

import * as L from '../engine/local/layout.ts'
import type { Port } from '../engine/local/port.ts'

/** What may come and go by itself. */
const PASSING = new Set(['Immediate', 'CloseReq'])

const active = (): string[] => process.getActiveResourcesInfo().filter((name) => !PASSING.has(name))

const portsOf = (names: readonly string[]): number => names.filter((name) => name === 'MessagePort').length

/** Ends this thread when it is asked to, unless it holds refs, or users' code left something here that goes on: a timer, a server, a port. */
export class Retirement {
  readonly #port: Port
  /** Ports keep any worker's loop alive; nothing else does, whatever was active while it started. */
  readonly #ownPorts = portsOf(active())
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
      this.#port.forget(() => {
        // What was let go of counts once it was handed in.
        this.#port.flush()
        this.#leave()
      })
    })
  }

  #isAlone(): boolean {
    const names = active()
    const ports = portsOf(names)
    return ports === names.length && ports <= this.#ownPorts
  }

  #leave(): void {
    if (this.#isAlone() && this.#port.raw.leave()) process.exit(0)
  }
}
