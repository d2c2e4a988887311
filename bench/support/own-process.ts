/** Figures of a process that begins, measures itself and ends: `own-process.mjs` says which there are. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Rival } from './suite.ts'

const program = fileURLToPath(new URL('own-process.mjs', import.meta.url))

export const ownProcess = (who: string, ...args: readonly string[]): Rival => ({
  who,
  run: async () => Number((await promisify(execFile)(process.execPath, ['--expose-gc', program, ...args])).stdout),
})
