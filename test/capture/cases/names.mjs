/** Names that are not declared around a function: globals, their parts under other names, and what exists nowhere. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { call, feature, same, sameOrRefused } from '../case.mjs'

const { isArray } = Array
const { max, min: least } = Math
const hasOwn = Object.prototype.hasOwnProperty
const uncurried = Function.prototype.call.bind(Array.prototype.slice)
const { iterator, asyncIterator } = Symbol
const { env, version } = process
const AsyncFunction = (async () => {}).constructor
const TypedArray = Object.getPrototypeOf(Int8Array)
const everything = globalThis
const read = JSON.parse
const ArrayIterator = Object.getPrototypeOf([][Symbol.iterator]())

feature('standard globals', () =>
  same(
    (x) => [
      Math.max(x, 2),
      new URL('a', 'http://b').href,
      new Set([1]).size,
      Number.parseInt('7', 10),
      process.version,
      Buffer.from('a')[0],
      typeof setTimeout,
      typeof structuredClone,
      new TextEncoder().encode('a').length,
      Symbol.iterator in [],
      globalThis.Array === Array,
      encodeURIComponent('ä'),
      typeof fetch,
      typeof AbortController,
      new Intl.NumberFormat('en').format(1000),
      Number.isNaN(NaN),
      Infinity,
      typeof WebAssembly.Module,
    ],
    1,
  ),
)

feature('parts of globals under other names', () =>
  same(
    (x) => [
      isArray(x),
      max(...x),
      least(...x),
      hasOwn.call({ a: 1 }, 'a'),
      uncurried(x, 1),
      iterator === Symbol.iterator,
      asyncIterator === Symbol.asyncIterator,
      version,
      read('[1]'),
    ],
    [3, 1, 2],
  ),
)

feature('`process.env` under another name', () => same(() => [typeof env.PATH, typeof env]))

feature('intrinsics without a global name are right or refused', () =>
  sameOrRefused(async () => [
    await new AsyncFunction('return 5')(),
    new Float32Array(1) instanceof TypedArray,
    everything === globalThis,
    Object.getPrototypeOf([][Symbol.iterator]()) === ArrayIterator,
  ]),
)

feature('globals as values', () => {
  const kinds = { n: Number, s: String, list: [Array, Map, RangeError], convert: parseFloat, log: console.log }
  return same(() => [kinds.n('5'), kinds.s(6), kinds.list.map((one) => one.name), kinds.convert('1.5'), typeof kinds.log, kinds.list[0] === Array])
})

feature('global namespaces as values in data', () => {
  const kinds = { math: Math, list: [JSON], root: globalThis, process, out: console }
  return same(() => [kinds.math === Math, kinds.list[0].stringify([1]), kinds.root === globalThis, kinds.process === process, kinds.out === console])
})

feature('console, timers and microtasks as values', () => {
  const { setTimeout: wait, setImmediate: soon, queueMicrotask: now } = globalThis
  const out = console
  return same(async () => {
    const seen = []
    await new Promise((resolve) => {
      wait(() => resolve(seen.push('timer')), 5)
      soon(() => seen.push('immediate'))
      now(() => seen.push('micro'))
    })
    return [seen, typeof out.log, out === console]
  })
})

feature('`typeof` of what exists nowhere', () =>
  same(() => [typeof notDefinedAnywhere, typeof notDefinedAnywhere === 'undefined' ? 'none' : notDefinedAnywhere, typeof AsyncIterator === 'function']),
)

feature('a guarded name in a helper, and in a nested function', () => {
  const pick = () => (typeof Bun === 'undefined' ? 'node' : Bun.version)
  return same(() => [pick(), (() => typeof Deno !== 'undefined' && Deno.version)()])
})

feature('a name that exists nowhere is an error of the call', () =>
  same(() => {
    try {
      return notDefinedAnywhereElse + 1
    } catch (error) {
      return [error.name, error.message]
    }
  }),
)

feature('`undefined`, `NaN` and `Infinity`', () => same(() => [undefined, NaN, Infinity, void 0]))

feature('globals that a module declares again', () => {
  const console = { log: (text) => `mine: ${text}` }
  const Math = { ...globalThis.Math, max: () => 'mine' }
  return same(() => [console.log('x'), Math.max(1, 2)])
})

feature('variables under the names that CommonJS gives a file', async () => {
  const __dirname = '/mine'
  const __filename = ['mine', 2]
  const require = (name) => `mine: ${name}`
  const module = { exports: 'mine' }
  const exports = new Map([['a', 1]])
  await same(() => [__dirname, __filename, require('node:fs'), module.exports, exports.get('a')])
  const helper = () => [require('x'), __dirname, module]
  await same(() => helper())
})

feature('variables under those names that are assigned, and of functions in rings', async () => {
  let exports = 1
  let module = 'a'
  assert.deepEqual(
    await call(() => {
      exports += 1
      module += exports
      return [exports, module]
    }),
    [2, 'a2'],
  )
  const require = (n) => (n === 0 ? 'done' : __filename(n - 1))
  const __filename = (n) => require(n)
  await same((n) => require(n), 3)
}, ['there'])

feature('variables under the names that factories of functions use', async () => {
  const __mobula = 1
  const __mobula_ = 2
  const __mobula_fn = 3
  const __mobula_all = 4
  const [all, fn, set, read, fill, m, import_meta, ǁ, value, get] = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
  const used = () => [__mobula, __mobula_, __mobula_fn, __mobula_all, all, fn, set, read, fill, m, import_meta, ǁ, value, get]
  const again = (n) => (n === 0 ? [__mobula, all, fn] : other(n - 1))
  const other = (n) => (n === 0 ? used() : again(n - 1))
  await same(used)
  await same((n) => [again(n), other(n)], 2)
})

feature('those that are assigned, and constants among them', async () => {
  let __mobula = 1
  let __mobula_all = 2
  let all = 3
  let fn = 4
  const box = () => [__mobula, __mobula_all, all, fn]
  assert.deepEqual(
    await call(() => {
      __mobula += 10
      ;[all, fn, __mobula_all] = [fn, all, __mobula]
      return [__mobula, __mobula_all, all, fn, box()]
    }),
    [11, 11, 4, 3, [11, 11, 4, 3]],
  )
  let read = 1
  let set = 2
  assert.deepEqual(await call(() => [(read += 1), (set += read)]), [2, 4])
}, ['there'])

feature('classes and members under the names that factories of functions use', async () => {
  const BASE = class {
    m() {
      return 'm of base'
    }
  }
  class __mobula extends BASE {
    static #all = 1
    static #fill = 2
    static fill = 3
    static m = 4
    static sum(all = __mobula.#all, fill = __mobula.#fill) {
      return all + fill + __mobula.fill + __mobula.m
    }
    m() {
      return `${super.m()} ${__mobula.name === fn.name}`
    }
  }
  const fn = __mobula
  const object = {
    m(x) {
      return [x, this === undefined]
    },
    get fn() {
      return fn === __mobula
    },
  }
  await same(() => [__mobula.sum(), new __mobula().m(), object.m(1), object.fn])
  await same(Object.getOwnPropertyDescriptor(object, 'fn').get)
})
