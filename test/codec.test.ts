/** Values come back as what they were: primitives, plain data, collections, shared structure, and the frame around them. */

import { deepStrictEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import vm from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, decodeArgs, encode, encodeArgs, regionOf, sourceOf } from '../src/codec/codec.ts'
import { bytesOf, refNumber, seeded, thrownBy, trip, writeInto } from './support/codec.ts'

const same = (value: unknown): void => {
  deepStrictEqual(trip(value), value)
  deepStrictEqual(trip(value, { alias: true }), value)
}

test('numbers keep their value, sign and kind', () => {
  const edges = [
    0,
    1,
    -1,
    2 ** 23 - 1,
    2 ** 23,
    -(2 ** 23),
    -(2 ** 23) - 1,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 53,
    1e308,
    5e-324,
    0.1,
  ]
  for (const edge of [...edges, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.ok(Object.is(trip(edge), edge), String(edge))
    assert.ok(Object.is((trip([edge]) as number[])[0], edge), `[${edge}]`)
  }
})

test('the payload of a NaN survives in a typed array', () => {
  const bits = new BigUint64Array([0x7ff8_dead_beef_0001n, 0xfff0_0000_0000_0001n])
  deepStrictEqual(new BigUint64Array((trip(new Float64Array(bits.buffer)) as Float64Array).buffer as ArrayBuffer), bits)
})

test('keys that an object inherits are not its own, whatever was encoded before', () => {
  const inherited = { x: 'inherited' }
  const prototype = Object.prototype as { x?: string }
  try {
    Object.assign(prototype, inherited)
    for (let k = 0; k < 20; k++) {
      assert.equal(Object.entries(trip({ a: 1, x: 2 }) as object), [
        ['a', 1],
        ['x', 2],
      ])
      assert.equal(Object.entries(trip({ a: 1 }) as object), [['a', 1]])
      assert.equal(Object.entries(trip({}) as object), [])
    }
  } finally {
    delete prototype.x
  }
})

test('BigInts of any size and sign', () => {
  for (const size of [0n, 1n, 31n, 32n, 33n, 63n, 64n, 65n, 127n, 128n, 4096n]) {
    for (const near of [-1n, 0n, 1n]) for (const sign of [1n, -1n]) assert.is(trip(sign * (2n ** size + near)), sign * (2n ** size + near))
  }
})

test('strings keep every code unit, lone surrogates too', () => {
  for (const text of [
    '',
    'a',
    'é',
    '\ud800x\udc00',
    '日本',
    'emoji 🙂',
    '\0',
    'x'.repeat(2_047),
    'x'.repeat(2_048),
    'x'.repeat(2_049),
    `${'y'.repeat(5_000)}€`,
  ]) {
    assert.is(trip(text), text)
    deepStrictEqual(trip({ text, list: [text, 'plain', text] }), { text, list: [text, 'plain', text] })
  }
})

test('many strings, longer together than the pieces they are cut from', () => {
  const random = seeded(7)
  const list = Array.from({ length: 3_000 }, (_, index) => `${index}${'é'.repeat(Math.floor(random() * 40))}`)
  same(list)
  same([...list, '€'])
})

test('much narrow text, and one wide character before, amid and behind it', () => {
  const list = Array.from({ length: 20_000 }, (_, index) => `${index} of many é`)
  same(list)
  for (const at of [0, 5_000, 20_000]) same(list.toSpliced(at, 0, '€'))
})

test('long strings in one value keep apart, whatever their lengths', () => {
  same(Array.from({ length: 40 }, (_, index) => `${index}${index % 3 === 0 ? 'ж' : 'z'}`.repeat(1_100 * (1 + (index % 9) * 12))))
  same(['a'.repeat(3_000), 'b'.repeat(3_000_000), 'c'.repeat(3_000)])
})

test('a string of 300 MB in one byte a unit', () => {
  const text = 'z'.repeat(300_000_000)
  const encoded = encode(text, 'value')
  assert.ok(encoded.byteLength < 300_001_000)
  const back = decode(sourceOf(bytesOf(encoded), []), { alias: false }) as string
  assert.is(back.length, text.length)
  assert.ok(back === text)
})

test('plain objects: order of keys, empty keys, keys that look dangerous', () => {
  same({})
  same({ b: 1, a: 2 })
  assert.equal(Object.keys(trip({ b: 1, 2: 0, a: 2 }) as object), ['2', 'b', 'a'])
  same({ '': 1 })
  same({ 'a\0b': 1, a: 2 })
  // biome-ignore lint/suspicious/noThenProperty: a value with `then` is one more value.
  same({ constructor: 1, toString: 'x', hasOwnProperty: null, then: 5, valueOf: [] })
  same({ clé: 1, 鍵: 2 })
  const proto = JSON.parse('{"__proto__":{"x":1},"a":2}') as object
  for (let round = 0; round < 20; round++) {
    const back = trip([proto, proto, { ...proto }]) as object[]
    deepStrictEqual(back, [proto, proto, { ...proto }])
    assert.is(Object.getPrototypeOf(back[0]), Object.prototype)
    assert.is(({} as { x?: number }).x, undefined)
  }
})

test('objects of one shape, often enough to be compiled, with other shapes between', () => {
  for (let round = 0; round < 50; round++) {
    same(Array.from({ length: 20 }, (_, index) => (index % 3 === 0 ? { id: index, name: `n${index}`, nested: { a: index / 2 } } : { id: index, tag: null })))
  }
})

test('dictionaries: many keys, many shapes', () => {
  same(Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`key ${index}`, index])))
  same(Array.from({ length: 5_000 }, (_, index) => ({ [`k${index}`]: index })))
  same(Array.from({ length: 200 }, (_, index) => ({ same: 1, [`k${index}`]: index })))
  same({ ['k'.repeat(5_000)]: 1, other: 2 })
})

