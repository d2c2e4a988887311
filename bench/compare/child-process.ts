/** The rival in a process of its own: `child_process` with its channel, serialized as structured clone does. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Pool, Work } from './pool.ts'

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

export async function openChildProcess(): Promise<Pool> {
  const waiting: Waiting[] = []
  const child = fork(fileURLToPath(new URL('./child-process-child.mjs', import.meta.url)), { serialization: 'advanced', execArgv: [] })
  const failed = (error: Error): void => {
    for (const one of waiting.splice(0)) one.reject(error)
  }
  // Answers come in the order of the questions.
  child.on('message', (value) => waiting.shift()?.resolve(value))
  child.on('error', failed)
  child.on('exit', () => failed(new Error('the child process ended')))
  await once(child, 'spawn')
  return {
    who: 'child_process',
    run: (work: Work, value?: unknown) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        child.send([work, value] as never)
      }),
    close: async () => {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}
