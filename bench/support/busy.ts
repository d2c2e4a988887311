/** Other processes that want the cores, too. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

const COUNT = 4

let users = 0
let processes: readonly ChildProcess[] = []

/** Begins with its first user, and is there when this resolves. */
export const openBusy = async (): Promise<void> => {
  if (users++ > 0) return
  processes = Array.from({ length: COUNT }, () => spawn(process.execPath, ['-e', 'console.log("busy"); for (;;);'], { stdio: ['ignore', 'pipe', 'ignore'] }))
  await Promise.all(processes.map((one) => once(one.stdout as NodeJS.ReadableStream, 'data')))
}

/** Ends with its last user. */
export const closeBusy = (): void => {
  if (--users > 0) return
  for (const one of processes) one.kill('SIGKILL')
  processes = []
}
