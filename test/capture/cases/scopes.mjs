/** Where a function stands, and what stands around it there. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { get, remote } from 'mobula'
import { call, feature, same } from '../case.mjs'

const base = 10
let step = 3
const table = { one: 1, nested: { two: [2, 22] } }
var old = 'old'

function add(a, b) {
  return a + b
}
const twice = (x) => add(x, x)
const thrice = (x) => twice(x) + x * one()
const one = () => table.one

class Scale {
  constructor(k) {
    this.k = k
  }
  by(x) {
    return x * this.k
  }
  make() {
    const k = this.k
    return remote((x) => x * k + base)
  }
  static make(k) {
    return remote((x) => new Scale(k).by(x))
  }
}

/** Made when the module was loaded, called later. */
const early = remote((x) => x + base + later(x))
const { later } = { later: (x) => x * LATER }
const LATER = 7

feature('constants of the module', () => same((x) => x + base + table.nested.two[1], 1))
feature('a `let` and a `var` of the module', () => same(() => [step, old]))
feature('a function declaration of the module', () => same((x) => add(x, base), 4))
feature('functions that use each other, three deep', () => same((x) => thrice(x), 4))
feature('made at the top of the module, with names declared below it', async () => assert.equal(await get(early.remote(1)), 18))
feature('a class of the module', () => same((x) => new Scale(3).by(x), 5))

feature('parameters of the function around it', () => {
  const make = (k, { depth, name = 'none' }, ...others) => {
    return () => [k, depth, name, others]
  }
  return same(make(1, { depth: 2 }, 3, 4))
})

feature('three functions around it', () => {
  const outer = (a) => {
    const b = a + 1
    return function middle(c) {
      const d = b + c
      return (e) => [a, b, c, d, e]
    }
  }
  return same(outer(1)(2), 5)
})

feature('a loop whose variable is another each time', async () => {
  const made = []
  for (let k = 0; k < 4; k++) made.push(remote((x) => x * k))
  assert.deepEqual(await get(made.map((fn) => fn.remote(10))), [0, 10, 20, 30])
})

feature('a `for of` with a pattern', async () => {
  const refs = []
  for (const [key, { value }] of [
    ['a', { value: 1 }],
    ['b', { value: 2 }],
  ])
    refs.push(remote(() => `${key}${value}`).remote())
  assert.deepEqual(await get(refs), ['a1', 'b2'])
})

feature('a `for in`, a `while` and a `do`', async () => {
  const refs = []
  for (const key in { x: 1, y: 2 }) refs.push(remote(() => key).remote())
  let k = 0
  while (k < 2) {
    const square = k * k
    refs.push(remote(() => square).remote())
    k += 1
  }
  do {
    const cube = k ** 3
    refs.push(remote(() => cube).remote())
  } while (k++ < 2)
  assert.deepEqual(await get(refs), ['x', 'y', 0, 1, 8])
})

feature('functions of one name and one text in a loop', async () => {
  const made = []
  for (const k of [1, 2, 3]) {
    function scaled(x) {
      return x * k
    }
    made.push(scaled)
  }
  assert.deepEqual(await get(made.map((fn) => remote(fn).remote(5))), [5, 10, 15])
})

feature('two functions of equal text with other captures', async () => {
  const first = (
    (k) => (x) =>
      x + k
  )(1)
  const second = (
    (k) => (x) =>
      x + k
  )('s')
  assert.deepEqual(await get([remote(first).remote(1), remote(second).remote(1)]), [2, '1s'])
})

feature('blocks, one in the other', () => {
  const k = 'outer'
  let fn
  {
    const k = 'middle'
    {
      const inner = `${k} and inner`
      fn = () => [k, inner]
    }
  }
  assert.equal(k, 'outer')
  return same(fn)
})

feature('a catch', () => {
  try {
    throw Object.assign(new RangeError('caught'), { detail: [1] })
  } catch (error) {
    const { message } = error
    return same(() => [message, error.message, error.detail, error instanceof RangeError])
  }
})

feature('a catch with a pattern, and a finally', async () => {
  let fn
  try {
    throw { code: 5, list: [6] }
  } catch ({ code, list: [first] }) {
    fn = () => [code, first]
  } finally {
    const last = 'last'
    await same(() => last)
  }
  await same(fn)
})

feature('a switch', () => {
  switch (base) {
    case 10: {
      const inBlock = 1
      let inSwitch = 2
      inSwitch += inBlock
      return same(() => inBlock + inSwitch)
    }
    default:
      assert.fail()
  }
})

feature('a label', () => {
  const limit = 3
  return same(
    (rows) => {
      let seen = 0
      outer: for (const row of rows) {
        for (const cell of row) {
          if (cell > limit) continue outer
          if (cell < 0) break outer
          seen += cell
        }
      }
      return seen
    },
    [[1, 2, 9, 5], [3], [-1, 100]],
  )
})

