/** Failures of tasks that nobody asked for are never an unhandled rejection, on any thread; the promise of a `get` is like any other. */
// Time limit: 300 s

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const program = fileURLToPath(new URL('./fixtures/programs/unhandled.ts', import.meta.url))
const STRICT = '--unhandled-rejections=strict'

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

const run = (flags: readonly string[], what: 'nobodyAsks' | 'nobodyHandles', where: string): Ended =>
  spawnSync(process.execPath, [...flags, '--import', 'tsx', program, what, where], { encoding: 'utf8', timeout: 100_000 })

const told = ({ status, stdout, stderr }: Ended): unknown => {
  assert.is(status, 0, stderr)
  return JSON.parse(stdout)
}

for (const where of ['driver', 'worker']) {
  for (const flags of [[], [STRICT]]) {
    test(`${where}${flags.map((flag) => `, ${flag}`)}: tasks fail and nobody asks`, () => {
      assert.equal(told(run(flags, 'nobodyAsks', where)), { how: 'ended', unhandled: 0, uncaught: 0 })
    })
  }

  test(`${where}: a get that nobody handles is an unhandled rejection, once`, () => {
    assert.equal(told(run([], 'nobodyHandles', where)), { how: 'ended', unhandled: 1, uncaught: 0 })
  })
}

test(`driver, ${STRICT}: a get that nobody handles ends the process`, () => {
  const { status, stderr } = run([STRICT], 'nobodyHandles', 'driver')
  assert.is(status, 1)
  assert.match(stderr, /Error: thrown/)
})

test(`worker, ${STRICT}: a get that nobody handles ends the worker`, () => {
  assert.equal(told(run([STRICT], 'nobodyHandles', 'worker')), { how: 'WorkerCrashedError', unhandled: 0, uncaught: 1 })
})

test.run()
