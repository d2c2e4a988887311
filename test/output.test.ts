/** What workers print appears on the driver, whole lines with their task's name, before the result is used up. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const program = fileURLToPath(new URL('./fixtures/programs/prints.ts', import.meta.url))
const run = (...args: string[]): { stdout: string; stderr: string; status: number | null } =>
  spawnSync(process.execPath, ['--import', 'tsx', program, ...args], { encoding: 'utf8', timeout: 60_000 })

test('lines are whole, prefixed, and on the stream that they were printed to', () => {
  const { stdout, stderr, status } = run()
  assert.is(status, 0, stderr)
  const lines = stdout.split('\n')
  assert.ok(
    lines.some((line) => /^\(chatty \d+\) to stdout$/.test(line)),
    stdout,
  )
  assert.ok(lines.includes('driver: done'))
  assert.match(stderr, /^\(chatty \d+\) to stderr$/m)
  assert.is(lines.filter((line) => /^\(chatty \d+\) line \d+ of a burst$/.test(line)).length, 2000)
  assert.match(stdout, /^\(chatty \d+\) without a newline/m)
  for (const line of lines) assert.match(line, /^$|^driver: |^\((chatty|worker) \d+\) /)
})

test('logToDriver: false keeps them to themselves', () => {
  const { stdout, stderr } = run('quiet')
  assert.is(stdout, 'driver: done\n')
  assert.is(stderr, '')
})

test.run()
