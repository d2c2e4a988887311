/** Arrow tables, record batches and vectors: the same values, the same classes, over the encoded bytes, every buffer once and aligned. */

import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import * as arrow from 'apache-arrow'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, encode, sourceOf } from '../src/codec/codec.ts'
import { SerializationError } from '../src/errors/errors.ts'
import { bytesOf, thrownBy, trip } from './support/codec.ts'

const numbers = Float64Array.from({ length: 10_000 }, (_, index) => index / 3)

const makeTable = (): arrow.Table =>
  new arrow.Table({
    number: arrow.vectorFromArray(numbers),
    int: arrow.vectorFromArray(Int32Array.from({ length: 10_000 }, (_, index) => index)),
    text: arrow.vectorFromArray(
      Array.from({ length: 10_000 }, (_, index) => (index % 7 === 0 ? null : `text ${index} é€`)),
      new arrow.Utf8(),
    ),
    word: arrow.vectorFromArray(Array.from({ length: 10_000 }, (_, index) => ['red', 'green', 'blue'][index % 3])),
    flag: arrow.vectorFromArray(Array.from({ length: 10_000 }, (_, index) => index % 2 === 0)),
    list: arrow.vectorFromArray(Array.from({ length: 10_000 }, (_, index) => [index, index + 1])),
    big: arrow.vectorFromArray(BigInt64Array.from({ length: 10_000 }, (_, index) => BigInt(index))),
  })

