/** Binary data: every class comes back as itself, over the encoded bytes where those stay, and takes only the bytes it shows. */

import { deepStrictEqual } from 'node:assert/strict'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, encode, sourceOf } from '../src/codec/codec.ts'
import { bytesOf, seeded, thrownBy, trip, typedArrays, writeInto } from './support/codec.ts'

type Numeric = Uint8Array | Float64Array | BigInt64Array
type Class = new (length: number) => Numeric

const classes = typedArrays as readonly Class[]

const filled = (Class: Class, length: number): Numeric => {
  const array = new Class(length)
  const random = seeded(length + 1)
  const bytes = new Uint8Array(array.buffer)
  for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(random() * 256)
  return array
}

const bytesIn = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

for (const Class of classes) {
  test(`${Class.name} of any length keeps class and bits, copied or not`, () => {
    for (const length of [0, 1, 7, 16, 17, 128, 129, 1_000, 2 ** 20 + 1]) {
      const array = filled(Class, length)
      for (const alias of [false, true]) {
        const back = trip({ array }, { alias }) as { array: Numeric }
        assert.is(Object.getPrototypeOf(back.array), Class.prototype)
        assert.is(back.array.length, length)
        assert.ok(Buffer.compare(bytesIn(back.array), bytesIn(array)) === 0)
      }
    }
  })
}

test('with alias, views lie in the encoded bytes; without, they are private', () => {
  const encoded = encode([new Float64Array(1_000).fill(1), Buffer.alloc(1_000, 2), new DataView(new ArrayBuffer(1_000))], 'value')
  const bytes = bytesOf(encoded)
  for (const view of decode(sourceOf(bytes, []), { alias: true }) as ArrayBufferView[]) {
    assert.is(view.buffer, bytes.buffer)
    assert.is((view.byteOffset - bytes.byteOffset) % 64, 0)
  }
  for (const view of decode(sourceOf(bytes, []), { alias: false }) as ArrayBufferView[]) assert.instance(view.buffer, ArrayBuffer)
})

test('without alias nothing shows later writes to the bytes', () => {
  const value = { small: Uint8Array.of(1, 2, 3), big: new Uint8Array(1_000).fill(7), text: 'x'.repeat(10_000), buffer: new Uint8Array([9]).buffer }
  const bytes = bytesOf(encode(value, 'value'))
  const back = decode(sourceOf(bytes, []), { alias: false })
  bytes.fill(0)
  deepStrictEqual(back, value)
})

test('bytes that start anywhere are copied, never misread', () => {
  const value = [new Float64Array([1, 2.5]), new Float64Array(100).fill(3), 'text', new BigUint64Array(40).fill(5n)]
  const encoded = encode(value, 'value')
  for (let shift = 0; shift < 9; shift++) {
    const bytes = new Uint8Array(encoded.byteLength + shift).subarray(shift)
    writeInto(encoded, bytes)
    for (const alias of [false, true]) deepStrictEqual(decode(sourceOf(bytes, []), { alias }), value)
  }
})

test('big buffers are aligned to 64 bytes, whatever lies between them', () => {
  const value = Array.from({ length: 100 }, (_, length) => [`odd${'x'.repeat(length)}`, new Float64Array(length + 20), new Uint8Array(length + 130)]).flat()
  const bytes = bytesOf(encode(value, 'value'))
  for (const view of (decode(sourceOf(bytes, []), { alias: true }) as unknown[]).filter((one) => ArrayBuffer.isView(one)) as ArrayBufferView[]) {
    if (view.byteLength > 128) assert.is((view.byteOffset - bytes.byteOffset) % 64, 0)
    else assert.is(view.byteOffset % 8, 0)
  }
})

test('Buffer stays Buffer and takes its own bytes only, not the pool around it', () => {
  const secret = Buffer.from('secret neighbour')
  const small = Buffer.from('abc')
  const encoded = encode([small, Buffer.from('def')], 'value')
  assert.ok(encoded.byteLength < 200, `${encoded.byteLength} bytes`)
  const bytes = bytesOf(encoded)
  assert.is(Buffer.from(bytes).indexOf(secret), -1)
  const back = decode(sourceOf(bytes, []), { alias: false }) as Buffer[]
  assert.ok(Buffer.isBuffer(back[0]))
  assert.is(String(back[0]), 'abc')
  assert.is(String(back[1]), 'def')
})

test('a slice takes the span it covers', () => {
  const whole = new Uint8Array(1_000_000).fill(1)
  assert.ok(encode(whole.subarray(10, 1_010), 'value').byteLength < 1_300)
  const back = trip(whole.subarray(500_000, 500_010)) as Uint8Array
  assert.is(back.length, 10)
  assert.is(back.buffer.byteLength, 10)
})