feature("a class's method, and a static one", async () => {
  assert.equal(await get(new Scale(4).make().remote(2)), 18)
  assert.equal(await get(Scale.make(4).remote(2)), 8)
})

feature('`this` kept in a variable', () => {
  const holder = {
    factor: 6,
    make() {
      const self = this
      return (x) => x * self.factor
    },
  }
  return same(holder.make(), 2)
})

feature('object literals', async () => {
  const unit = 'px'
  const jobs = {
    arrow: remote((x) => `${x}${unit}`),
    nested: { ['computed']: remote(async (x) => `${x}${unit}!`) },
    list: [remote((x) => x + 1)],
  }
  assert.deepEqual(await get([jobs.arrow.remote(1), jobs.nested.computed.remote(2), jobs.list[0].remote(3)]), ['1px', '2px!', 4])
})

feature('a function that is called where it stands', () =>
  same(
    (
      (k) => (x) =>
        x ** k
    )(3),
    2,
  ),
)

feature('a default of a parameter as the place', () => {
  const k = 4
  const make = (fn = (x) => x * k) => fn
  return same(make(), 5)
})

feature('a field and a static block as the place', async () => {
  const k = 9
  class Jobs {
    static made
    double = remote((x) => x * 2 + k)
    static {
      const inBlock = k + 1
      Jobs.made = remote(() => inBlock)
    }
  }
  assert.deepEqual(await get([new Jobs().double.remote(1), Jobs.made.remote()]), [11, 10])
})

feature('after an await, called by a timer', async () => {
  const k = await Promise.resolve(5)
  const fn = remote((x) => x * k)
  const ref = await new Promise((resolve) => setTimeout(() => resolve(fn.remote(3)), 1))
  assert.equal(await get(ref), 15)
})

feature('a generator as the place', async () => {
  function* jobs() {
    for (let k = 1; k < 3; k++) {
      const square = k * k
      yield remote((x) => x + square)
    }
  }
  assert.deepEqual(await get([...jobs()].map((job) => job.remote(1))), [2, 5])
})

feature('names that shadow others', () => {
  const base = 'inner'
  const process = { pid: 'mine' }
  const Map = class {
    size = 'none'
  }
  return same((x) => {
    const twice = (y) => `${y}${base}`
    return [base, twice(x), process.pid, new Map().size, ((base) => base)(1), add(1, 2)]
  }, 'x')
})

feature('a name that is shadowed in some places only', () => {
  const k = 1
  return same(() => {
    const before = (() => k)()
    const inside = ((k) => k + 1)(5)
    {
      const k = 7
      return [before, inside, k, [8].map((k) => k)]
    }
  })
})

feature('odd names', () => {
  const $ = 1
  const _ = 2
  const async = 3
  const of = 4
  const get = 5
  const größe = 6
  const \u0061bc = 7
  const undefined_ = undefined
  return same(() => [$, _, async, of, get, größe, abc, undefined_])
})

feature('fifty names at once', () => {
  const a0 = 0,
    a1 = 1,
    a2 = 2,
    a3 = 3,
    a4 = 4,
    a5 = 5,
    a6 = 6,
    a7 = 7,
    a8 = 8,
    a9 = 9
  const b0 = [a0],
    b1 = [a1],
    b2 = [a2],
    b3 = [a3],
    b4 = [a4],
    b5 = [a5],
    b6 = [a6],
    b7 = [a7],
    b8 = [a8],
    b9 = [a9]
  const c0 = () => b0,
    c1 = () => b1,
    c2 = () => b2,
    c3 = () => b3,
    c4 = () => b4,
    c5 = () => b5,
    c6 = () => b6,
    c7 = () => b7,
    c8 = () => b8,
    c9 = () => b9
  return same(() => [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9].map((one) => (typeof one === 'function' ? one() : one)))
})

feature('the same function given to `remote` twice', async () => {
  const fn = (x) => x + base
  assert.deepEqual(await get([remote(fn).remote(1), remote(fn, { name: 'other' }).remote(2), remote(fn).options({ priority: 1 }).remote(3)]), [11, 12, 13])
})

feature('a snapshot at the first call: what changed before is seen', async () => {
  let level = 1
  const list = [1]
  const fn = remote(() => [level, list.length])
  level = 5
  list.push(2)
  const ref = fn.remote()
  level = 6
  list.push(3)
  assert.deepEqual(await get(ref), [5, 2])
  assert.deepEqual(await get(fn.remote()), [5, 2])
  assert.deepEqual([level, list.length], [6, 3])
}, ['there'])

feature('the program is not run again on a worker', async () => {
  assert.equal(globalThis[Symbol.for('mobula.capture.entry')], true)
  assert.equal(await call(() => globalThis[Symbol.for('mobula.capture.entry')]), undefined)
}, ['there'])

feature('`call` from another file, of a function with no names', () => call(() => 1))

step = 4
