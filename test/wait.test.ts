/** `get` with limits, and `wait`: who is ready, when, and in which order. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, init, put, remote, shutdown, wait } from '../src/index.ts'
import { rejection, withRuntime } from './support/with-runtime.ts'

const after = remote((ms: number) => new Promise<number>((resolve) => setTimeout(resolve, ms, ms)))
const never = remote(() => new Promise<number>(() => {}))
const fail = remote((text: string) => {
  throw new RangeError(text)
})

test(
  'get keeps order and repeats, and takes an empty list',
  withRuntime({}, async () => {
    const [a, b] = [put('a'), put('b')]
    assert.equal(await get([b, a, b]), ['b', 'a', 'b'])
    assert.equal(await get([]), [])
  }),
)

test(
  'a timeout rejects, and a later get succeeds',
  withRuntime({}, async () => {
    const ref = after.remote(300)
    const start = performance.now()
    const error = await rejection(get(ref, { timeout: 50 }))
    assert.is(error.code, 'ERR_GET_TIMEOUT')
    assert.ok(performance.now() - start >= 49)
    assert.is(await get(ref), 300)
    assert.is(await get(ref, { timeout: 0 }), 300, 'a value that is there needs no time')
    assert.is(await get(ref, { timeout: 2 ** 40 }), 300, 'more than a timer can count')
  }),
)

test(
  'a signal ends a get with its reason',
  withRuntime({}, async () => {
    const controller = new AbortController()
    const pending = get(never.remote(), { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    assert.is(await rejection(pending), reason)
    assert.is(await rejection(get(never.remote(), { signal: controller.signal })), reason)
  }),
)

test(
  'the first failure rejects at once',
  withRuntime({}, async () => {
    const error = await rejection(get([never.remote(), fail.remote('first')]))
    assert.is(error.message, 'first')
    assert.instance(error, RangeError)
  }),
)

test(
  'wait: at most numReturns are ready, failed ones count, input order is kept',
  withRuntime({}, async () => {
    const done = [put(0), put(1), put(2), put(3)]
    const [one, three] = await wait(done)
    assert.equal([one, three], [done.slice(0, 1), done.slice(1)])
    assert.equal(await wait(done, { numReturns: 4 }), [done, []])
    const mixed = [never.remote(), fail.remote('x'), never.remote()]
    assert.equal(await wait(mixed), [[mixed[1]], [mixed[0], mixed[2]]])
    assert.equal(await wait([]), [[], []])
  }),
)

test(
  'wait: a timeout gives what there is; 0 asks without waiting',
  withRuntime({}, async () => {
    const refs = [never.remote(), put(1)]
    assert.equal(await wait(refs, { numReturns: 2, timeout: 50 }), [[refs[1]], [refs[0]]])
    assert.equal(await wait(refs, { numReturns: 2, timeout: 0 }), [[refs[1]], [refs[0]]])
    assert.equal(await wait([refs[0] as (typeof refs)[0]], { timeout: 0 }), [[], [refs[0]]])
    const controller = new AbortController()
    const pending = wait([never.remote()], { signal: controller.signal })
    controller.abort()
    assert.is((await rejection(pending)).name, 'AbortError')
  }),
)

test(
  'wait one by one over 1,000',
  withRuntime({}, async () => {
    const noop = remote((k: number) => k)
    let left = Array.from({ length: 1000 }, (_, k) => noop.remote(k))
    const seen = new Set<number>()
    while (left.length > 0) {
      const [ready, rest] = await wait(left)
      for (const value of await get(ready)) seen.add(value)
      left = rest
    }
    assert.is(seen.size, 1000)
  }),
)

test(
  'many waits for one ref, all woken',
  withRuntime({}, async () => {
    const ref = after.remote(50)
    assert.equal(await Promise.all(Array.from({ length: 500 }, () => get(ref))), new Array(500).fill(50))
  }),
)

test('shutdown rejects what waits', async () => {
  await init({ numCpus: 1 })
  const ref = never.remote()
  const waits = [rejection(get(ref)), rejection(wait([ref])), rejection(get([put(1), ref]))]
  await shutdown()
  for (const error of await Promise.all(waits)) assert.is(error.code, 'ERR_SHUTDOWN')
})

test.run()
