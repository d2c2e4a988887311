/** A full store: objects go to disk, come back as they were, and leave nothing there. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, init, isInitialized, ObjectLostError, type ObjectRef, put, remote } from '../src/index.ts'
import { collectGarbage, stats } from '../src/testing.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

const MB = 2 ** 20
const pattern = (length: number, seed: number): Uint8Array => Uint8Array.from({ length }, (_, k) => (k * 31 + seed * 7) & 0xff)
const checksum = remote((bytes: Uint8Array) => bytes.reduce((sum, byte) => (sum * 31 + byte) | 0, 0))
const sumOf = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum * 31 + byte) | 0, 0)

const inFolder = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'mobula-test-'))
  try {
    await body(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test(
  'a working set ten times the store, read at random here and by workers; afterwards the disk is empty',
  withRuntime({ numCpus: 2, objectStoreMemory: 8 * MB }, async () => {
    const all = Array.from({ length: 80 }, (_, k) => pattern(MB + k, k))
    const refs = all.map((bytes) => put(bytes))
    assert.ok((await stats()).store.spilledBytes > 60 * MB)
    for (let round = 0; round < 100; round++) {
      const k = (round * 37) % 80
      if (round % 2 === 0) assert.equal(await get(refs[k] as ObjectRef<Uint8Array>, { copy: true }), all[k])
      else assert.is(await get(checksum.remote(refs[k] as ObjectRef<Uint8Array>)), sumOf(all[k] as Uint8Array))
      if (round % 10 === 0) await collectGarbage()
    }
    for (const ref of refs) ref[Symbol.dispose]()
    // The last views are the collectors' to give back, on every thread.
    for (let k = 0; k < 50 && (figures().storeSpilledBytes !== 0 || figures().storeDiskBytes !== 0); k++) await collectGarbage()
    assert.equal([figures().storeSpilledBytes, figures().storeDiskBytes], [0, 0], 'nothing is left on disk')
  }),
)

test(
  'small objects by the thousand, too',
  withRuntime({ numCpus: 1, objectStoreMemory: 2 * MB }, async () => {
    const refs = Array.from({ length: 3000 }, (_, k) => put(pattern(2000 + (k % 100), k)))
    assert.ok((await stats()).store.spilledBytes > 2 * MB)
    for (let k = 0; k < 3000; k += 7) assert.equal(await get(refs[k] as ObjectRef<Uint8Array>), pattern(2000 + (k % 100), k))
  }),
)

test(
  'one object larger than the store, and a view that stays what it is while everything else goes',
  withRuntime({ numCpus: 1, objectStoreMemory: 4 * MB }, async () => {
    const held = await get(put(pattern(MB, 1)))
    const large = pattern(10 * MB, 2)
    const ref = put(large)
    assert.is(await get(checksum.remote(ref)), sumOf(large))
    const others = Array.from({ length: 20 }, (_, k) => put(pattern(MB, k)))
    assert.equal(held, pattern(MB, 1))
    assert.equal(await get(others[7] as ObjectRef<Uint8Array>), pattern(MB, 7))
  }),
)

test('the folder is of the user’s choice, and shows no file', () =>
  inFolder(async (folder) => {
    await withRuntime({ numCpus: 1, objectStoreMemory: 2 * MB, spillDirectory: folder }, async () => {
      const refs = Array.from({ length: 8 }, (_, k) => put(pattern(MB, k)))
      assert.ok((await stats()).store.spilledBytes > 0)
      assert.equal(readdirSync(folder), [])
      if (process.platform === 'linux') assert.is(spillFiles(folder).length >= 1, true)
      assert.equal(await get(refs[0] as ObjectRef<Uint8Array>), pattern(MB, 0))
    })()
    assert.equal(readdirSync(folder), [])
  }))

const spillFiles = (folder: string): string[] =>
  readdirSync('/proc/self/fd')
    .map((name) => `/proc/self/fd/${name}`)
    .filter((path) => {
      try {
        return readlinkSync(path).startsWith(folder)
      } catch {
        return false
      }
    })

test('what was damaged on disk is lost, never wrong', () =>
  inFolder(async (folder) => {
    if (process.platform !== 'linux') return
    await withRuntime({ numCpus: 1, objectStoreMemory: 2 * MB, spillDirectory: folder }, async () => {
      // The first has more refs than a record carries: its bytes come by another way, copied.
      const inner = put(1)
      const many = put({ bytes: pattern(MB, 0), refs: new Array<ObjectRef>(5000).fill(inner) })
      const refs = Array.from({ length: 8 }, (_, k) => put(pattern(MB, k)))
      for (const path of spillFiles(folder)) {
        const file = openSync(path, 'r+')
        // A byte here and there, in every half megabyte.
        for (let at = 1000; at < 8 * MB; at += MB / 2) writeSync(file, Buffer.of(0x55, 0xaa, 0x55), 0, 3, at)
      }
      let lost = 0
      for (const [k, ref] of refs.entries()) {
        try {
          assert.equal(await get(ref, { copy: true }), pattern(MB, k))
        } catch (error) {
          assert.instance(error, ObjectLostError)
          lost++
        }
      }
      assert.ok(lost >= 4, `${lost} of 8 are lost`)
      assert.instance(await rejection(get(checksum.remote(refs[0] as ObjectRef<Uint8Array>))), ObjectLostError)
      assert.instance(await rejection(get(many)), ObjectLostError)
      assert.instance(await rejection(get(remote((_: unknown) => 'ran').remote(many))), ObjectLostError)
      // Asked for in the same turn, each for itself.
      const [bad, good] = await Promise.allSettled([get(many), get(put(7))])
      assert.instance((bad as PromiseRejectedResult).reason, ObjectLostError)
      assert.is((good as PromiseFulfilledResult<number>).value, 7)
    })()
  }))

test('a folder that is none is refused at once, by name', () => {
  for (const [value, Class, expected] of [
    ['/nowhere/at/all', RangeError, /^options\.spillDirectory: expected a folder in which files can be made, got '\/nowhere\/at\/all'/],
    [fileURLToPath(import.meta.url), RangeError, /^options\.spillDirectory: expected a folder/],
    ['', TypeError, /^options\.spillDirectory: expected the path of a folder, or false, got ''/],
    [true, TypeError, /^options\.spillDirectory: expected the path of a folder, or false, got true/],
  ] as const) {
    const error = thrown(() => void init({ spillDirectory: value as string }))
    assert.instance(error, Class)
    assert.match(error.message, expected)
    assert.not(isInitialized())
  }
})

test('a full disk is an OutOfDiskError; what is there stays, and with room again work goes on', () =>
  inFolder(async (folder) => {
    // A disk of 6 MiB that nobody else sees, where the system lets us have one.
    const mounted = 'mount -t tmpfs -o size=6m tmpfs "$0"'
    if (spawnSync('unshare', ['-rm', 'sh', '-c', mounted, folder]).status !== 0) {
      console.log('(a full disk: not tried, since this system does not allow a mount of one)')
      return
    }
    const program = fileURLToPath(new URL('./fixtures/programs/full-disk.ts', import.meta.url))
    const script = `${mounted} && exec "$1" --import tsx "$2" "$0"`
    const { stdout, stderr, status } = spawnSync('unshare', ['-rm', 'sh', '-c', script, folder, process.execPath, program], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    assert.is(status, 0, stderr)
    const said = JSON.parse(stdout) as { isOutOfDisk: boolean; message: string; kept: number }
    assert.ok(said.isOutOfDisk, said.message)
    assert.ok(said.kept >= 8, `${said.kept} objects were kept`)
  }))

test.run()
