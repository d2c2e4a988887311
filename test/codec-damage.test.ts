/** Bytes that are no value: an error of ours, never memory outside them, an endless loop, or memory without bound. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, decodeArgs, encode, encodeArgs, registerClass, sourceOf } from '../src/codec/codec.ts'
import { HEADER_WORDS, TAG } from '../src/codec/layout.ts'
import { SerializationError, TaskError } from '../src/errors/errors.ts'
import { taskError } from '../src/errors/task-error.ts'
import { bytesOf, refNumber, seeded, thrownBy } from './support/codec.ts'

const shared = new ArrayBuffer(400)
const self: Record<string, unknown> = { n: 1 }
self['self'] = self

/** Every kind of value, small, so that each byte of them is hit often. */
const sample = {
  primitives: [undefined, null, true, false, 5, 2 ** 30, -0, 1.5, 10n ** 40n, 'text', 'é', 'x'.repeat(3_000)],
  rows: [{ a: 1, b: 'x' }, { a: 2, b: 'y' }, { c: [] }],
  packed: [
    [1, 2, 3, 4, 5],
    [1.5, 2, 3, 4],
  ],
  // biome-ignore lint/suspicious/noSparseArray: holes are the point.
  holes: Object.assign([1, , 3], { extra: 1 }),
  dictionary: Object.assign(Object.create(null), { k: 1 }),
  map: new Map<unknown, unknown>([
    [1, { a: 1 }],
    ['k', new Set([1, 'two'])],
  ]),
  date: new Date(5),
  regexp: /a+b/giu,
  boxed: [Object(1), Object('s')],
  views: [new Uint8Array([1, 2, 3]), new Float64Array(50), new Uint8Array(shared, 8, 200), new DataView(shared, 16, 20), Buffer.from('buffer')],
  buffer: new ArrayBuffer(30),
  errors: [
    new RangeError('x', { cause: new Error('y') }),
    new AggregateError([1], 'z'),
    new DOMException('d', 'AbortError'),
    taskError(new TypeError('t'), { taskName: 'f' }),
  ],
  urls: [new URL('http://a.b/c?d'), new URLSearchParams('a=1')],
  refs: [refNumber(1), refNumber(2)],
  self,
}

const encoded = encode(sample, 'value')
const good = bytesOf(encoded).slice()
const options = { alias: false }

/** Decodes; a failure has to be ours. True if it decoded. */
const survives = (bytes: Uint8Array, alias: boolean): boolean => {
  try {
    decode(sourceOf(bytes, encoded.refs), { alias })
    return true
  } catch (error) {
    if (error instanceof SerializationError && !(error instanceof TaskError)) return false
    throw error
  }
}

test('the sample itself decodes', () => {
  assert.ok(survives(good, false))
})

test('a damaged byte, 30,000 times, at any place', () => {
  const random = seeded(2_026)
  const outcomes = { decoded: 0, refused: 0 }
  for (let round = 0; round < 30_000; round++) {
    const bytes = good.slice()
    const count = 1 + Math.floor(random() * 3)
    for (let hit = 0; hit < count; hit++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
    outcomes[survives(bytes, round % 2 === 0) ? 'decoded' : 'refused']++
  }
  assert.ok(outcomes.refused > 1_000 && outcomes.decoded > 1_000, JSON.stringify(outcomes))
})

test('a damaged word of the stream or header, 30,000 times', () => {
  const random = seeded(77)
  const edges = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 0xff, 0x80, 64, 4_096]
  const end = 40 + new DataView(good.buffer).getUint32(16, true)
  for (let round = 0; round < 30_000; round++) {
    const bytes = good.slice()
    const view = new DataView(bytes.buffer)
    const at = Math.floor((random() * end) / 4) * 4
    const was = view.getInt32(at, true)
    const edge = edges[Math.floor(random() * edges.length)] as number
    view.setInt32(at, random() < 0.5 ? edge : random() < 0.5 ? (was & 0xff) | (edge << 8) : was ^ (1 << Math.floor(random() * 32)), true)
    survives(bytes, round % 2 === 0)
  }
})

test('cut off at any length', () => {
  for (let length = 0; length < good.length; length += length < 3_000 ? 1 : 13) {
    assert.not(survives(good.slice(0, length), false), `${length} bytes`)
  }
})

test('lengths that nest allocate no more than the bytes can hold', () => {
  const bytes = bytesOf(encode(new Array(10_000).fill(7), 'value')).slice()
  const words = new Int32Array(bytes.buffer)
  // Each level claims as many elements as there are words left: 200 MB if every one of them were believed.
  for (let at = HEADER_WORDS; at + 1 < words.length; at += 2) {
    words[at] = TAG.array
    words[at + 1] = words.length - at - 2
  }
  const before = process.resourceUsage().maxRSS
  assert.is((thrownBy(() => decode(sourceOf(bytes, []), options)) as SerializationError).code, 'ERR_SERIALIZATION')
  assert.ok(process.resourceUsage().maxRSS - before < 50_000, 'KiB')
})

