/** Memory of the store that was moved out of its buffer: it is lent to nobody else, also when the thread has ended that had it. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, type ObjectRef, ObjectStoreFullError, put } from '../src/index.ts'
import type { Moves } from './fixtures/programs/moves.ts'
import { thrown, withRuntime } from './support/with-runtime.ts'

type Bytes = Uint8Array<ArrayBufferLike>

const objectStoreMemory = 32 * 2 ** 20
const length = 2 ** 20
/** What an object has besides its bytes. */
const HEAD = 128

/** What the thread sent before it ended. */
const sentBy = async (what: Moves['what'], how: Moves['how']): Promise<unknown> => {
  // Threads of Node 20 do not inherit the loader of TypeScript.
  const boot = "import('tsx/esm/api').then(({ register }) => (register(), import(require('node:worker_threads').workerData.program)))"
  const program = new URL('./fixtures/programs/moves.ts', import.meta.url).href
  const worker = new Worker(boot, { eval: true, workerData: { program, what, how, length, objectStoreMemory } })
  const [[sent]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [[unknown], unknown]
  return sent
}

/** Fills what is left of the store that the thread had: the same one, since it is wanted with the same options. */
const othersKeepOff = (moved: Bytes) =>
  withRuntime({ numCpus: 1, objectStoreMemory, spillDirectory: false }, async () => {
    const filler: ObjectRef<Bytes>[] = []
    const full = thrown(() => {
      for (let k = 0; k < 1000; k++) filler.push(put(new Uint8Array(length / 4).fill(1)))
    })
    assert.instance(full, ObjectStoreFullError)
    assert.ok(filler.length > 50)
    assert.ok(moved.length === length && moved.every((byte) => byte === 3))
    moved.fill(9)
    for (const ref of filler) assert.ok((await get(ref)).every((byte) => byte === 1))
  })()

const moves = 'transfer' in ArrayBuffer.prototype ? (['stream', 'transfer'] as const) : (['stream'] as const)

for (const what of ['draft', 'view'] as const) {
  for (const how of moves) {
    test(`the memory of a ${what} that went to another thread (${how}) stays that thread's`, async () => {
      const before = figures().strandedBytes as number
      const moved = (await sentBy(what, how)) as Bytes
      // What is shared is let go of by the last who has it.
      const stranded = moved.buffer instanceof ArrayBuffer ? length + HEAD : 0
      assert.is((figures().strandedBytes as number) - before, stranded)
      await othersKeepOff(moved)
    })
  }
  for (const how of ['kept', 'collected'] as const) {
    test(`the memory of a ${what} that was not moved (${how}) is free when its thread has ended`, async () => {
      const left = (): unknown => {
        const { storeObjects, storePins, strandedBytes } = figures()
        return { storeObjects, storePins, strandedBytes }
      }
      // A store has to be there, for its figures to be.
      await sentBy(what, how)
      const before = left()
      await sentBy(what, how)
      assert.equal(left(), before)
    })
  }
}

test.run()
