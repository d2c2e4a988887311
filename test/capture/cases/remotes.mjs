/** Refs and remote functions that a function takes along, tasks inside of tasks, and functions as values. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import * as mobula from 'mobula'
import { get, getSync, ObjectRef, put, remote, TaskError, wait } from 'mobula'
import { call, feature, same, setup } from '../case.mjs'

const k = 5
const double = remote((x) => x * 2)
const fact = remote(async (n) => (n < 2 ? 1 : n * (await get(fact.remote(n - 1)))))
const even = remote(async (n) => n === 0 || get(odd.remote(n - 1)))
const odd = remote(async (n) => n !== 0 && get(even.remote(n - 1)))

feature('a ref', async () => {
  const ref = put({ list: [1, 2, 3] })
  assert.equal(await call(async () => (await get(ref)).list.length), 3)
})

feature('refs inside of data', async () => {
  const refs = { all: [put(1), put(2)], byName: new Map([['c', put(3)]]) }
  assert.deepEqual(await call(async () => [await get(refs.all), await get(refs.byName.get('c')), refs.all[0] instanceof ObjectRef]), [[1, 2], 3, true])
})

feature('a ref of a task that has not ended', async () => {
  const slow = remote((ms) => new Promise((resolve) => setTimeout(resolve, ms, 'done'))).remote(20)
  assert.equal(await call(async () => get(slow)), 'done')
})

feature('a ref of large data stays one object', async () => {
  const ref = put(new Float64Array(100_000).fill(2))
  const sum = remote(async (from) => (await get(ref)).subarray(from, from + 10).reduce((a, b) => a + b, 0))
  assert.deepEqual(await get([sum.remote(0), sum.remote(500)]), [20, 20])
})

feature('a remote function', async () => assert.equal(await call(async (x) => get(double.remote(x)), 4), 8))
feature('a remote function that calls itself', async () => assert.equal(await get(fact.remote(5)), 120))
feature('two remote functions that call each other', async () => assert.deepEqual(await get([even.remote(5), odd.remote(5)]), [false, true]))

feature('a remote function with options, and made by `remote.module`', async () => {
  const named = double.options({ name: 'named' })
  const base = remote.module('node:path', 'basename')
  assert.deepEqual(await call(async () => get([named.remote(1), base.remote('/a/b'), named.options({ priority: 1 }).remote(3)])), [2, 'b', 6])
})

feature('remote functions inside of data', async () => {
  const jobs = { double, list: [remote((x) => x + k)] }
  assert.deepEqual(await call(async () => get([jobs.double.remote(1), jobs.list[0].remote(1)])), [2, 6])
})

feature('`remote` inside of a task', async () => {
  assert.deepEqual(
    await call(async (x) => {
      const inner = x * k
      const nested = remote((y) => [y, inner, k])
      return get(nested.remote(1))
    }, 3),
    [1, 15, 5],
  )
})

feature('three tasks deep, with captures of each', async () => {
  const helper = (x) => x + k
  assert.equal(
    await call(async (a) => {
      const b = helper(a)
      return get(
        remote(async (c) => {
          const d = helper(b + c)
          return get(remote((e) => [a, b, c, d, e].map(helper).join()).remote(4))
        }).remote(3),
      )
    }, 1),
    '6,11,8,19,9',
  )
})

feature('a loop of tasks inside of a task', async () => {
  const square = (x) => x * x
  assert.deepEqual(
    await call(async (n) => {
      const refs = []
      for (let j = 0; j < n; j++) refs.push(remote(() => square(j)).remote())
      return get(refs)
    }, 4),
    [0, 1, 4, 9],
  )
})

feature('`getSync`, `put` and `wait` inside of a task', async () => {
  assert.deepEqual(
    await call(async () => {
      const [ready] = await wait([double.remote(1), put(2)], { numReturns: 2 })
      return [getSync(double.remote(3)), getSync(put([k])), ready.length]
    }),
    [6, [5], 2],
  )
}, ['there'])

feature('the package as a namespace', async () => assert.equal(await call(async () => mobula.get(mobula.put(k))), 5))

feature('classes of the package', async () => {
  const fails = remote(() => {
    throw new RangeError('of a task')
  })
  assert.equal(await call(async () => get(fails.remote()).catch((error) => error instanceof TaskError && error instanceof RangeError)), true)
}, ['there'])

feature('functions as arguments', async () => {
  const map = remote((fn, list) => list.map((x) => fn(x)))
  const helper = (x) => x + k
  assert.deepEqual(await get(map.remote((x) => helper(x) * 2, [1, 2])), [12, 14])
  assert.deepEqual(await get(map.remote(Math.sqrt, [4, 9])), [2, 3])
  assert.deepEqual(
    await get(
      map.remote(
        function (x) {
          return x
        }.bind(null),
        [1],
      ),
    ),
    [1],
  )
})

feature('functions inside of arguments', async () => {
  const run = remote(({ steps, options: { by } }, x) => steps.reduce((value, step) => step(value), x) + by())
  assert.equal(await get(run.remote({ steps: [(x) => x + 1, (x) => x * k], options: { by: () => k } }, 1)), 15)
})

feature('a function as an argument twice is one function', async () => {
  const fn = (x) => x
  assert.equal(await call((a, { b }) => a === b, fn, { b: fn }), true)
})

feature('functions as results', async () => {
  const make = remote((n) => (x) => [x * n, k])
  const fn = await get(make.remote(3))
  assert.deepEqual(fn(2), [6, 5])
  assert.deepEqual(await call(fn, 4), [12, 5])
  const { add, list } = await call(() => ({ add: (a, b) => a + b, list: [() => k] }))
  assert.deepEqual([add(1, 2), list[0]()], [3, 5])
})

feature('classes as results', async () => {
  const Made = await call(
    () =>
      class Made {
        #n = 1
        show() {
          return this.#n + k
        }
      },
  )
  assert.equal(new Made().show(), 6)
  if (setup.names) assert.equal(Made.name, 'Made')
})

feature('functions inside of put values', async () => {
  const ref = put({ fn: (x) => x * k, name: 'put' })
  assert.equal(await call(({ fn }, x) => fn(x), ref, 2), 10)
  assert.equal((await get(ref)).fn(3), 15)
})

feature('a remote function as an argument and as a result', async () => {
  assert.equal(await call(async (fn, x) => get(fn.remote(x)), double, 4), 8)
  const back = await call((n) => remote((x) => x * n), 3)
  assert.equal(await get(back.remote(5)), 15)
})

feature('a ref as an argument of a closure', async () => {
  const ref = double.remote(double.remote(1))
  assert.equal(await call((x) => x + k, ref), 9)
})

feature('predicates and hooks in options', async () => {
  const wanted = 'again'
  let tries = 0
  const flaky = remote(
    () => {
      tries += 1
      if (tries < 3) throw new Error(wanted)
      return tries
    },
    { retryExceptions: (error) => error.message === wanted, maxRetries: 10 },
  )
  assert.equal(await get(flaky.remote()), 3)
  assert.equal(tries, 0)
}, ['there'])

feature('eight callers at once', async () => {
  const work = async (n) => {
    const local = n * k
    return get(remote((x) => x + local).remote(n))
  }
  assert.deepEqual(
    await Promise.all(Array.from({ length: 8 }, (_, n) => work(n))),
    Array.from({ length: 8 }, (_, n) => n + n * k),
  )
})

feature('a function that is called after the names around it are gone', async () => {
  let fn = ((data) => remote(() => data.length))(new Array(100).fill(1))
  const ref = fn.remote()
  fn = undefined
  assert.equal(await get(ref), 100)
})

feature('`this` of `remote` does not matter', async () => {
  const { remote: run } = double
  assert.equal(await get(run(3)), 6)
  await same((x) => x, 1)
})

feature('classes of the file in options', async () => {
  class Temporary extends Error {}
  class Lasting extends Error {}
  let tries = 0
  const flaky = remote(
    (Class) => {
      tries += 1
      if (tries < 3) throw new Class(`try ${tries}`)
      return tries
    },
    { retryExceptions: [Temporary], maxRetries: 10 },
  )
  assert.equal(await get(flaky.remote(Temporary)), 3)
  const error = await get(
    remote(
      () => {
        throw new Lasting('at once')
      },
      { retryExceptions: [Temporary], maxRetries: 10 },
    ).remote(),
  ).catch((error) => error)
  assert.ok(error instanceof Lasting)
}, ['there'])

feature('captures that are named explicitly', async () => {
  const k = 2
  const helper = (x) => x + 1
  assert.equal(await get(remote((x) => helper(x) * k, { captures: { k, helper } }).remote(3)), 8)
  assert.equal(await get(remote(new Function('x', 'return x * given'), { captures: { given: 5 } }).remote(3)), 15)
}, ['there', 'names'])
