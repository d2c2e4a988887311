/** Views for long: streams of many times the store, every way to sort what was received, and objects beyond 31 and 32 bits. */
// Time limit: 1800 s

import { spawnSync } from 'node:child_process'
import { freemem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../../src/binding.ts'
import { get, put, remote } from '../../src/index.ts'
import { withRuntime } from '../support/with-runtime.ts'

const MIB = 2 ** 20

const program = (name: string, argument: string, views = ''): string => {
  const path = fileURLToPath(new URL(`../fixtures/programs/${name}.ts`, import.meta.url))
  const env = { ...process.env, MOBULA_VIEWS: views }
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', path, argument], { encoding: 'utf8', timeout: 600_000, env })
  assert.is(status, 0, `${name} ${argument} ended with ${status ?? signal}: ${stderr}`)
  return stdout
}

test(
  'a loop over 10,000 results of 1 MB goes through a store of 256 MB, without disposal and without spilling',
  withRuntime({ objectStoreMemory: 256 * MIB }, async () => {
    const make = remote((k: number) => new Uint8Array(2 ** 20).fill(k))
    for (let k = 0; k < 10_000; k++) {
      const view = await get(make.remote(k))
      if (view[0] !== k % 256 || view[MIB - 1] !== k % 256) assert.unreachable(`result ${k}`)
    }
    const { storeSpilledObjects, storeDiskBytes } = figures()
    assert.equal([storeSpilledObjects, storeDiskBytes], [0, 0])
  }),
)

test(
  'so does one over 10,000 values put and passed on',
  withRuntime({ objectStoreMemory: 256 * MIB }, async () => {
    const first = remote((bytes: Uint8Array<ArrayBufferLike>) => bytes[0])
    const bytes = new Uint8Array(MIB)
    for (let k = 0; k < 10_000; k++) {
      bytes[0] = k
      if ((await get(first.remote(put(bytes)))) !== k % 256) assert.unreachable(`value ${k}`)
    }
    const { storeSpilledObjects, storeDiskBytes } = figures()
    assert.equal([storeSpilledObjects, storeDiskBytes], [0, 0])
  }),
)

for (const views of ['private', 'copy', 'shared']) {
  test(`in a program: readers sort what they receive 1,000 times, 200 times with a collection between, and receive the sealed bytes again (${views})`, () => {
    const sizes = [16 * 1024, 17 * 1024, MIB / 4].map((bytes) => [bytes, 1000, 200])
    assert.is(program('sorts', JSON.stringify(sizes), views), 'as it should be\n')
  })
}

for (const size of [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 128, 2 ** 32 + 1]) {
  test(`in a program: an object of ${size} bytes`, () => {
    // Its source, and itself in the store.
    assert.ok(freemem() > 2.2 * size, 'this test needs more free memory')
    assert.is(program('large', String(size)), 'as it should be\n')
  })
}

test.run()
