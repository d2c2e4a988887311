/** Spares that have been idle for ten seconds end; what they hold keeps them. */

import { setTimeout } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../../src/binding.ts'
import { get, type ObjectRef, put, remote } from '../../src/index.ts'
import { eventually, withRuntime } from '../support/with-runtime.ts'

const workers = (): number => figures().workers as number

/** Sleeps in native code on a tenth of a CPU, so that each call needs a thread. */
const nap = remote(
  (ms: number, what: 'nothing' | 'timer' | 'ref', refs: readonly ObjectRef<unknown>[]) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    if (what === 'timer') setInterval(() => {}, 1000)
    if (what === 'ref') Object.assign(globalThis, { kept: refs })
    return what
  },
  { numCpus: 0.1 },
)

test(
  'spares end when they have been idle for ten seconds, but for those that hold something',
  withRuntime({ numCpus: 1 }, async () => {
    const ref = put('kept')
    const several = (count: number): Promise<unknown[]> => get(Array.from({ length: count }, () => nap.remote(1000, 'nothing', [])))
    await several(6)
    assert.ok(workers() >= 5, `${workers()} workers`)
    await eventually('one is left', () => workers() === 1, 30)
    // They come back, and are told apart by what is left on them.
    await get([nap.remote(1000, 'timer', []), nap.remote(1000, 'ref', [ref]), nap.remote(1000, 'nothing', []), nap.remote(1000, 'nothing', [])])
    assert.ok(workers() >= 4, `${workers()} workers`)
    // One for the CPU may be any of them.
    await eventually('two or three are left', () => workers() <= 3, 30)
    await setTimeout(15_000)
    assert.ok(workers() >= 2, 'who holds something stays')
    assert.equal(await several(6), Array(6).fill('nothing'))
  }),
)

test.run()
