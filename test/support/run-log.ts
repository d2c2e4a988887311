/** A file that outlives every thread: tasks write a line for each time that they run. */

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'

const folder = mkdtempSync(join(tmpdir(), 'mobula-runs-'))
test.after(() => rmSync(folder, { recursive: true }))
let logs = 0

/** A new one, empty. */
export const runLog = (): string => {
  const path = join(folder, String(logs++))
  appendFileSync(path, '')
  return path
}

export const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').filter(Boolean)
