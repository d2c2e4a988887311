/** Data that a function captures: by value, with identity kept inside of what travels together. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { Buffer as NodeBuffer } from 'node:buffer'
import { runInNewContext, runInThisContext } from 'node:vm'
import { call, feature, same, sameOrRefused } from '../case.mjs'

/** The value itself, as it comes back. */
const kept = (value) => same(() => value)

feature('primitives', () => {
  const all = [undefined, null, true, 0, -0, NaN, -Infinity, 2 ** 53, 5e-324, 'text', '', '\u{1F600}\ud800', 10n ** 30n, -1n]
  const [a, b, c, d, e] = all
  return same(() => [a, b, c, d, Object.is(e, -0), all])
})

feature('plain objects and arrays', () => kept({ a: { b: [1, [2, { c: null }]] }, 'odd key': 1, 5: 'five', __proto__: null }))
feature('a key called `__proto__`', () => {
  const odd = JSON.parse('{ "__proto__": { "x": 1 }, "constructor": 2 }')
  return same(() => [Object.keys(odd), odd.x, Object.getPrototypeOf(odd) === Object.prototype])
})
feature('sparse arrays, and arrays with properties', () => {
  const sparse = [1, , 3]
  const tagged = Object.assign([1, 2], { tag: 'x' })
  return same(() => [1 in sparse, sparse.length, sparse, tagged.tag, tagged])
})
feature('Map and Set, with objects as keys', () => {
  const key = { id: 1 }
  const map = new Map([
    [key, new Set([key, 'a'])],
    ['b', NaN],
  ])
  return same(() => [map.get(key).has(key), map.size, [...map.keys()], map])
})
feature('Date, also an invalid one', () => {
  const when = new Date(123456789)
  const never = new Date(NaN)
  return same(() => [when.getTime(), when, Number.isNaN(never.getTime())])
})
feature('RegExp, with its `lastIndex`', () => {
  const pattern = /a(?<n>\d)/giu
  pattern.lastIndex = 3
  return same(() => [pattern.source, pattern.flags, pattern.lastIndex, 'xA5'.match(/a(?<n>\d)/i).groups.n])
})
feature('typed arrays, of one buffer', () => {
  const buffer = new ArrayBuffer(32)
  const bytes = new Uint8Array(buffer, 8, 8)
  const doubles = new Float64Array(buffer)
  doubles[1] = 1.5
  const view = new DataView(buffer, 8)
  const big = BigInt64Array.of(5n)
  return same(() => [[...bytes], [...doubles], view.getFloat64(0, true), bytes.buffer === doubles.buffer, bytes.byteOffset - view.byteOffset, big[0]])
})
feature('ArrayBuffer', () => {
  const { buffer } = Uint8Array.of(1, 2, 3)
  return same(() => [buffer.byteLength, [...new Uint8Array(buffer)], buffer instanceof ArrayBuffer])
})
feature('Buffer', () => {
  const buffer = NodeBuffer.from('hällo')
  return same(() => [buffer.toString(), NodeBuffer.isBuffer(buffer), buffer.length])
})
feature('large typed arrays', async () => {
  const large = Float64Array.from({ length: 500_000 }, (_, k) => k)
  assert.equal(await call(() => large.reduce((a, b) => a + b, 0)), (500_000 * 499_999) / 2)
  assert.equal(await call(() => large.length), 500_000)
})
feature('errors, with cause, fields and their class', () => {
  const error = Object.assign(new TypeError('wrong', { cause: new Error('why') }), { code: 'E_WRONG', details: [1] })
  const all = new AggregateError([error], 'many')
  return same(() => [error instanceof TypeError, error.message, error.cause.message, error.code, error.details, all.errors[0] === error, error.stack])
})
feature('URL, URLSearchParams and Headers', () => {
  const url = new URL('http://user@host/path?a=1#h')
  const search = new URLSearchParams([
    ['a', '1'],
    ['a', '2'],
  ])
  const headers = new Headers({ 'x-a': '1' })
  return same(() => [url.href, url instanceof URL, [...search.getAll('a')], headers.get('x-a'), [...headers].flat()])
})
feature('symbols: well-known, of the registry, and local ones', () => {
  const local = Symbol('local')
  const pair = [local, { local, iterator: Symbol.iterator, shared: Symbol.for('shared') }]
  return same(() => [
    pair[0] === local,
    pair[1].local === local,
    local.description,
    pair[1].iterator === Symbol.iterator,
    pair[1].shared === Symbol.for('shared'),
  ])
})
feature('symbols as keys', () => {
  const local = Symbol('local')
  const shared = Symbol.for('shared')
  const object = { [local]: 1, [shared]: 2, [Symbol.iterator]: 3 }
  return same(() => [object[local], object[shared], object[Symbol.iterator], local.description, shared === Symbol.for('shared'), typeof local])
})
feature('boxed primitives', () => {
  const boxed = [Object(1), Object('s'), Object(true), Object(2n)]
  return same(() => boxed.map((one) => [typeof one, one.valueOf()]))
})
feature('cycles', () => {
  const ring = { list: [], map: new Map() }
  ring.self = ring
  ring.list.push(ring)
  ring.map.set('ring', ring)
  return same(() => [ring.self === ring, ring.list[0] === ring, ring.map.get('ring') === ring])
})
feature('cycles through functions', () => {
  const node = { value: 1, show: () => node.value, twin: undefined }
  const twin = { value: 2, twin: node }
  node.twin = twin
  return same(() => [node.show(), node.twin.twin === node, twin.twin.show()])
})
feature('shared references are shared there', () => {
  const shared = { n: 1 }
  const pair = [shared, shared]
  const other = { shared }
  return same(() => [pair[0] === pair[1], pair[0] === other.shared, shared === other.shared])
})
feature('a function that is a value in two places', () => {
  const fn = (x) => x + 1
  const pair = [fn, { fn }]
  return same(() => [pair[0] === pair[1].fn, fn === pair[0], fn(1)])
})
feature('objects without a prototype', () => {
  const bare = Object.assign(Object.create(null), { a: 1 })
  return same(() => [Object.getPrototypeOf(bare), bare.a])
})
feature('objects whose prototype is another object are right or refused', () => {
  const base = { hello: (name) => `hello ${name}`, level: 1 }
  const derived = Object.create(base, { own: { value: 5, enumerable: true } })
  return sameOrRefused(() => [derived.hello('you'), derived.level, Object.keys(derived), Object.getPrototypeOf(derived) === base])
})
feature('accessors', () => {
  let n = 1
  const object = {
    get doubled() {
      return this.base * 2 + n
    },
    set doubled(x) {
      this.base = x / 2
    },
    base: 3,
  }
  n = 5
  return same(() => {
    const before = object.doubled
    object.doubled = 20
    const after = [object.base, object.doubled]
    object.base = 3
    return [before, after, typeof Object.getOwnPropertyDescriptor(object, 'doubled').get]
  })
})
feature('a getter that throws is not asked', () => {
  const object = {
    get trap() {
      throw new Error('asked')
    },
    fine: 1,
  }
  return same(() => [object.fine, typeof Object.getOwnPropertyDescriptor(object, 'trap').get])
})
feature('accessors and functions keep their place among the keys', () => {
  const object = {
    get first() {
      return 1
    },
    second: 2,
    third: () => 3,
    fourth: 4,
  }
  return same(() => Object.keys(object))
})
feature('frozen and sealed objects are so there, or refused', async () => {
  const frozen = Object.freeze({ a: 1, list: Object.freeze([1]) })
  const sealed = Object.seal({ a: 1 })
  const closed = Object.preventExtensions({ a: 1 })
  await sameOrRefused(() => [Object.isFrozen(frozen), Object.isFrozen(frozen.list)])
  await sameOrRefused(() => [Object.isSealed(sealed), Object.isExtensible(closed)])
})
feature('properties that are not listed are there, or refused', () => {
  const hidden = Object.defineProperty({ a: 1 }, 'b', { value: 2 })
  return sameOrRefused(() => [Object.keys(hidden), hidden.b, Object.getOwnPropertyDescriptor(hidden, 'b')?.writable])
})
feature('properties of Date, Map, RegExp and functions', () => {
  const date = Object.assign(new Date(0), { zone: 'utc' })
  const map = Object.assign(new Map(), { label: 'm' })
  const pattern = Object.assign(/a/, { tag: 1 })
  return sameOrRefused(() => [date.zone, map.label, pattern.tag])
})
feature('an `arguments` object', () => {
  const make = function () {
    const given = arguments
    return () => [given.length, [...given]]
  }
  return sameOrRefused(make(1, 2))
})
feature('a template object', () => {
  const strings = ((strings) => strings)`a${1}\n`
  return sameOrRefused(() => [[...strings], strings.raw?.[1]])
})
feature('a revoked, resizable or detached buffer is kept or refused', async () => {
  const detached = new ArrayBuffer(8)
  structuredClone(detached, { transfer: [detached] })
  await sameOrRefused(() => detached.byteLength)
  const resizable = new ArrayBuffer(8, { maxByteLength: 16 })
  await sameOrRefused(() => resizable.byteLength)
})
feature('deep data', async () => {
  let deep = null
  for (let k = 0; k < 200; k++) deep = { deep, k }
  assert.equal(
    await call(() => {
      let depth = 0
      for (let at = deep; at !== null; at = at.deep) depth++
      return depth
    }),
    200,
  )
})
feature('long strings and many properties', () => {
  const text = 'ä€'.repeat(100_000)
  const many = Object.fromEntries(Array.from({ length: 2000 }, (_, k) => [`key${k}`, k]))
  return same(() => [text.length, text.at(-1), Object.keys(many).length, many.key1999])
})
feature('a value that is captured and given as an argument', () => {
  const shared = { n: 1 }
  return same((given) => [given.n, shared.n], shared)
})
feature('a captured value as it comes back', async () => {
  const value = { list: [1, undefined, -0], map: new Map([[1, { a: [new Date(5)] }]]), big: 5n, bytes: Uint8Array.of(1, 2) }
  assert.deepEqual(await call(() => value), value)
})
feature('values and functions of another context are right or refused', async () => {
  const foreign = runInNewContext('({ list: [1, { a: 1 }], map: new Map([[1, 2]]), error: new RangeError("foreign"), bytes: Uint8Array.of(7) })')
  const foreignCall = runInNewContext('const k = 3; (x) => x + k')
  await sameOrRefused(() => [foreign.list.length, foreign.list[1].a, foreign.list.map((x) => typeof x).join()])
  await sameOrRefused(() => [foreign.map.get(1), foreign.error.message, foreign.error.name, foreign.bytes[0]])
  await sameOrRefused(() => foreignCall(1))
})

feature('more than 10 MB are warned of, and taken', async () => {
  const long = 'x'.repeat(12_000_000)
  const warnings = []
  const hear = (warning) => warnings.push(warning)
  // Node's own, which under jest is another than the global.
  const { process } = runInThisContext('globalThis')
  process.on('warning', hear)
  try {
    assert.equal(await call(() => long.length), 12_000_000)
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(
      warnings.some(({ message }) => /\bMB\b/.test(message) && message.includes('captur')),
      String(warnings),
    )
  } finally {
    process.off('warning', hear)
  }
}, ['there'])
