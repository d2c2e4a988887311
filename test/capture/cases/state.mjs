/** Variables that change: what is shared by what travels together, what lives on, and what has no value yet. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { CaptureError, get, remote } from 'mobula'
import { call, feature, same, sameOrRefused, thrown } from '../case.mjs'

feature('a variable that two closures share', async () => {
  let n = 0
  const bump = () => {
    n += 1
  }
  const read = () => n
  assert.deepEqual(
    await call(() => {
      bump()
      bump()
      return read()
    }),
    2,
  )
  assert.equal(n, 0)
}, ['there'])

feature('a variable that the function shares with a closure', async () => {
  let n = 10
  const bump = () => n++
  assert.deepEqual(
    await call(() => {
      n += 5
      bump()
      return [n, bump(), n]
    }),
    [16, 16, 17],
  )
  assert.equal(n, 10)
}, ['there'])

feature('a captured variable that the function assigns', async () => {
  let n = 1
  let text = 'a'
  const fn = remote(() => {
    n += 1
    text += n
    return [n, text]
  })
  assert.deepEqual(await get(fn.remote()), [2, 'a2'])
  assert.deepEqual([n, text], [1, 'a'])
}, ['there'])

feature('assignments by patterns, `++`, `??=` and loops', async () => {
  let a = 1
  let b
  let c = [0]
  let d
  const show = () => [a, b, c[0], d]
  assert.deepEqual(
    await call(() => {
      ;[a, b = 7] = [a + 1]
      b ??= 9
      c[0]++
      for (d of [5, 6]);
      ;({ x: a = a } = { x: 40 })
      return show()
    }),
    [40, 7, 1, 6],
  )
  assert.deepEqual(show(), [1, undefined, 0, undefined])
}, ['there'])

feature('two pairs that share apart from each other', async () => {
  const cell = (from) => {
    let n = from
    return { bump: () => ++n, read: () => n }
  }
  const first = cell(0)
  const second = cell(100)
  assert.deepEqual(
    await call(() => {
      first.bump()
      second.bump()
      second.bump()
      return [first.read(), second.read()]
    }),
    [1, 102],
  )
}, ['there'])

feature('variables of equal value that are not the same variable', async () => {
  let first = 0
  let second = 0
  const bumpFirst = () => ++first
  const bumpSecond = () => ++second
  assert.deepEqual(
    await call(() => {
      bumpFirst()
      return [first, second, bumpSecond(), first]
    }),
    [1, 0, 1, 1],
  )
}, ['there'])

feature('a variable of a loop that closures share each time anew', async () => {
  const cells = []
  for (let k = 0; k < 3; k++) cells.push({ bump: () => (k += 10), read: () => k })
  assert.deepEqual(
    await call(() => {
      cells[1].bump()
      return cells.map((cell) => cell.read())
    }),
    [0, 11, 2],
  )
}, ['there'])

feature('a memo lives on in its worker', async () => {
  const memo = new Map()
  const fn = remote((x) => {
    memo.set(x, x)
    return [`${process.pid}`, memo.size, where()]
  })
  const where = () => (globalThis[Symbol.for('mobula.capture.memo')] ??= `${Math.random()}`)
  const sizes = new Map()
  for (let k = 0; k < 20; k++) {
    const [, size, worker] = await get(fn.remote(k))
    assert.equal(size, (sizes.get(worker) ?? 0) + 1)
    sizes.set(worker, size)
  }
  assert.equal(memo.size, 0)
}, ['there'])

feature('a counter lives on in its worker', async () => {
  let n = 0
  const fn = remote(() => [++n, (globalThis[Symbol.for('mobula.capture.counter')] ??= `${Math.random()}`)])
  const counts = new Map()
  for (let k = 0; k < 20; k++) {
    const [count, worker] = await get(fn.remote())
    assert.equal(count, (counts.get(worker) ?? 0) + 1)
    counts.set(worker, count)
  }
}, ['there'])

feature('a name that has no value when `remote` is called, but when it is needed', async () => {
  const fn = remote(() => [later, helper(1)])
  const later = [1]
  const helper = (x) => x + later.length
  assert.deepEqual(await get(fn.remote()), [[1], 2])
})

feature('`var` and functions are there from the beginning', async () => {
  const fn = () => [hoisted, declared()]
  const ref = remote(fn).remote()
  var hoisted = 1
  function declared() {
    return 'declared'
  }
  assert.deepEqual(await get(ref), [undefined, 'declared'])
  assert.equal(hoisted, 1)
}, ['there'])

feature('an object that is changed there stays as it is here', async () => {
  const config = { list: [1], nested: { on: true } }
  assert.deepEqual(
    await call(() => {
      config.list.push(2)
      config.nested.on = false
      return config
    }),
    { list: [1, 2], nested: { on: false } },
  )
  assert.deepEqual(config, { list: [1], nested: { on: true } })
}, ['there'])

feature('a variable that is captured in two places of one value', () => {
  const shared = { n: 1 }
  const first = { shared }
  const change = () => ++shared.n
  return same(() => {
    const before = first.shared.n
    change()
    first.shared.n += 10
    return [first.shared === shared, first.shared.n - before]
  })
})

feature('functions and classes that are changed after the first call stay as they were', async () => {
  const helper = (x) => x + helper.step
  helper.step = 1
  class Level {
    static now = 1
    show() {
      return 'before'
    }
  }
  const fn = remote((x) => [helper(x), Level.now, new Level().show()])
  const ref = fn.remote(1)
  helper.step = 10
  Level.now = 2
  Level.prototype.show = () => 'after'
  assert.deepEqual(await get([ref, fn.remote(1)]), [
    [2, 1, 'before'],
    [2, 1, 'before'],
  ])
}, ['there'])

feature('a class whose variable has changed since it was taken along is refused, and says why', async () => {
  let unit = 'cm'
  const list = [1]
  class Length {
    show() {
      return [unit, list.length]
    }
  }
  const show = () => new Length().show()
  assert.deepEqual(await call(show), ['cm', 1])
  // The variable is the same: what the object holds is that of when the worker met the class.
  list.push(2)
  assert.equal((await call(show))[0], 'cm')
  unit = 'mm'
  for (let k = 0; k < 2; k++) {
    const error = thrown(() => remote(show).remote())
    assert.ok(error instanceof CaptureError, String(error))
    assert.match(error.message, /Length.*, which was taken along before, when unit\d? had another value, and workers have one class of it; keep what changes/)
  }
  unit = 'cm'
  assert.equal((await call(show))[0], 'cm')
}, ['there', 'names'])

feature('static fields are brought up to date when their class goes along again', async () => {
  class Config {
    static level = 1
    static #hidden = 'a'
    static rename(text) {
      Config.#hidden = text
    }
    show() {
      return [Config.level, Config.#hidden, Config.later, Config.added?.()]
    }
  }
  const one = new Config()
  const show = () => new Config().show()
  // On one worker after the other, and on both again.
  const everywhere = () => Promise.all(Array.from({ length: 8 }, () => remote(show)).map((fn) => get(fn.remote())))
  for (const seen of await everywhere()) assert.deepEqual(seen, [1, 'a', undefined, undefined])
  Config.level = 2
  Config.rename('b')
  Config.later = [3]
  Config.added = () => 'added'
  for (const seen of await everywhere()) assert.deepEqual(seen, [2, 'b', [3], 'added'])
  Config.level = 3
  assert.deepEqual(await call((given) => given.show(), one), [3, 'b', [3], 'added'])
  const back = await call(() => new Config())
  assert.ok(back instanceof Config)
  assert.deepEqual([Config.level, Config.later], [3, [3]])
}, ['there'])

feature('static members that cannot be changed stay, when others are brought up to date', async () => {
  class Registry {
    static #count = 0
    static count = 0
    static add() {
      return (Registry.count = ++Registry.#count)
    }
    static show() {
      return [Registry.#count, Registry.count, Registry.fixed, Registry.mark]
    }
  }
  Object.defineProperty(Registry, 'fixed', { value: { list: [1] } })
  Object.defineProperty(Registry, 'mark', { get: () => 'mark' })
  const show = () => Registry.show()
  for (let k = 0; k < 8; k++) {
    Registry.add()
    assert.deepEqual(await call(show), [k + 1, k + 1, { list: [1] }, 'mark'])
  }
}, ['there'])

feature('what a worker made of a static field is not brought back', async () => {
  class Tally {
    static count = 5
    static list = []
    static bump() {
      Tally.list.push(Tally.count)
      return ++Tally.count
    }
  }
  assert.equal(await call(() => Tally.bump()), 6)
  const [made, back] = await call(() => [Tally.bump(), Tally])
  assert.ok(made >= 6)
  assert.equal(back, Tally)
  assert.deepEqual([Tally.count, Tally.list], [5, []])
}, ['there'])

feature('two pairs that share apart, from one function and with equal values', async () => {
  const cell = () => {
    let n = 0
    return { bump: () => ++n, read: () => n }
  }
  const first = cell()
  const second = cell()
  await sameOrRefused(() => {
    const [before, other] = [first.read(), second.read()]
    first.bump()
    first.bump()
    second.bump()
    return [first.read() - before, second.read() - other]
  })
}, ['there'])

feature('variables of equal value around closures of equal text', async () => {
  const made = []
  for (const name of ['a', 'b']) {
    let list = []
    made.push({
      name,
      add: (x) => {
        list = [...list, x]
      },
      show: () => list,
    })
  }
  assert.deepEqual(
    await call(() => {
      made[0].add(1)
      made[1].add(2)
      made[0].add(3)
      return made.map(({ show }) => show())
    }),
    [[1, 3], [2]],
  )
}, ['there'])

feature('a global of the user', async () => {
  globalThis.captureHelperOfUser = (x) => x + 1
  await sameOrRefused(() => captureHelperOfUser(1))
  delete globalThis.captureHelperOfUser
})
