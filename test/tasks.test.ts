/** What tasks take, what they give, in which order they run, and where. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, getSync, ObjectRef, put, remote, wait } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { rejection, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/tasks.ts', import.meta.url)
const identity = remote((x: unknown) => x)

test(
  'arguments: none, many, rest, defaults, trailing undefined',
  withRuntime({}, async () => {
    const count = remote((...args: unknown[]) => args.length)
    assert.is(await get(count.remote()), 0)
    assert.is(await get(count.remote(1, undefined, undefined)), 3)
    assert.is(await get(count.remote(...new Array(1000).fill(0))), 1000)
    const defaults = remote((a: number, b = 10) => a + b)
    assert.is(await get(defaults.remote(1)), 11)
  }),
)

test(
  'arguments are taken at the call',
  withRuntime({}, async () => {
    const value = { n: 1, list: [1] }
    const big = new Uint8Array(100_000).fill(1)
    const refs = [identity.remote(value), put(value), identity.remote(big), put(big)]
    value.n = 2
    value.list.push(2)
    big.fill(2)
    const [a, b, c, d] = (await get(refs)) as [typeof value, typeof value, Uint8Array, Uint8Array]
    for (const one of [a, b]) assert.equal(one, { n: 1, list: [1] })
    for (const one of [c, d]) assert.ok(one.every((byte) => byte === 1))
  }),
)

test(
  'top-level refs are resolved; nested ones are passed as refs',
  withRuntime({}, async () => {
    const ref = put('deep')
    const kinds = remote((a: unknown, b: { inner: unknown }) => [typeof a, Object.prototype.toString.call(b.inner), String(b.inner)])
    const [a, , text] = await get(kinds.remote(ref, { inner: ref }))
    assert.is(a, 'string')
    assert.is(text, String(ref))
    const [back] = (await get(identity.remote([ref]))) as [ObjectRef<string>]
    assert.instance(back, ObjectRef)
    assert.is(back.id, ref.id)
    assert.is(await get(back), 'deep')
  }),
)

test(
  'dependencies arrive with the task or are fetched by it, whatever they are and however many',
  withRuntime({}, async () => {
    const show = remote((...args: unknown[]) =>
      args.map((arg) => (arg instanceof Uint8Array ? arg.length : typeof arg === 'object' ? JSON.stringify(arg) : arg)),
    )
    const small = [1, 'two', { three: 3 }, undefined, 5n]
    const refs = small.map((value) => identity.remote(value))
    for (let count = 1; count <= small.length; count++)
      assert.equal(await get(show.remote(...refs.slice(0, count))), await get(show.remote(...small.slice(0, count))))
    const large = put(new Uint8Array(100_000))
    const middle = put('m'.repeat(5000))
    const holder = put([identity.remote(7)])
    const inside = remote((list: ObjectRef<number>[], x: unknown) => [list[0], x] as const)
    const one = put(1)
    // One that cannot be carried, beside others that could.
    assert.equal(await get(show.remote(one, large, one)), [1, 100_000, 1])
    assert.equal(await get(show.remote(middle, one)), ['m'.repeat(5000), 1])
    const [nested, beside] = await get(inside.remote(holder as never, one))
    assert.equal([await get(nested as ObjectRef<number>), beside], [7, 1])
    assert.equal(await get(show.remote(one, one, put('x'), 4, one)), [1, 1, 'x', 4, 1])
  }),
)

test(
  'a ref inside of a result keeps its object alive',
  withRuntime({}, async () => {
    const make = remote.module<typeof tasks.putsForMe>(module, 'putsForMe')
    const { ref } = (await get(make.remote(50_000))) as { ref: ObjectRef<Float64Array> }
    const array = await get(ref)
    assert.is(array.length, 50_000)
    assert.is(array[49_999], 7)
  }),
)

test(
  'a chain of 10,000 dependent tasks, in linear time and without recursion',
  withRuntime({}, async () => {
    const add = remote((x: number) => x + 1)
    let ref = add.remote(0)
    for (let k = 1; k < 10_000; k++) ref = add.remote(ref)
    assert.is(await get(ref), 10_000)
  }),
)

test(
  '10,000 refs as arguments of one task, and 100,000 in one get',
  withRuntime({}, async () => {
    const sum = remote((...args: number[]) => args.reduce((a, b) => a + b, 0))
    const ones = Array.from({ length: 10_000 }, () => put(1))
    assert.is(await get(sum.remote(...ones)), 10_000)
    const many = Array.from({ length: 100_000 }, (_, k) => ones[k % ones.length] as ObjectRef<number>)
    assert.is((await get(many)).length, 100_000)
  }),
)

test(
  'functions of the same name are told apart',
  withRuntime({}, async () => {
    const made = [(x: number) => x, (x: number) => x + 100, (x: number) => x + 200].map((fn) => remote(Object.defineProperty(fn, 'name', { value: 'f' })))
    const refs = made.map((f) => Array.from({ length: 200 }, (_, k) => f.remote(k)))
    for (const [which, list] of refs.entries()) {
      assert.equal(
        await get(list),
        list.map((_, k) => k + 100 * which),
      )
    }
  }),
)

test(
  'every form of function ships',
  withRuntime({}, async () => {
    const object = {
      method(x: number) {
        return x + 1
      },
      async later(x: number) {
        return x + 2
      },
      'quoted name'(x: number) {
        return x + 3
      },
    }
    const forms = [
      (x: number) => x,
      function (x: number) {
        return x
      },
      async (x: number) => x,
      async function named(x: number) {
        return x
      },
      object.method,
      object.later,
      object['quoted name'],
    ]
    assert.equal(await get(forms.map((fn) => remote(fn as (x: number) => number).remote(10))), [10, 10, 10, 10, 11, 12, 13])
  }),
)

test(
  'a task imports from where its text stood',
  withRuntime({}, async () => {
    const answer = remote(async () => {
      const { double } = await import('./fixtures/tasks/tasks.ts')
      return double(21)
    })
    assert.is(await get(answer.remote()), 42)
  }),
)

test(
  'async tasks of one worker overlap',
  withRuntime({ numCpus: 1 }, async () => {
    const meet = remote(async (shared: string, parties: number) => {
      const global_ = globalThis as unknown as Record<string, number>
      global_[shared] = (global_[shared] ?? 0) + 1
      while ((global_[shared] as number) < parties) await new Promise((resolve) => setTimeout(resolve, 1))
      return global_[shared]
    })
    assert.equal(await get(Array.from({ length: 100 }, () => meet.remote('met', 100))), new Array(100).fill(100))
  }),
)

test(
  'work starts while the caller computes on',
  withRuntime({}, async () => {
    await get([identity.remote(1), identity.remote(2)])
    const { writeFileSync, mkdtempSync, existsSync, rmSync } = await import('node:fs')
    const { tmpdir } = await import('node:os')
    const folder = mkdtempSync(`${tmpdir()}/mobula-test-`)
    const touch = remote(async (file: string) => {
      const fs = await import('node:fs')
      fs.writeFileSync(file, 'ran')
    })
    try {
      await get(touch.remote(`${folder}/first`))
      const ref = touch.remote(`${folder}/second`)
      // This thread does not come back to its loop until the task has run.
      const end = Date.now() + 10_000
      while (!existsSync(`${folder}/second`)) if (Date.now() > end) throw new Error('the task did not start while this thread was busy')
      writeFileSync(`${folder}/done`, '')
      await get(ref)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }),
)

test(
  'a slow task holds up none of those handed out with it',
  withRuntime({}, async () => {
    const noop = remote((x: number) => x)
    await get(Array.from({ length: 2000 }, (_, k) => noop.remote(k)))
    const slow = remote((ms: number) => {
      const end = Date.now() + ms
      while (Date.now() < end);
      return 'slow'
    })
    const first = slow.remote(1500)
    const rest = Array.from({ length: 31 }, (_, k) => noop.remote(k))
    const [ready] = await wait([first, ...rest], { numReturns: 31 })
    assert.not(ready.includes(first), 'the no-ops were there before the slow one')
    assert.is(await get(first), 'slow')
  }),
)

test(
  'a blocking task gives its CPU back: nesting by getSync needs no second one',
  withRuntime({ numCpus: 1 }, async () => {
    const fib = remote.module<typeof tasks.fib>(module, 'fib')
    assert.is(await get(fib.remote(14)), 377)
  }),
)

test(
  'getSync blocks a driver and still sees timeouts',
  withRuntime({}, () => {
    const never = remote(() => new Promise(() => {}))
    const ref = never.remote()
    const start = performance.now()
    try {
      getSync(ref, { timeout: 100 })
      assert.unreachable()
    } catch (error) {
      assert.is((error as { code?: string }).code, 'ERR_GET_TIMEOUT')
    }
    assert.ok(performance.now() - start >= 99)
    assert.is(getSync(identity.remote(1)), 1)
  }),
)

test(
  'functions of ES modules are strict in workers, too',
  withRuntime({}, async () => {
    const typo = remote((x: number) => {
      // @ts-expect-error: the mistake that strict mode exists for
      totla = x
      return x
    })
    assert.instance(await rejection(get(typo.remote(1))), ReferenceError)
    const frozen = remote(() => {
      const object: { a?: number } = Object.freeze({})
      object.a = 1
    })
    assert.instance(await rejection(get(frozen.remote())), TypeError)
    const self = remote(function (this: unknown) {
      return this === undefined
    })
    assert.ok(await get(self.remote()))
  }),
)

test(
  'a name that is declared nowhere is the ReferenceError that it is here',
  withRuntime({}, async () => {
    const typo = remote(new Function('x', 'return x * raet') as (x: number) => number)
    const error = await rejection(get(typo.remote(1)))
    assert.instance(error, ReferenceError)
    assert.is(error.message, 'raet is not defined')
  }),
)

test(
  'whatever can be awaited is awaited',
  withRuntime({}, async () => {
    // biome-ignore lint/suspicious/noThenProperty: that is what this is about
    const query = remote(() => ({ then: (resolve: (value: number) => void) => resolve(9) }) as PromiseLike<number>)
    assert.is(await get(query.remote()), 9)
    const broken = remote(() => ({
      // biome-ignore lint/suspicious/noThenProperty: that is what this is about
      get then(): never {
        throw new RangeError('on access')
      },
    }))
    assert.instance(await rejection(get(broken.remote())), RangeError)
  }),
)

test.run()
