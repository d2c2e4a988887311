/** The end of a worker that has been idle for long, when there are more of them than CPUs. */

import { getActiveResourcesInfo } from 'node:process'
import type { Port } from '../engine/local/port.ts'

/** What keeps every worker's loop alive: its ports to the driver, and what its output goes through. */
const ITS_OWN = new Set(['MessagePort', 'Immediate', 'CloseReq'])

/** Ends this thread, unless users' code left something here that goes on: a timer, a server, a request under way. */
export const retire = (port: Port): void => {
  // Not within the loop's hook, which is on the stack.
  setImmediate(() => {
    if (getActiveResourcesInfo().every((name) => ITS_OWN.has(name)) && port.raw.leave()) process.exit(0)
  })
}
