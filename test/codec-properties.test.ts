/** Properties of the codec, over arbitrary values; and that the comparison they rest on tells apart what it has to. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { refNumber } from './support/codec.ts'
import { properties } from './support/codec-properties.ts'
import { difference } from './support/difference.ts'

const twice = <T>(make: () => T): readonly [T, T] => [make(), make()]
const buffer = new ArrayBuffer(64)

const apart: readonly (readonly [what: string, left: unknown, right: unknown])[] = [
  ['0 and -0', 0, -0],
  ['a hole and undefined', new Array(1), [undefined]],
  ['lengths of empty arrays', new Array(3), new Array(4)],
  ['payloads of NaN', new BigUint64Array([0x7ff8_0000_0000_0001n]), new BigUint64Array([0x7ff8_0000_0000_0002n])],
  ['the order of keys', { a: 1, b: 2 }, { b: 2, a: 1 }],
  [
    'the order of a Map',
    new Map([
      [1, 1],
      [2, 2],
    ]),
    new Map([
      [2, 2],
      [1, 1],
    ]),
  ],
  ['an own undefined and nothing', { a: undefined }, {}],
  ['a prototype and none', {}, Object.create(null)],
  ['Buffer and Uint8Array', Buffer.from([1]), Uint8Array.of(1)],
  ['classes of errors', new TypeError('x'), new RangeError('x')],
  ['a cause of undefined and none', Object.assign(new Error('x', { cause: undefined }), { stack: '' }), Object.assign(new Error('x'), { stack: '' })],
  [
    'one object twice and two alike',
    ...(() => {
      const one = {}
      return [
        [one, one],
        [{}, {}],
      ] as const
    })(),
  ],
  [
    'two objects and one twice',
    ...(() => {
      const one = {}
      return [
        [{}, {}],
        [one, one],
      ] as const
    })(),
  ],
  [
    'a cycle and a copy of it',
    ...(() => {
      const [one, other] = twice(() => {
        const list: unknown[] = []
        list.push(list)
        return list
      })
      return [one, [other]] as const
    })(),
  ],
  ['views of one memory and of two', [new Uint8Array(buffer, 0, 8), new Uint8Array(buffer, 8, 8)], [new Uint8Array(8), new Uint8Array(8)]],
  ['views of two memories and of one', [new Uint8Array(8), new Uint8Array(8)], [new Uint8Array(buffer, 0, 8), new Uint8Array(buffer, 4, 8)]],
  ['distances in memory', [new Uint8Array(buffer, 0, 8), new Uint8Array(buffer, 8, 8)], [new Uint8Array(buffer, 0, 8), new Uint8Array(buffer, 9, 8)]],
  ['lastIndex', /a/g, Object.assign(/a/g, { lastIndex: 1 })],
  ['boxes', Object(1), Object(2)],
  ['properties of a Map', Object.assign(new Map(), { a: 1 }), new Map()],
  ['a value and its getter', { a: 1 }, Object.defineProperty({}, 'a', { enumerable: true, get: () => 1 })],
  ['refs', refNumber(1), refNumber(1)],
]

for (const [what, left, right] of apart) {
  test(`the comparison knows ${what}`, () => {
    assert.type(difference(left, right), 'string')
    assert.is(difference(left, left), undefined)
  })
}

for (const { name, check } of properties) test(name, () => check({ runs: 600, nodesMax: 24, seed: 2026 }))

test.run()
