/** Tasks that return several objects, or none. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { free, get, getSync, remote, wait } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { collectGarbage, eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/tasks.ts', import.meta.url)
const divide = remote((a: number, b: number): [number, number] => [Math.floor(a / b), a % b], { numReturns: 2 })
const list = remote((values: unknown[]): unknown[] => values)
const add = remote((a: number, b: number) => a + b)

test(
  'each ref has an object of its own, which can be passed on by itself',
  withRuntime({ numCpus: 2 }, async () => {
    const [quotient, rest] = divide.remote(17, 5)
    assert.is.not(quotient.id, rest.id)
    assert.is(`${rest.id}`, `${quotient.id}.1`)
    assert.equal(await get([rest, quotient]), [2, 3])
    assert.is(await get(add.remote(quotient, rest)), 5)
    const [ready] = await wait([rest])
    assert.is(ready[0], rest)
  }),
)

test(
  'values of every size, 3,000 of them, and async functions',
  withRuntime({ numCpus: 2 }, async () => {
    const sizes = remote(async (count: number) => Array.from({ length: count }, (_, k) => new Uint8Array(k % 7 === 0 ? 40_000 : k % 5).fill(k)), {
      numReturns: 3000,
    })
    const refs = sizes.remote(3000)
    assert.is(refs.length, 3000)
    const values = await get(refs)
    values.forEach((value, k) => {
      assert.is(value.length, k % 7 === 0 ? 40_000 : k % 5)
      assert.ok(value.every((byte) => byte === k % 256))
    })
  }),
)

test(
  'another number, or no array, rejects all of them; so does an error, and what cannot be kept',
  withRuntime({ numCpus: 1 }, async () => {
    const three = list.options({ numReturns: 3 })
    for (const [values, text] of [
      [[1, 2], /with numReturns 3 the function returns an array of 3, and it returned an array of 2/],
      [[1, 2, 3, 4], /it returned an array of 4/],
    ] as const) {
      for (const ref of three.remote([...values])) {
        const error = await rejection(get(ref))
        assert.instance(error, TypeError)
        assert.match(error.message, text)
      }
    }
    const boom = remote(
      (): unknown[] => {
        throw new RangeError('boom')
      },
      { numReturns: 2 },
    )
    for (const ref of boom.remote()) assert.instance(await rejection(get(ref)), RangeError)
    const odd = remote((): unknown[] => [1, 2, new WeakMap()], { numReturns: 3 })
    for (const ref of odd.remote()) assert.match((await rejection(get(ref))).message, /result\[2\]/)
    const dies = remote((): unknown[] => process.exit(3), { numReturns: 2, maxRetries: 0 })
    for (const ref of dies.remote()) assert.is((await rejection(get(ref))).code, 'ERR_WORKER_CRASHED')
    assert.equal(await get(three.remote([1, 2, 3])), [1, 2, 3])
  }),
)

test(
  'nothing is returned by numReturns 0, and the task runs all the same',
  withRuntime({ numCpus: 1 }, async () => {
    const counter = remote((by: number) => {
      const shared = globalThis as { counted?: number }
      shared.counted = (shared.counted ?? 0) + by
      return shared.counted
    })
    assert.is(counter.options({ numReturns: 0 }).remote(5), undefined)
    assert.is(await get(counter.remote(1)), 6)
  }),
)

test(
  'refs among them, freed ones, and ones that are waited for inside of tasks',
  withRuntime({ numCpus: 1 }, async () => {
    const both = remote.module<typeof tasks.putBoth>(module, 'putBoth').options({ numReturns: 2 })
    const [first, second] = both.remote('a', 'b')
    first[Symbol.dispose]()
    assert.is(await get(await get(second)), 'b')

    const [one, two] = divide.remote(9, 4)
    free(two)
    assert.is((await rejection(get(two))).code, 'ERR_OBJECT_FREED')
    assert.is(await get(one), 2)
    assert.equal(getSync(divide.remote(7, 2)), [3, 1])

    // The only CPU is the waiter's: it runs the task inside of its wait for a further return.
    const waits = remote.module<typeof tasks.waitsForSecond>(module, 'waitsForSecond')
    assert.is(await get(waits.remote(7)), 8)
  }),
)

test(
  'nothing is left when they are let go, in whatever order',
  withRuntime({ numCpus: 2 }, async () => {
    await get(divide.remote(1, 1))
    const before = figures().slots as number
    for (let round = 0; round < 50; round++) {
      const [first, second] = divide.remote(round, 3)
      if (round % 3 === 0) first[Symbol.dispose]()
      if (round % 3 === 1) await get(second)
      second[Symbol.dispose]()
      if (round % 3 !== 0) first[Symbol.dispose]()
    }
    await eventually('slots are back', () => {
      collectGarbage()
      return (figures().slots as number) <= before + 256 && figures().edges === 0
    })
  }),
)

test('bad numbers are refused by name', () => {
  const numbered = (numReturns: unknown) => () => remote(() => {}, { numReturns: numReturns as number })
  for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) assert.match(thrown(numbered(bad)).message, /options\.numReturns/)
  assert.instance(thrown(numbered('2')), TypeError)
})

test.run()
