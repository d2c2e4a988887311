/** Leaves word of how this thread ends, for the errors of the tasks that it takes along. */

import { inspect } from 'node:util'
import * as L from '../engine/local/layout.ts'
import type { Port } from '../engine/local/port.ts'

/** What is written here is read when this isolate's part ends. */
export const leaveWord = ({ words, bytes }: Port, text: string): void => {
  words[L.H_EXIT_TEXT] = new TextEncoder().encodeInto(text, bytes.subarray(L.EXIT_TEXT, L.EXIT_TEXT + L.EXIT_TEXT_MAX)).written
}

export const reportExit = (port: Port): void => {
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    const text = error instanceof Error ? `uncaught ${error.stack ?? String(error)}` : `uncaught ${inspect(error)}`
    leaveWord(port, text)
    // Nobody may be waiting for this thread's tasks.
    process.stderr.write(`${text}\n`)
  })
  process.on('exit', (code) => {
    port.words[L.H_EXIT_CODE] = code + 1
  })
}
