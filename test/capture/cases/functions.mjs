/** What kinds of functions there are: as what is called, and as what it calls. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { Script } from 'node:vm'
import { get, remote } from 'mobula'
import { call, feature, same } from '../case.mjs'

const k = 3

feature('a function declaration', () => {
  return same(declared, 2)
  function declared(x) {
    return x * k
  }
})

feature('a function expression that knows its own name', () =>
  same(function fact(n) {
    return n < 2 ? k : n * fact(n - 1)
  }, 5),
)

feature('an arrow with an object for a body, and one in parentheses', async () => {
  await same(() => ({ k }))
  await same((x) => (x, k), 1)
})

feature('async functions', async () => {
  const later = async (x) => x + k
  await same(async (x) => (await later(x)) * 2, 1)
  await same(async function named(x) {
    await null
    return later(x)
  }, 1)
})

feature('generators as helpers', () => {
  function* count(n) {
    for (let j = 0; j < n; j++) yield j * k
  }
  const object = {
    *each() {
      yield* count(2)
    },
  }
  return same((n) => [...count(n), ...object.each()], 4)
})

feature('async generators as helpers', () => {
  async function* count(n) {
    for (let j = 0; j < n; j++) yield j * k
  }
  return same(async (n) => {
    const seen = []
    for await (const one of count(n)) seen.push(one)
    return seen
  }, 3)
})

feature('methods', async () => {
  const key = 'computed'
  const object = {
    short(x) {
      return x * k
    },
    async later(x) {
      return x + k
    },
    [key](x) {
      return [key, x]
    },
    'a b'(x) {
      return x
    },
    5(x) {
      return x - k
    },
    get(x) {
      return x
    },
    async(x) {
      return [x]
    },
    static(x) {
      return [[x]]
    },
  }
  for (const fn of Object.values(object)) await same(fn, 2)
  await same((x) => [object.short(x), object.computed(x), object['a b'](x), object[5](x)], 7)
})

feature('a method of a class and a static one, taken off it', async () => {
  class Maths {
    add(x) {
      return x + k
    }
    static double(x) {
      return x * 2 + k
    }
    static async later(x) {
      return x
    }
  }
  await same(Maths.prototype.add, 1)
  await same(Maths.double, 1)
  await same(Maths.later, 1)
})

feature('getters and setters, taken off their object', async () => {
  const object = {
    get level() {
      return k + 1
    },
    set level(x) {
      throw new RangeError(`${x} is not ${k}`)
    },
  }
  const { get: getter, set } = Object.getOwnPropertyDescriptor(object, 'level')
  await same(getter)
  await assert.rejects(call(set, 1), RangeError)
})

feature('bound functions', async () => {
  function scale(a, b) {
    return [this?.unit, a, b, k]
  }
  await same(scale.bind({ unit: 'px' }, 1), 2)
  await same(scale.bind(undefined, 1).bind(null, 2))
  const bound = scale.bind({ unit: 'em' })
  await same((x) => [bound(x, 1), bound.name, bound.length], 2)
})

feature('recursion', async () => {
  const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2))
  await same(fib, 10)
  await same((n) => fib(n) + k, 10)
})

feature('mutual recursion', async () => {
  const even = (n) => n === 0 || odd(n - 1)
  const odd = (n) => n !== 0 && even(n - 1)
  await same((n) => [even(n), odd(n)], 7)
  await same(even, 7)
  function ping(n) {
    return n === 0 ? 'ping' : pong(n - 1)
  }
  function pong(n) {
    return n === 0 ? 'pong' : ping(n - 1)
  }
  await same(ping, 5)
})

feature('default parameters that use what is captured', async () => {
  const other = () => k * 2
  await same((a = k, b = other(), { c = a + b } = {}) => [a, b, c])
  await same((a = k, b = (() => a)()) => [a, b], 1)
})

feature('destructuring and rest', () =>
  same(({ a: { b: [first, , third = k] = [] } = {}, ...others }, ...rest) => [first, third, others, rest], { a: { b: [1, 2] }, c: 3, d: 4 }, 5, 6),
)

feature('templates and tagged templates', () => {
  const tag = (strings, ...values) => strings.raw.map((text, at) => `${text}<${values[at] ?? ''}>`).join('')
  const { raw } = String
  return same((x) => [`${x}-${`${k}`}`, tag`a\n${x}b${k}`, raw`\t${k}`], 'x')
})

feature('strings, expressions and comments that look like something else', () =>
  same((x) => {
    // }) => { import x from 'y'
    const text = '} class { function ( => `'
    const pattern = /[/}"'`]\/${k}/g // not a capture: `missing`
    /* eval('1'); this.x; super.y; import('./nothing') */
    return [text, pattern.source, x / k / 1, `${'`'}`]
  }, 9),
)

feature('`arguments` and `new.target` of its own', async () => {
  await same(
    function () {
      return [arguments.length, [...arguments].map((x) => x * k), new.target]
    },
    1,
    2,
  )
  const Made = function () {
    this.made = new.target === Made
  }
  await same(() => new Made().made)
})

