/** Spares that have been idle for ten seconds end; what they hold keeps them. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../../src/binding.ts'
import { get, type ObjectRef, put, remote } from '../../src/index.ts'
import type * as tasks from '../fixtures/tasks/gather.ts'
import { eventually, withRuntime } from '../support/with-runtime.ts'

const workers = (): number => figures().workers as number

const file = new URL('../fixtures/tasks/gather.ts', import.meta.url)
/** On a tenth of a CPU: each call needs a thread, and so many threads come up. */
const options = { numCpus: 0.1 }
const gather = remote.module<typeof tasks.gather>(file, 'gather').options(options)
const leaveTimer = remote.module<typeof tasks.leaveTimer>(file, 'leaveTimer').options(options)
const keep = remote.module<typeof tasks.keep>(file, 'keep').options(options)

const base = mkdtempSync(join(tmpdir(), 'mobula-retire-'))
test.after(() => rmSync(base, { recursive: true }))

let gatherings = 0
const gathering = (count: number): tasks.Gathering => {
  const folder = join(base, String(gatherings++))
  mkdirSync(folder)
  return { folder, count }
}

const several = async (count: number): Promise<void> => {
  const one = gathering(count)
  await get(Array.from({ length: count }, (_, member) => gather.remote(one, member)))
}

test(
  'spares end when they have been idle for ten seconds, but for those that hold something',
  withRuntime({ numCpus: 1 }, async () => {
    const ref = put('kept')
    await several(6)
    assert.is(workers(), 6)
    await eventually('one is left', () => workers() === 1, 60)
    // They come back, and are told apart by what is left on them.
    const four = gathering(4)
    const nested: readonly ObjectRef<string>[] = [ref]
    await get([leaveTimer.remote(four, 0), keep.remote(four, 1, nested), gather.remote(four, 2), gather.remote(four, 3)])
    assert.is(workers(), 4)
    // One for the CPU may be any of them.
    await eventually('two or three are left', () => workers() <= 3, 60)
    await setTimeout(15_000)
    assert.ok(workers() >= 2, 'who holds something stays')
    await several(6)
    assert.is(workers(), 6)
  }),
)

test.run()
