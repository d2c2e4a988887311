/** What workers print appears on the driver, whole lines with their task's or actor's name, before the result is used up. */

import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const program = fileURLToPath(new URL('./fixtures/programs/prints.ts', import.meta.url))

interface Printed {
  readonly stdout: string
  readonly stderr: string
}

const toPipes = (...args: string[]): Printed => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', 'tsx', program, ...args], { encoding: 'utf8', timeout: 60_000 })
  assert.is(status, 0, stderr)
  return { stdout, stderr }
}

const toFiles = (): Printed => {
  const folder = mkdtempSync(join(tmpdir(), 'mobula-prints-'))
  try {
    const paths = ['stdout', 'stderr'].map((name) => join(folder, name))
    const files = paths.map((path) => openSync(path, 'w'))
    const { status } = spawnSync(process.execPath, ['--import', 'tsx', program], { stdio: ['ignore', ...files], timeout: 60_000 })
    files.forEach(closeSync)
    const [stdout = '', stderr = ''] = paths.map((path) => readFileSync(path, 'utf8'))
    assert.is(status, 0, stderr)
    return { stdout, stderr }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

for (const [where, run] of Object.entries({ toPipes, toFiles })) {
  test(`${where}: lines are whole, prefixed, on the stream that they were printed to, and all there`, () => {
    const { stdout, stderr } = run()
    const lines = stdout.split('\n')
    assert.is(lines.filter((line) => /^\(chatty \d+\) to stdout$/.test(line)).length, 2, stdout)
    assert.ok(lines.includes('driver: done'))
    assert.is(stderr.match(/^\(chatty \d+\) to stderr$/gm)?.length, 2)
    assert.is(lines.filter((line) => /^\(chatty \d+\) line \d+ of a burst$/.test(line)).length, 2000)
    assert.is(stdout.match(/^\(chatty \d+\) without a newline$/gm)?.length, 2)
    for (const line of lines) assert.match(line, /^$|^driver: |^\((chatty|ada|bob|cyd|dan|eve|Crier) \d+\) /)
    // What an actor prints has its name in front, or else its class's, whatever the call is named.
    for (const line of [/^\(eve \d+\) made with eve$/m, /^\(Crier \d+\) made with none$/m]) assert.match(stdout, line)
    for (const line of [/^\(eve \d+\) cried$/m, /^\(Crier \d+\) cried$/m]) assert.match(stderr, line)
    // Those that overlap on one thread have their own names in front after an await, too, and share no line.
    for (const name of ['ada', 'bob', 'cyd', 'dan', 'eve', 'Crier']) {
      const own = lines.flatMap((line) => line.match(new RegExp(`^\\(${name} \\d+\\) ((?!made with).*)$`))?.[1] ?? [])
      assert.is(own.join(''), `${`${name}(${name})`.repeat(10)}end of ${name}`)
    }
  })
}

test('logToDriver: false keeps them to themselves', () => {
  assert.equal(toPipes('quiet'), { stdout: 'driver: done\n', stderr: '' })
})

test.run()
