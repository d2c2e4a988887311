/** `free`: the value goes, the refs stay and say so. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { free, get, ObjectFreedError, put, remote, shutdown, wait } from '../src/index.ts'
import { collectGarbage, eventually, rejection, thrown, turn, withRuntime } from './support/with-runtime.ts'

const identity = remote((x: unknown) => x)
const length = remote((array: Float64Array) => array.length)

test(
  'later gets, waits and tasks learn of it; freeing twice is harmless',
  withRuntime({ numCpus: 1 }, async () => {
    const small = put({ a: 1 })
    const large = put(new Float64Array(100_000))
    const result = identity.remote(7)
    await get(result)
    free(small)
    free([large, result])
    free(large)
    for (const ref of [small, large, result]) {
      const error = await rejection(get(ref))
      assert.instance(error, ObjectFreedError)
      assert.is(error.code, 'ERR_OBJECT_FREED')
    }
    assert.is((await wait([small]))[0].length, 1, 'it is settled')
    assert.instance(await rejection(get(length.remote(large))), ObjectFreedError)
    assert.is(await get(identity.remote(1)), 1)
  }),
)

test(
  'memory comes back though refs are left, at once unless a view is held',
  withRuntime({ numCpus: 1 }, async () => {
    const refs = Array.from({ length: 10 }, () => put(new Uint8Array(2 ** 20).fill(3)))
    const view = (await get(refs[0] as (typeof refs)[0])) as Uint8Array
    const before = figures().storeBytes as number
    free(refs)
    await eventually('nine of ten are gone', () => (figures().storeBytes as number) <= before - 9 * 2 ** 20)
    assert.ok(view.every((byte) => byte === 3))
  }),
)

test(
  'what lies in a freed value is let go',
  withRuntime({ numCpus: 1 }, async () => {
    // What earlier tests dropped must not go meanwhile.
    collectGarbage()
    await turn()
    const before = figures().storeObjects as number
    let outer: ReturnType<typeof put>
    {
      using inner = put(new Uint8Array(2 ** 20))
      outer = put({ inner })
      await get(identity.remote(1))
    }
    assert.ok((figures().storeBytes as number) >= 2 ** 20)
    free(outer)
    await eventually('the inner one is gone', () => (figures().storeObjects as number) <= before)
  }),
)

test(
  'a task under way goes on, and what it returns is dropped',
  withRuntime({ numCpus: 1 }, async () => {
    const slow = remote(async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return new Uint8Array(2 ** 20)
    })
    const before = figures().storeObjects as number
    const ref = slow.remote(50)
    const dependant = identity.remote(ref)
    await get(slow.remote(1))
    free(ref)
    assert.instance(await rejection(get(ref)), ObjectFreedError)
    assert.instance(await rejection(get(dependant)), ObjectFreedError)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await eventually('its result was dropped', () => (figures().storeObjects as number) <= before + 1)
    assert.is(await get(identity.remote(2)), 2)
  }),
)

test(
  'wrong arguments are told, and free nothing',
  withRuntime({ numCpus: 1 }, async () => {
    const loose = free as (refs: unknown) => void
    const ref = put(1)
    assert.match(thrown(() => loose(3)).message, /^ref: expected an ObjectRef, got 3/)
    assert.match(thrown(() => loose([ref, null])).message, /^refs\[1\]: expected an ObjectRef, got null/)
    assert.is(await get(ref), 1)
    await shutdown()
    assert.is(thrown(() => free(ref)).code, 'ERR_SHUTDOWN')
  }),
)

test.run()
