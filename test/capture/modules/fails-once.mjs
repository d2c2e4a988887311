/** A module that throws on the first thread but the driver's that loads it. */
// @ts-nocheck: see cases/

import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Workers have the process, but not its variables, in common. */
export const mark = join(tmpdir(), `mobula-capture-once-${process.pid}`)

if (globalThis[Symbol.for('mobula.capture.driver')] !== true) {
  let isFirst = true
  try {
    writeFileSync(mark, '', { flag: 'wx' })
  } catch {
    isFirst = false
  }
  if (isFirst) throw new RangeError('fails-once.mjs cannot be loaded the first time')
}

export const useful = () => 'useful'