const rows = (table: arrow.Table): unknown => JSON.stringify(table.toArray(), (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

test('a table of many types comes back equal, with its schema and metadata', () => {
  const table = makeTable()
  table.schema.metadata.set('made by', 'a test')
  for (const alias of [false, true]) {
    const back = trip({ table }, { alias }) as { table: arrow.Table }
    assert.instance(back.table, arrow.Table)
    assert.is(back.table.numRows, 10_000)
    assert.is(String(back.table.schema), String(table.schema))
    assert.is(back.table.schema.metadata.get('made by'), 'a test')
    assert.is(rows(back.table), rows(table))
  }
})

test('it is the very stream that tableFromIPC reads', () => {
  const table = makeTable()
  const encoded = encode(table, 'value')
  const piece = encoded.pieces.find(({ at }) => at > 0)
  assert.is(rows(arrow.tableFromIPC(bytesOf(encoded).subarray(piece?.at))), rows(table))
})

test('with alias every buffer lies in the encoded bytes, at a multiple of 64', () => {
  const bytes = bytesOf(encode(makeTable(), 'value'))
  const back = decode(sourceOf(bytes, []), { alias: true }) as arrow.Table
  let checked = 0
  for (const batch of back.batches) {
    for (const column of batch.data.children) {
      for (const buffer of [column.values, column.valueOffsets, column.nullBitmap] as (ArrayBufferView | undefined)[]) {
        if (buffer === undefined || buffer.byteLength === 0) continue
        assert.is(buffer.buffer, bytes.buffer)
        assert.is((buffer.byteOffset - bytes.byteOffset) % 64, 0)
        checked++
      }
    }
  }
  assert.ok(checked >= 7, `${checked} buffers`)
})

test('buffers are handed on as they are, not joined or copied', () => {
  const table = new arrow.Table({ number: arrow.vectorFromArray(numbers) })
  const source = table.batches[0]?.data.children[0]?.values as Float64Array
  const encoded = encode(table, 'value')
  assert.ok(encoded.pieces.some(({ bytes }) => bytes.buffer === source.buffer && bytes.byteLength >= 80_000))
  assert.ok(encoded.byteLength < 82_000, `${encoded.byteLength} bytes`)
})

test('several batches, and slices of tables, keep their rows', () => {
  const table = makeTable()
  const joined = new arrow.Table([...table.batches, ...table.slice(10, 20).batches])
  const back = trip(joined) as arrow.Table
  assert.is(back.batches.length, joined.batches.length)
  assert.is(rows(back), rows(joined))
  assert.is(rows(trip(table.slice(100, 200)) as arrow.Table), rows(table.slice(100, 200)))
})

test('record batches and vectors come back as such', () => {
  const table = makeTable()
  const batch = trip(table.batches[0]) as arrow.RecordBatch
  assert.instance(batch, arrow.RecordBatch)
  assert.is(batch.numRows, 10_000)
  for (const name of ['number', 'text', 'word', 'list']) {
    const vector = table.getChild(name) as arrow.Vector
    const back = trip(vector) as arrow.Vector
    assert.instance(back, arrow.Vector)
    assert.is(String(back.type), String(vector.type))
    assert.equal(JSON.stringify([...back]), JSON.stringify([...vector]))
  }
})

test('empty ones: no rows, no columns', () => {
  const none = trip(arrow.vectorFromArray(new Float64Array(0))) as arrow.Vector
  assert.is(none.length, 0)
  const table = trip(new arrow.Table({ a: arrow.vectorFromArray(new Float64Array(0)) })) as arrow.Table
  assert.is(table.numRows, 0)
  assert.is(table.numCols, 1)
  assert.is((trip(new arrow.Table()) as arrow.Table).numCols, 0)
  const batch = makeTable().slice(0, 0).batches[0]
  if (batch !== undefined) assert.is((trip(batch) as arrow.RecordBatch).numRows, 0)
})

test('the same table twice is one table', () => {
  const table = new arrow.Table({ a: arrow.vectorFromArray([1, 2]) })
  const [first, second] = trip([table, table]) as arrow.Table[]
  assert.is(first, second)
})

test('values of the CommonJS copy of apache-arrow come back in its classes', () => {
  const common = createRequire(import.meta.url)('apache-arrow') as typeof arrow
  const back = trip(new common.Table({ a: common.vectorFromArray(numbers) })) as arrow.Table
  assert.instance(back, common.Table)
  assert.is(back.getChildAt(0)?.get(30), 10)
})

test('types that are made of others, with names, zones and ids in the metadata', () => {
  const field = (name: string, type: arrow.DataType): arrow.Field => new arrow.Field(name, type)
  const pair = new arrow.Struct([field('key', new arrow.Utf8()), field('value', new arrow.Int32())])
  const union = new arrow.DenseUnion([0, 1], [field('i', new arrow.Int32()), field('s', new arrow.Utf8())])
  const typed: readonly (readonly [values: readonly unknown[], type: arrow.DataType])[] = [
    [[{ key: 'x', value: 1 }, null], pair],
    [[new Map([['a', 1]])], new arrow.Map_(field('entries', pair) as never)],
    [
      [
        [1, 2],
        [3, 4],
      ],
      new arrow.FixedSizeList(2, field('item', new arrow.Int32())),
    ],
    [[new Array(1_000).fill(null), [null]], new arrow.List(field('item', new arrow.Null()))],
    [[['a'], ['b', 'a']], new arrow.List(field('item', new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32())))],
    [[1, 2], new arrow.TimestampMillisecond('Europe/Berlin')],
    [['a', 'b'], new arrow.LargeUtf8()],
    [new Array(100_000).fill(null), new arrow.Null()],
  ]
  const members = [arrow.vectorFromArray([1], new arrow.Int32()), arrow.vectorFromArray(['x'], new arrow.Utf8())].flatMap(
    ({ data }) => data as readonly arrow.Data[],
  )
  const ids = { typeIds: Int8Array.of(0, 1), valueOffsets: Int32Array.of(0, 0) }
  const vectors = [
    ...typed.map(([values, type]) => arrow.vectorFromArray(values as never, type as never) as arrow.Vector),
    new arrow.Vector([arrow.makeData({ type: union, length: 2, ...ids, children: members } as never)]),
  ]
  const text = (value: arrow.Vector): string => `${value.type} ${JSON.stringify([...value], (_, one: unknown) => (one instanceof Map ? [...one] : one))}`
  for (const vector of vectors) {
    assert.is(text(trip(vector) as arrow.Vector), text(vector))
    const table = new arrow.Table({ vector, number: arrow.vectorFromArray(Int32Array.of(1)) })
    assert.is(String((trip(table) as arrow.Table).getChild('vector')?.length), String(table.getChild('vector')?.length))
  }
})

test('damaged metadata are an error of ours, or another value; never a loop without end, nor memory without bound', () => {
  const table = new arrow.Table({
    word: arrow.vectorFromArray(['red', null, 'green']),
    list: arrow.vectorFromArray([[1], [2, 3], []], new arrow.List(arrow.Field.new('item', new arrow.Int32()))),
    time: arrow.vectorFromArray([1, 2, 3], new arrow.TimestampMillisecond('UTC')),
  })
  table.schema.metadata.set('key', 'value')
  const good = bytesOf(encode(table, 'value')).slice()
  const outcomes = { decoded: 0, refused: 0 }
  for (let at = 40; at + 4 <= good.length; at += 4) {
    for (const word of [0x7fff_ffff, -1, 0x0fff_fff0, 8, 0x41]) {
      const bytes = good.slice()
      new DataView(bytes.buffer).setInt32(at, word, true)
      try {
        decode(sourceOf(bytes, []), { alias: true })
        outcomes.decoded++
      } catch (error) {
        if (!(error instanceof SerializationError)) throw error
        outcomes.refused++
      }
    }
  }
  assert.ok(outcomes.decoded > 100 && outcomes.refused > 100, JSON.stringify(outcomes))
})

test('a batch that says it is longer than its columns is refused', () => {
  const bytes = bytesOf(encode(arrow.vectorFromArray(Int32Array.of(1, 2, 3)), 'value')).slice()
  const view = new DataView(bytes.buffer)
  // Its only batch has the length three times: of the batch, of its one column, and none anywhere else in 64 bits.
  const lengths = Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) => index * 8).filter((at) => view.getBigInt64(at, true) === 3n)
  assert.ok(lengths.length >= 2, `${lengths.length} places`)
  for (const at of lengths) view.setBigInt64(at, at === lengths[0] ? 2n ** 40n : 3n, true)
  assert.match(thrownBy(() => decode(sourceOf(bytes, []), { alias: false })).message, /an Arrow batch longer than its columns/)
})

