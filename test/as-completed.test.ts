/** `asCompleted`: refs in the order in which they settle. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { asCompleted, GetTimeoutError, get, type ObjectRef, put, remote, ShutdownError, shutdown } from '../src/index.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

const after = remote(async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})

const collect = async <T>(refs: AsyncIterable<ObjectRef<T>>): Promise<ObjectRef<T>[]> => {
  const all: ObjectRef<T>[] = []
  for await (const ref of refs) all.push(ref)
  return all
}

test(
  'the very refs come in the order in which they settle, failed ones too',
  withRuntime({ numCpus: 1 }, async () => {
    const fails = remote(async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      throw new RangeError('no')
    })
    await get(after.remote(1))
    const [slow, quick, bad] = [after.remote(400), after.remote(20), fails.remote(200)] as const
    const there = put(0)
    const order = await collect(asCompleted<unknown>([slow, quick, bad, there]))
    assert.equal(
      order.map((ref) => [slow, quick, bad, there].indexOf(ref as never)),
      [3, 1, 2, 0],
    )
    assert.is(await get(quick, { timeout: 0 }), 20)
    assert.instance(await rejection(get(bad)), RangeError)
  }),
)

test(
  'ten thousand refs of an iterable, none twice, none lost; nothing waits afterwards',
  withRuntime({ numCpus: 2 }, async () => {
    const identity = remote((k: number) => k)
    const refs = Array.from({ length: 10_000 }, (_, k) => identity.remote(k))
    const all = await collect(asCompleted(new Set(refs)))
    assert.is(new Set(all).size, 10_000)
    const twice = put(1)
    assert.is((await collect(asCompleted([twice, twice]))).length, 2)
    assert.equal(await collect(asCompleted([])), [])
    assert.is(figures().edges, 0)
  }),
)

test(
  'a loop that is left early ends its waits and leaves the work alone',
  withRuntime({ numCpus: 1 }, async () => {
    const refs = [after.remote(5), after.remote(100), after.remote(150)]
    for await (const ref of asCompleted(refs)) {
      assert.is(await get(ref), 5)
      break
    }
    assert.equal(await get(refs), [5, 100, 150])
  }),
)

test(
  'time limit, signal and shutdown end it with their errors',
  withRuntime({ numCpus: 1 }, async () => {
    const refs = [after.remote(1), after.remote(60_000)]
    await get(refs[0] as (typeof refs)[0])
    const limited = asCompleted(refs, { timeout: 300 })
    assert.is((await limited.next()).done, false)
    const error = await rejection(limited.next())
    assert.instance(error, GetTimeoutError)
    assert.match(error.message, /1 of 2 refs did not settle within 300 ms/)
    const controller = new AbortController()
    const aborted = asCompleted(refs.slice(1), { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 20)
    assert.is((await rejection(aborted.next())).message, 'enough')
    const stopped = rejection(asCompleted(refs.slice(1)).next())
    await new Promise((resolve) => setTimeout(resolve, 20))
    await shutdown()
    assert.instance(await stopped, ShutdownError)
    assert.instance(await rejection(asCompleted(refs).next()), ShutdownError)
  }),
)

test(
  'wrong arguments are told at once',
  withRuntime({ numCpus: 1 }, () => {
    const loose = asCompleted as (...args: unknown[]) => unknown
    assert.match(thrown(() => loose()).message, /^refs: expected an iterable of ObjectRefs, got undefined/)
    assert.match(thrown(() => loose([put(1), 2])).message, /^refs\[1\]: expected an ObjectRef, got 2/)
    assert.match(thrown(() => loose([], { timeout: -1 })).message, /^options\.timeout/)
    assert.match(thrown(() => loose([], { numReturns: 1 })).message, /unknown option 'numReturns'/)
  }),
)

test.run()