feature('`this` of its own', async () => {
  await same(function () {
    return typeof this
  })
  const object = {
    unit: 'px',
    show() {
      return [this.unit, (() => this.unit)()]
    },
  }
  await same(() => object.show())
})

feature('functions with properties', () => {
  const fn = (x) => x + fn.step
  fn.step = 4
  fn.table = new Map([['a', fn]])
  return same((x) => [fn(x), fn.step, fn.table.get('a') === fn], 1)
})

feature('`name`, `length` and `toString` of captured functions', () => {
  const plain = (a, b) => a + b
  const renamed = Object.defineProperty(
    function first(a) {
      return a
    },
    'name',
    { value: 'second' },
  )
  return same(() => [plain.name, plain.length, renamed.name, renamed.length, String(plain) === plain.toString()])
})

feature('objects of closures', () => {
  const counter = (from) => {
    let n = from
    return { next: () => ++n, reset: () => (n = from), now: () => n }
  }
  const made = counter(k)
  return same(() => [made.reset(), made.next(), made.next(), made.now(), made.reset()])
})

feature('functions that make functions', () => {
  const compose =
    (...all) =>
    (x) =>
      all.reduce((value, fn) => fn(value), x)
  const piped = compose(
    (x) => x + k,
    (x) => x * 2,
    String,
  )
  return same((x) => [piped(x), compose(piped, Number)(x)], 1)
})

feature('collections of functions', () => {
  const byName = new Map([
    ['add', (a, b) => a + b + k],
    ['sub', (a, b) => a - b],
  ])
  const all = new Set([...byName.values()])
  return same(() => [byName.get('add')(1, 2), [...all].map((fn) => fn(5, 1)), all.has(byName.get('sub'))])
})

feature('a shared helper is one function there', () => {
  const helper = (x) => x * k
  const first = { helper }
  const second = () => helper
  return same(() => [first.helper === second(), first.helper === helper])
})

feature('indirect eval and `new Function`', async () => {
  const text = 'a + 1'
  await same((x) => [new Function('a', `return ${text}`)(x), (0, eval)('1 + 1'), globalThis.eval('typeof k')], 5)
  const made = new Function('a', 'b', 'return a * b')
  await same((x) => made(x, k), 2)
  await same(made, 2, 3)
  await same((0, eval)('(x) => x + 1'), 2)
})

feature('functions of scripts that stand in no file', async () => {
  for (const options of [{}, { filename: 'relative.js' }]) {
    await same(new Script('(x) => x + 1', options).runInThisContext(), 1)
    const made = new Script(
      "'use strict'; (() => { const k = 2; const helper = (x) => x * k; return (x) => `${helper(x)} ${k}` })()",
      options,
    ).runInThisContext()
    await same(made, 3)
    await same((x) => made(x), 4)
  }
})

feature('strict stays strict', () =>
  same(function () {
    try {
      return Object.freeze([1]).push(2)
    } catch (error) {
      return error.name
    }
  }),
)

feature('control flow of all kinds', () =>
  same(
    async (list) => {
      let out = ''
      for (const one of list) {
        try {
          switch (typeof one) {
            case 'number':
              if (one < 0) throw new RangeError(`${one}`)
              out += one > k ? 'big' : 'small'
              break
            case 'string':
              out += one?.at?.(-1) ?? '?'
              continue
            default:
              out += await Promise.resolve(one || 'none')
          }
        } catch ({ name }) {
          out += name
        } finally {
          out += '.'
        }
      }
      out ||= 'empty'
      return out
    },
    [1, 9, -1, 'text', '', null, false],
  ),
)

feature('a function of forty kilobytes', () => {
  const body = Array.from({ length: 2000 }, (_, n) => `s += x % ${n + 1};`).join('\n')
  const long = new Function('x', `let s = 0; ${body}; return s`)
  return same((x) => long(x) + k, 123)
})

feature('errors thrown by helpers keep class, message and fields', async () => {
  const check = (x) => {
    if (x > k) throw Object.assign(new RangeError(`${x} is too big`, { cause: { k } }), { limit: k })
    return x
  }
  const error = await call((x) => check(x), 5).catch((error) => error)
  assert.ok(error instanceof RangeError)
  assert.match(error.message, /5 is too big/)
  assert.equal(error.limit, 3)
})

feature('many calls of one function', async () => {
  const fn = remote((x) => x * k)
  const refs = Array.from({ length: 500 }, (_, n) => fn.remote(n))
  assert.deepEqual(
    await get(refs),
    refs.map((_, n) => n * k),
  )
})

feature('many functions, each called once', async () => {
  const refs = Array.from({ length: 300 }, (_, n) => remote((x) => [x, n, k]).remote(n + 1))
  assert.deepEqual(
    await get(refs),
    refs.map((_, n) => [n + 1, n, k]),
  )
})