const child = (program: string): string =>
  execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    encoding: 'utf8',
    cwd: new URL('..', import.meta.url),
    stdio: ['ignore', 'pipe', 'pipe'],
  })

test('apache-arrow is loaded for Arrow values only, and quietly', () => {
  const codec = JSON.stringify(new URL('../src/codec/codec.ts', import.meta.url).href)
  const before = `
     
    process.on('warning', (warning) => console.log('warning', warning.message))
    const { decode, encode, regionOf, sourceOf } = await import(${codec})
    encode({ a: new Uint8Array(10), map: new Map(), error: new Error('x'), schema: 1 }, 'v')
  `
  // The debugger lists every script that was compiled, whoever loaded it.
  const scripts = `
    const { Session } = await import('node:inspector')
    const scripts = () => {
      const session = new Session()
      const urls = []
      session.connect()
      session.on('Debugger.scriptParsed', ({ params }) => urls.push(params.url))
      session.post('Debugger.enable')
      session.disconnect()
      return urls.some((url) => url.includes('apache-arrow'))
    }
  `
  const arrowValue = `
    console.log(scripts())
    const arrow = await import('apache-arrow')
    console.log(scripts())
    const encoded = encode(new arrow.Table({ a: arrow.vectorFromArray([1, 2, 3]) }), 'v')
    const bytes = new Uint8Array(encoded.byteLength)
    encoded.writeTo(regionOf(bytes), 0)
    const back = decode(sourceOf(bytes, []), { alias: true })
    console.log(back instanceof arrow.Table, back.numRows)
    await new Promise(setImmediate)
  `
  assert.is(child(`${before}; ${scripts}; ${arrowValue}`), 'false\ntrue\ntrue 3\n')
})

test.run()