test('objects without prototype stay so', () => {
  same(Object.assign(Object.create(null), { a: 1, b: { c: 2 } }))
  assert.is(Object.getPrototypeOf(trip(Object.create(null))), null)
})

test('arrays: packed numbers that stop being that at any place', () => {
  const kinds = [1, 2.5, 'x', undefined, null, -0, 2 ** 31, { a: 1 }, Number.NaN, 3n]
  for (let at = 0; at < 8; at++) {
    for (const first of kinds) {
      for (const second of kinds) {
        const array: unknown[] = [1, 2, 3, 4, 5, 6, 7, 8]
        array[at] = first
        array[7] = second
        deepStrictEqual(trip(array), array)
      }
    }
  }
  same(Array.from({ length: 10_000 }, (_, index) => index * 1.5))
  same(Array.from({ length: 10_000 }, (_, index) => index))
})

test('holes are holes, also billions of them', () => {
  // biome-ignore lint/suspicious/noSparseArray: holes are the point.
  const small = [, 1, , undefined, 2, 3.5, ,]
  same(small)
  const back = trip(small) as unknown[]
  assert.not(0 in back)
  assert.ok(3 in back)
  assert.is(back.length, 7)
  // biome-ignore lint/suspicious/noSparseArray: holes are the point.
  same([1, 2, 3, 4, , 6])
  same(new Array(3_000))
  const far: unknown[] = []
  far[4_000_000_000] = 'here'
  same(far)
  far[2 ** 32 - 2] = 'last'
  far[70] = 'near'
  same(far)
  const empty: unknown[] = []
  empty.length = 2 ** 32 - 1
  assert.is((trip(empty) as unknown[]).length, 2 ** 32 - 1)
  assert.equal(Object.keys(trip(empty) as unknown[]), [])
})

test('further properties of arrays and collections travel', () => {
  same(Object.assign([1, 2], { name: 'x', '-1': 0, '01': 1 }))
  same(
    Object.assign(
      Array.from({ length: 2_000 }, (_, index) => index),
      { name: 'x' },
    ),
  )
  same(/b/.exec('abc'))
  same(Object.assign(new Map([[1, 2]]), { label: { a: 1 } }))
  same(Object.assign(new Date(5), { label: 'day' }))
  same(Object.assign(Object('abc') as object, { label: 1 }))
})