test('views of one buffer still share it, whatever their sizes and classes', () => {
  for (const size of [24, 100, 10_000]) {
    for (const alias of [false, true]) {
      const buffer = new ArrayBuffer(size + 64)
      const value = {
        bytes: new Uint8Array(buffer, 8, size),
        floats: new Float64Array(buffer, 16, 2),
        odd: new Uint8Array(buffer, 11, 3),
        view: new DataView(buffer, 24, 8),
        again: new Uint8Array(buffer, 8, size),
      }
      value.bytes[4] = 42
      value.floats[0] = 2.5
      const back = trip(value, { alias }) as typeof value
      deepStrictEqual(back, value)
      assert.is(back.bytes.buffer, back.floats.buffer)
      assert.is(back.bytes.buffer, back.view.buffer)
      back.bytes[3] = 77
      assert.is(back.odd[0], 77)
      assert.is(back.again[3], 77)
      back.view.setUint8(0, 99)
      assert.is(back.bytes[16], 99)
    }
  }
})

test('views whose span starts at an odd place stay aligned', () => {
  for (const alias of [false, true]) {
    const buffer = new ArrayBuffer(1_000)
    const value = [new Uint8Array(buffer, 3, 500), new Float64Array(buffer, 8, 20), new Uint16Array(buffer, 6, 5)]
    ;(value[1] as Float64Array)[1] = 7.25
    const back = trip(value, { alias }) as typeof value
    deepStrictEqual(back, value)
    assert.is(back[0]?.buffer, back[1]?.buffer)
  }
})

test('the span between views travels once, and what lies outside does not', () => {
  const buffer = new ArrayBuffer(1_000_000)
  const encoded = encode([new Uint8Array(buffer, 1_000, 500), new Uint8Array(buffer, 1_200, 500), new Uint8Array(buffer, 3_000, 10)], 'value')
  assert.ok(encoded.byteLength > 2_010)
  assert.ok(encoded.byteLength < 2_400, `${encoded.byteLength} bytes`)
})

test('Buffers that overlap in a pool share, others there do not', () => {
  const pooled = Buffer.from('0123456789')
  const value = [pooled, pooled.subarray(2, 6), pooled.subarray(4, 8), Buffer.from('apart')]
  const back = trip(value) as Buffer[]
  deepStrictEqual(back, value)
  assert.is(back[0]?.buffer, back[2]?.buffer)
  if (back[1] !== undefined) back[1][2] = 'X'.charCodeAt(0)
  assert.is(String(back[0]), '0123X56789')
  assert.is(String(back[2]), 'X567')
  assert.is.not(back[3]?.buffer, back[0]?.buffer)
})

test('a bare ArrayBuffer comes back as one, with its views on it', () => {
  for (const alias of [false, true]) {
    for (const size of [0, 1, 64, 5_000]) {
      const buffer = new ArrayBuffer(size)
      new Uint8Array(buffer).fill(3)
      const back = trip({ views: [new Uint8Array(buffer)], buffer }, { alias }) as { views: Uint8Array[]; buffer: ArrayBuffer }
      assert.instance(back.buffer, ArrayBuffer)
      assert.is(back.buffer.byteLength, size)
      if (size > 0) assert.is(back.views[0]?.buffer, back.buffer)
      deepStrictEqual(new Uint8Array(back.buffer), new Uint8Array(buffer))
    }
  }
})

test('a resizable ArrayBuffer stays resizable', () => {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(to: number): void; maxByteLength: number }
  const buffer = new Resizable(10, { maxByteLength: 100 })
  new Uint8Array(buffer)[9] = 5
  const back = trip(buffer) as typeof buffer
  assert.is(back.byteLength, 10)
  assert.is(back.maxByteLength, 100)
  back.resize(50)
  assert.is(new Uint8Array(back)[9], 5)
})

test('views over a SharedArrayBuffer travel by value', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(500)).fill(6)
  const bytes = bytesOf(encode([shared, shared.subarray(10)], 'value'))
  shared.fill(0)
  const back = decode(sourceOf(bytes, []), { alias: false }) as Uint8Array[]
  assert.is(back[0]?.[499], 6)
  assert.is(back[0]?.buffer, back[1]?.buffer)
})

test('a value without a long buffer costs nothing for one; a long one costs a table and padding', () => {
  const encoded = encode(new Uint8Array(10_000_000), 'value')
  assert.ok(encoded.byteLength <= 10_000_000 + 192)
  assert.is(encoded.pieces.length, 2)
  assert.is(encoded.pieces[1]?.bytes.byteLength, 10_000_000)
})

test('what is detached or a class of its own is refused', () => {
  const gone = new Uint8Array(8)
  structuredClone(gone, { transfer: [gone.buffer] })
  assert.match(thrownBy(() => trip({ gone })).message, /^value\.gone lies in a detached buffer/)
  assert.match(thrownBy(() => trip([gone.buffer])).message, /^value\[0\] lies in a detached buffer/)
  // Not every Node makes one so large.
  const endless = Object.defineProperties(new ArrayBuffer(3), { resizable: { value: true }, maxByteLength: { value: 2 ** 36 + 1 } })
  assert.match(thrownBy(() => trip({ endless })).message, /^value\.endless is an ArrayBuffer that may grow to more than 64 GiB/)
  class Mine extends Uint8Array {}
  assert.match(thrownBy(() => trip(new Mine(3))).message, /^value is an instance of the class Mine/)
  assert.match(thrownBy(() => trip({ shared: new SharedArrayBuffer(3) })).message, /^value\.shared is a bare SharedArrayBuffer/)
})

test.run()