test('random bytes behind a good header', () => {
  const random = seeded(5)
  for (let round = 0; round < 5_000; round++) {
    const bytes = good.slice()
    for (let at = 40; at < bytes.length; at++) bytes[at] = Math.floor(random() * (round % 2 === 0 ? 256 : 37))
    survives(bytes, false)
  }
})

test('arguments are checked likewise', () => {
  const call = encodeArgs([refNumber(1), { a: [1, 'x'] }, 5], 'f')
  const bytes = bytesOf(call).slice()
  const random = seeded(9)
  for (let round = 0; round < 5_000; round++) {
    const damaged = bytes.slice()
    damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256)
    try {
      assert.ok(Array.isArray(decodeArgs(sourceOf(damaged, call.refs), ['dep'], options)))
    } catch (error) {
      if (!(error instanceof SerializationError)) throw error
    }
  }
  assert.throws(
    () => decode(sourceOf(bytes, call.refs), options),
    (error: Error) => error instanceof SerializationError,
  )
  assert.throws(() => decodeArgs(sourceOf(good, encoded.refs), [], options), /no arguments/)
})

test('messages say what is wrong', () => {
  const patched = (at: number, value: number): string => {
    const bytes = good.slice()
    new DataView(bytes.buffer).setUint32(at, value, true)
    return thrownBy(() => decode(sourceOf(bytes, encoded.refs), options)).message
  }
  assert.match(patched(0, 0), /no magic number/)
  assert.match(patched(4, 2), /version 2 of the object format, this package reads 1/)
  assert.match(patched(8, 2 ** 31), /bytes of 2147483648/)
  assert.match(patched(12, 1), /bytes of/)
  assert.match(patched(16, 2 ** 31), /header that contradicts itself/)
  assert.match(patched(40, 0), /unknown tag 0/)
  assert.match(thrownBy(() => decode(sourceOf(good, []), options)).message, /0 refs of 2/)
  assert.match(thrownBy(() => decode(sourceOf(new Uint8Array(10), []), options)).message, /10 bytes, fewer than a header/)
  const longer = new Uint8Array(good.length + 10)
  longer.set(good)
  assert.ok(survives(longer, false), 'bytes behind the value are not its business')
})

test('two buffers in one place, and words behind the value, are refused', () => {
  const bytes = bytesOf(encode([new Uint8Array(500), new Uint8Array(500)], 'value')).slice()
  const view = new DataView(bytes.buffer)
  const table = view.getUint32(24, true)
  view.setUint32(table + 24, view.getUint32(table, true), true)
  assert.match(thrownBy(() => decode(sourceOf(bytes, []), options)).message, /a buffer outside the bytes/)
  const plain = bytesOf(encode(5, 'value'))
  const longer = new Uint8Array(plain.length + 4)
  longer.set(plain)
  longer.set(plain.subarray(40), 44)
  const header = new DataView(longer.buffer)
  header.setUint32(8, longer.length, true)
  header.setUint32(16, 8, true)
  assert.match(thrownBy(() => decode(sourceOf(longer, []), options)).message, /something behind the value/)
})

test('a resizable buffer that could never be had is refused before it is asked for', () => {
  const Resizable = ArrayBuffer as unknown as new (byteLength: number, options: { maxByteLength: number }) => ArrayBuffer
  const bytes = bytesOf(encode(new Resizable(10, { maxByteLength: 100 }), 'value')).slice()
  const view = new DataView(bytes.buffer)
  view.setUint32(view.getUint32(24, true) + 20, 2 ** 19, true)
  assert.match(thrownBy(() => decode(sourceOf(bytes, []), options)).message, /a buffer that may grow beyond all memory/)
})

class Below {
  readonly n = 1
}
class Index extends Map<string, unknown> {}
for (const Class of [Below, Index]) registerClass(`damage#${Class.name}`, Class)

test('a class that is named for a value of another kind is refused', () => {
  for (const [value, from, to] of [
    [new Below(), 'Below', 'Index'],
    [new Index(), 'Index', 'Below'],
  ] as const) {
    const bytes = bytesOf(encode(value, 'value'))
    const at = Buffer.from(bytes).indexOf(from)
    assert.ok(at > 0)
    Buffer.from(bytes.buffer, bytes.byteOffset).write(to, at)
    const error = thrownBy(() => decode(sourceOf(bytes, []), { alias: false }))
    assert.instance(error, SerializationError)
    assert.match(error.message, /damaged bytes: an instance of another kind than its class/)
  }
})

test('levels without end are an error, not a crash', () => {
  const bytes = new Uint8Array(40 + 8 * 1_000_000)
  bytes.set(good.subarray(0, 40))
  const view = new DataView(bytes.buffer)
  view.setUint32(8, bytes.length, true)
  view.setUint32(16, 8 * 1_000_000, true)
  view.setUint32(20, 0, true)
  view.setUint32(28, 0, true)
  view.setUint32(32, 0, true)
  for (let at = 40; at < bytes.length; at += 8) {
    view.setUint32(at, 15, true)
    view.setUint32(at + 4, 1, true)
  }
  assert.throws(
    () => decode(sourceOf(bytes, []), options),
    (error: Error) => error instanceof SerializationError && /stack/.test(error.message),
  )
})

test.run()
