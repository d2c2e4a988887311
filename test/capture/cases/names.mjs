/** Names that are not declared around a function: globals, their parts under other names, and what exists nowhere. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import { feature, same, sameOrRefused } from '../case.mjs'

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
