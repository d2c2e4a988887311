/** Figures of a process that begins, measures itself and ends: the programs beside this file say which there are. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Rival } from './suite.ts'

const run = async (program: string, args: readonly string[]): Promise<string> => {
  const file = fileURLToPath(new URL(program, import.meta.url))
  return (await promisify(execFile)(process.execPath, ['--expose-gc', file, ...args])).stdout
}

export const ownProcess = (who: string, ...args: readonly string[]): Rival => ({
  who,
  run: async () => Number(await run('own-process.mjs', args)),
})

/** All that one process of `capture-process.mjs` says. */
export const captureProcess = async (...args: readonly string[]): Promise<Readonly<Record<string, number>>> =>
  JSON.parse(await run('capture-process.mjs', args)) as Record<string, number>
