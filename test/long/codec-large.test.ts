/** Values near the limits of the platform, which take gigabytes of memory: long strings of two bytes a unit, long lists. Time limit: 600 s. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, encode, sourceOf } from '../../src/codec/codec.ts'
import { bytesOf, trip } from '../support/codec.ts'

test('a string of 200 million units of two bytes', () => {
  const text = '\ud800日'.repeat(100_000_000)
  const encoded = encode(text, 'value')
  assert.ok(encoded.byteLength < 400_001_000)
  const back = decode(sourceOf(bytesOf(encoded), []), { alias: false }) as string
  assert.is(back.length, text.length)
  assert.ok(back === text)
})

test('a buffer of more than 2 GiB, whose length fits in no signed word', () => {
  const large = new Uint8Array(2 ** 31 + 100)
  large[2 ** 31 + 99] = 7
  const back = decode(sourceOf(bytesOf(encode({ large }, 'value')), []), { alias: true }) as { large: Uint8Array }
  assert.is(back.large.length, large.length)
  assert.is(back.large[2 ** 31 + 99], 7)
})

test('two million objects of one shape', () => {
  const list = Array.from({ length: 2_000_000 }, (_, id) => ({ id, name: `n${id % 1_000}`, at: id / 3 }))
  const back = trip(list) as typeof list
  assert.is(back.length, list.length)
  for (const at of [0, 1_234_567, 1_999_999]) assert.equal(back[at], list[at])
})

test.run()