test('Map and Set keep order and the sameness of their keys', () => {
  const key = { k: 1 }
  same(
    new Map<unknown, unknown>([
      [Number.NaN, 1],
      [0, 2],
      ['', 3],
      [key, key],
      [undefined, null],
      [1n, 'b'],
    ]),
  )
  same(new Set<unknown>([1, '1', Number.NaN, undefined, [1]]))
  const back = trip(new Map([[key, key]])) as Map<object, object>
  const [[first, second]] = [...back] as [[object, object]]
  assert.is(first, second)
  assert.equal(
    [
      ...(
        trip(
          new Map([
            ['b', 1],
            ['a', 2],
          ]),
        ) as Map<string, number>
      ).keys(),
    ],
    ['b', 'a'],
  )
})

test('Date, RegExp and boxed primitives', () => {
  for (const time of [0, -1, 8.64e15, -8.64e15, Number.NaN, 1.7e12]) assert.ok(Object.is((trip(new Date(time)) as Date).getTime(), new Date(time).getTime()))
  const regexp = /a\/(?<b>[\n"])/dgimsuy
  regexp.lastIndex = 7
  const back = trip(regexp) as RegExp
  assert.is(back.source, regexp.source)
  assert.is(back.flags, regexp.flags)
  assert.is(back.lastIndex, 7)
  same([Object(1), Object(-0), Object('text'), Object(true), Object(5n)])
})

test('URL, URLSearchParams and Headers come back as such', () => {
  const url = trip(new URL('https://user@example.com:81/päth?a=1&a=2#h')) as URL
  assert.instance(url, URL)
  assert.is(url.href, 'https://user@example.com:81/p%C3%A4th?a=1&a=2#h')
  const params = trip(
    new URLSearchParams([
      ['a', '1'],
      ['a', 'é&='],
      ['', ''],
    ]),
  ) as URLSearchParams
  assert.instance(params, URLSearchParams)
  assert.equal(
    [...params],
    [
      ['a', '1'],
      ['a', 'é&='],
      ['', ''],
    ],
  )
  const headers = new Headers([
    ['x-a', '1'],
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ])
  const back = trip(headers) as Headers
  assert.instance(back, Headers)
  assert.equal([...back], [...headers])
  assert.equal(back.getSetCookie(), ['a=1', 'b=2'])
})

test('shared and circular structure is kept', () => {
  const list: unknown[] = []
  list.push(list)
  const back = trip(list) as unknown[]
  assert.is(back[0], back)
  const left: Record<string, unknown> = { name: 'left' }
  const right: Record<string, unknown> = { name: 'right', left }
  left['right'] = right
  left['self'] = left
  left['map'] = new Map<unknown, unknown>([
    [left, right],
    ['set', new Set([left])],
  ])
  for (let round = 0; round < 20; round++) {
    const copy = trip(left) as { right: { left: unknown }; self: unknown; map: Map<unknown, unknown> }
    assert.is(copy.self, copy)
    assert.is(copy.right.left, copy)
    assert.is(copy.map.get(copy), copy.right)
    assert.ok((copy.map.get('set') as Set<unknown>).has(copy))
  }
  for (const one of [
    new Date(1),
    /x/,
    Object(1) as object,
    new Map(),
    [1, 2, 3, 4, 5],
    [1.5, 2, 3, 4],
    new URL('http://a.b/'),
    new Error('e'),
    new Uint8Array(3),
    new ArrayBuffer(4),
  ]) {
    const [first, second] = trip([one, one]) as unknown[]
    assert.is(first, second, String(one))
  }
})

test('one object met again among thousands, of plain data and of other kinds', () => {
  for (const count of [14, 15, 16, 17, 18, 5_000]) {
    for (const shared of [{ a: 1 }, [1], new Map([[1, 2]]), new Date(5), new Error('x'), Object.assign(new Set([1]), { own: 1 })]) {
      for (const at of [0, 1, count - 1]) {
        const list: unknown[] = Array.from({ length: count }, (_, index) => ({ index, of: [index] }))
        list[at] = shared
        const back = trip([...list, null, shared, { shared }, list[0]], { alias: true }) as unknown[]
        assert.is(back[count + 1], back[at])
        assert.is((back[count + 2] as { shared: unknown }).shared, back[at])
        assert.is(back[count + 3], back[0])
        deepStrictEqual(back.slice(0, count), list)
      }
    }
  }
})

test('bytes are read wherever they begin', () => {
  const value = { text: ['a', 'é'], numbers: [1.5, 2.5, 3.5], ints: [1, 2, 3, 4], view: new Uint8Array(200).fill(3), small: new Int16Array([1, 2]) }
  const encoded = encode(value, 'value')
  for (let shift = 0; shift < 16; shift++) {
    const bytes = new Uint8Array(encoded.byteLength + 32).subarray(shift)
    writeInto(encoded, bytes)
    for (const alias of [false, true]) deepStrictEqual(decode(sourceOf(bytes, []), { alias }), value)
  }
})

test('a random graph of hundreds of objects keeps its shape', () => {
  const random = seeded(42)
  const nodes: { id: number; to: unknown[]; by: Map<number, unknown> }[] = Array.from({ length: 300 }, (_, id) => ({ id, to: [], by: new Map() }))
  for (const node of nodes) {
    for (let edge = 0; edge < 3; edge++) node.to.push(nodes[Math.floor(random() * nodes.length)])
    node.by.set(node.id, nodes[Math.floor(random() * nodes.length)])
  }
  const back = trip(nodes) as typeof nodes
  // Node's deepStrictEqual takes exponential time for such graphs; ids say as much.
  const ids = (graph: typeof nodes): unknown =>
    graph.map(({ id, to, by }) => [id, to.map((node) => graph.indexOf(node as never)), [...by].map(([key, node]) => [key, graph.indexOf(node as never)])])
  assert.equal(ids(back), ids(nodes))
  assert.ok(back.every((node) => node.to.every((other) => back.includes(other as never))))
})

test('a getter runs once, and toJSON not at all', () => {
  let count = 0
  const value = {
    get a() {
      return ++count
    },
    toJSON: undefined,
  }
  assert.equal(trip(value), { a: 1, toJSON: undefined })
  assert.is(count, 1)
  const numbers: number[] = [1, 2, 3]
  Object.defineProperty(numbers, 3, { enumerable: true, get: () => (++count > 1 ? 'text' : 0) })
  assert.equal(trip(numbers), [1, 2, 3, 'text'])
  assert.is(count, 2)
})

test('a getter that encodes does not spoil the value around it', () => {
  const inner = { a: 1, b: 'inner' }
  const value = {
    before: { a: 2, b: 'before' },
    get encoded() {
      return trip({ ...inner })
    },
    after: { a: 3, b: 'after' },
  }
  for (let round = 0; round < 20; round++) {
    assert.equal(trip(value), { before: { a: 2, b: 'before' }, encoded: inner, after: { a: 3, b: 'after' } })
  }
})

test('plain data of another realm', () => {
  const foreign = vm.runInNewContext(
    '({ list: [1, { a: "x" }], map: new Map([[1, new Date(5)]]), bytes: new Uint8Array([1, 2]), error: new RangeError("far") })',
  ) as unknown
  const back = trip(foreign) as { list: unknown[]; map: Map<number, Date>; bytes: Uint8Array; error: Error }
  assert.equal(back.list, [1, { a: 'x' }])
  assert.is(back.map.get(1)?.getTime(), 5)
  assert.instance(back.bytes, Uint8Array)
  assert.instance(back.error, RangeError)
})

test('refs lie in a table outside the bytes, and come back as those given', () => {
  const [one, two] = [refNumber(1), refNumber(2)]
  const encoded = encode({ list: [one, two, one], map: new Map([[two, one]]) }, 'value')
  assert.equal(encoded.refs.length, 2)
  assert.is(encoded.refs[0], one)
  const [first, second] = [refNumber(11), refNumber(12)]
  const back = decode(sourceOf(bytesOf(encoded), [first, second]), { alias: false }) as { list: unknown[]; map: Map<unknown, unknown> }
  assert.is(back.list[0], first)
  assert.is(back.list[1], second)
  assert.is(back.list[2], first)
  assert.is(back.map.get(second), first)
  const many = Array.from({ length: 10_000 }, (_, index) => refNumber(index))
  const all = encode(many, 'value')
  assert.is(all.refs.length, 10_000)
  assert.ok((decode(sourceOf(bytesOf(all), all.refs), { alias: false }) as unknown[]).every((ref, index) => ref === many[index]))
})

test('a ref that is an argument itself becomes a dependency, a deeper one stays a ref', () => {
  const [one, two] = [refNumber(1), refNumber(2)]
  const encoded = encodeArgs([one, { deep: two }, one, two, 5], 'f')
  assert.is(encoded.deps.length, 2)
  assert.is(encoded.deps[1], two)
  assert.equal(encoded.refs.length, 1)
  const args = decodeArgs(sourceOf(bytesOf(encoded), encoded.refs), ['first', 'second'], { alias: false })
  assert.equal([args[0], args[2], args[3], args[4]], ['first', 'first', 'second', 5])
  assert.is((args[1] as { deep: unknown }).deep, two)
  assert.equal(decodeArgs(sourceOf(bytesOf(encodeArgs([], 'f')), []), [], { alias: false }), [])
  assert.match(thrownBy(() => decodeArgs(sourceOf(bytesOf(encodeArgs([one], 'f')), []), [], { alias: false })).message, /dependency that was not given/)
})

test('the same object in two arguments is one object', () => {
  const shared = { a: 1 }
  const args = decodeArgs(sourceOf(bytesOf(encodeArgs([shared, [shared]], 'f')), []), [], { alias: false })
  assert.is((args[1] as unknown[])[0], args[0])
})

test('pieces cover the value: copying them by hand gives what writeTo gives', () => {
  const encoded = encode({ text: 'x'.repeat(3_000), floats: new Float64Array(100).fill(1.5), n: 1 }, 'value')
  const whole = new Uint8Array(encoded.byteLength)
  encoded.writeTo(regionOf(whole), 0)
  const byHand = new Uint8Array(encoded.byteLength)
  for (const piece of encoded.pieces) byHand.set(piece.bytes, piece.at)
  assert.equal(whole, byHand)
  let end = 0
  for (const piece of encoded.pieces) {
    assert.ok(piece.at >= end, 'pieces do not overlap')
    end = piece.at + piece.bytes.length
  }
  assert.ok(end <= encoded.byteLength)
})

test('a value of plain data is one piece, and small', () => {
  const encoded = encode({ id: 12_345, name: 'Some Person', email: 'person@example.com', score: 98.25, active: true, city: 'Ljubljana' }, 'value')
  assert.is(encoded.pieces.length, 1)
  assert.ok(encoded.byteLength <= 160, `${encoded.byteLength} bytes`)
})

test('the example in docs/object-format.md is what the encoder writes', () => {
  const text = readFileSync(new URL('../docs/object-format.md', import.meta.url), 'utf8')
  const example = (text.split("`{ id: 7, name: 'Ada' }`:\n```\n")[1] ?? '').split('```')[0] ?? ''
  const bytes = [...example.matchAll(/^((?:[0-9a-f]{2} )+) {2}((?:[0-9a-f]{2} )*)/gm)].flatMap((line) => `${line[1]}${line[2]}`.trim().split(/ +/))
  const encoded = encode({ id: 7, name: 'Ada' }, 'value')
  assert.is(Buffer.from(bytesOf(encoded)).toString('hex'), bytes.join(''))
})

test('works where code generation from strings is forbidden', () => {
  const program = `
    import { decode, encode, regionOf, sourceOf } from ${JSON.stringify(new URL('../src/codec/codec.ts', import.meta.url).href)}
    for (let i = 0; i < 50; i++) {
      const e = encode({ a: i, b: [{ c: 'x' }] }, 'v')
      const b = new Uint8Array(e.byteLength)
      e.writeTo(regionOf(b), 0)
      if (JSON.stringify(decode(sourceOf(b, []), { alias: false })) !== JSON.stringify({ a: i, b: [{ c: 'x' }] })) throw new Error('differs')
    }
    try { new Function(''); throw new TypeError('allowed') } catch (e) { if (e instanceof TypeError) throw e }
    console.log('fine')
  `
  const args = ['--import', 'tsx', '--disallow-code-generation-from-strings', '--input-type=module', '--eval', program]
  assert.is(execFileSync(process.execPath, args, { encoding: 'utf8' }), 'fine\n')
})

test.run()
