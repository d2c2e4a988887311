/** What structured clone and `v8.serialize` lose, row by row, as far as no other file has it: kept here, or not kept as documented. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encode } from '../src/codec/codec.ts'
import { bytesOf, trip } from './support/codec.ts'
import { difference } from './support/difference.ts'

const same = (value: unknown): void => {
  for (const alias of [false, true]) assert.is(difference(value, trip(value, { alias })), undefined)
}

test('an error whose cause is itself', () => {
  const error = new Error('loop')
  error.cause = error
  same(error)
  const many = new AggregateError([], 'many')
  many.errors.push(many, new Error('other', { cause: many }))
  same(many)
})

test('a name that is set to that of another class changes no class', () => {
  const error = new Error('x')
  error.name = 'TypeError'
  const back = trip(error) as Error
  assert.is(back.constructor, Error)
  assert.is(back.name, 'TypeError')
  assert.not(back instanceof TypeError)
  same(error)
  same(Object.defineProperty(new RangeError('x'), 'name', { value: 'Error' }))
})

test('name and message of an error that are no text', () => {
  same(Object.assign(new Error('x'), { name: 5, message: { code: 1 } }))
})

test('properties that were added to a URL, Headers or a DOMException', () => {
  same(Object.assign(new URL('http://a.b/c'), { label: { a: 1 } }))
  same(Object.assign(new URLSearchParams('a=1'), { label: 1, toString: 5 }))
  same(Object.assign(new Headers([['a', 'b']]), { label: 1 }))
  same(Object.assign(new DOMException('x', 'AbortError'), { detail: [1] }))
})

test('symbol keys and properties that are not enumerable stay behind', () => {
  const value = Object.defineProperty({ a: 1, [Symbol('s')]: 2, [Symbol.for('r')]: 3 }, 'hidden', { value: 4 })
  const back = trip(value) as object
  assert.equal(Reflect.ownKeys(back), ['a'])
  const array = Object.defineProperty([1], 'hidden', { value: 4 })
  assert.equal(Reflect.ownKeys(trip(Object.assign(array, { [Symbol.for('r')]: 1 })) as object), ['0', 'length'])
})

test('an accessor comes back as the value it gave', () => {
  const property = Object.getOwnPropertyDescriptor(
    trip({
      get a() {
        return [1]
      },
      set a(_: unknown) {
        throw new Error('a setter ran')
      },
    }) as object,
    'a',
  )
  assert.equal(property, { value: [1], enumerable: true, writable: true, configurable: true })
  assert.equal(trip({ set only(_: unknown) {} }), { only: undefined })
})

test('what was frozen or sealed comes back open', () => {
  for (const frozen of [
    Object.freeze({ a: 1 }),
    Object.freeze([1, 2]),
    Object.seal({ a: 1 }),
    Object.preventExtensions([1]),
    Object.freeze(new Map([[1, 2]])),
  ]) {
    const back = trip(frozen) as object
    assert.ok(Object.isExtensible(back) && !Object.isSealed(back))
    assert.is(difference(frozen, back), frozen instanceof Map || Array.isArray(frozen) || 'a' in frozen ? undefined : '')
  }
})

test('toJSON is one more property: it is not called', () => {
  const value = Object.defineProperty({ a: 1 }, 'toJSON', {
    value: () => {
      throw new Error('toJSON ran')
    },
  })
  assert.equal(trip(value), { a: 1 })
  assert.throws(() => trip({ a: 1, toJSON: () => 5 }), /value\.toJSON is the function 'toJSON'/)
})

test('getters of every kind of object run once', () => {
  const hosts: readonly object[] = [
    {},
    Object.create(null) as object,
    [1, 2],
    new Map(),
    new Set(),
    new Date(0),
    /x/,
    Object(1) as object,
    new Error('x'),
    new URL('http://a.b'),
  ]
  for (const host of hosts) {
    let count = 0
    Object.defineProperty(host, 'counted', { enumerable: true, get: () => ++count })
    assert.is((trip(host) as { counted: number }).counted, 1)
    assert.is(count, 1)
  }
})

type Resizable = ArrayBuffer & { resize(to: number): void; readonly maxByteLength: number }
const resizable = (byteLength: number, maxByteLength: number): Resizable =>
  new (ArrayBuffer as unknown as new (byteLength: number, options: object) => Resizable)(byteLength, { maxByteLength })

test('a view that tracks the length of its buffer comes back with the length it had', () => {
  const buffer = resizable(16, 64)
  const value = { tracks: new Uint8Array(buffer), buffer }
  same(value)
  const back = trip(value) as { tracks: Uint8Array; buffer: Resizable }
  back.buffer.resize(32)
  assert.is(back.tracks.length, 16)
  assert.is(back.tracks.buffer, back.buffer)
})

test('a view that its buffer was shrunk under is empty; it shows nothing else', () => {
  const buffer = resizable(16, 64)
  const view = new Uint8Array(buffer, 8, 8)
  buffer.resize(4)
  assert.is((trip([view]) as [Uint8Array])[0].length, 0)
})

test('a string of two bytes a unit, and a hole, cost the strings beside them nothing', () => {
  const narrow = 'x'.repeat(1_000_000)
  const bytes = bytesOf(encode([narrow, '€'.repeat(2_049)], 'value'))
  assert.ok(bytes.length < 1_010_000, `${bytes.length} bytes`)
})

test.run()
