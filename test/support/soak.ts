/** Runs the soak, a program of four threads over one small store, in a process of its own. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'

export interface Soak {
  readonly seed: number
  readonly operations: number
  /** Operations before the first look at what the process has. */
  readonly warmup: number
  /** Of about a thousand operations, so many let a task end its thread. */
  readonly deaths: number
}

/** What it has done, by name. */
export const soak = (what: Soak, views = ''): Record<string, number> => {
  const path = fileURLToPath(new URL('../fixtures/programs/soak.ts', import.meta.url))
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', path, JSON.stringify(what)], {
    encoding: 'utf8',
    timeout: 600_000,
    env: { ...process.env, MOBULA_VIEWS: views },
  })
  const again = `MOBULA_VIEWS=${views} node --import tsx test/fixtures/programs/soak.ts '${JSON.stringify(what)}'`
  // Threads that die on purpose say so in as many words.
  const said = stderr.replaceAll(/^\(worker.*\n/gm, '')
  assert.is(status, 0, `${again} ended with ${status ?? signal}: ${said}`)
  return JSON.parse(stdout) as Record<string, number>
}
