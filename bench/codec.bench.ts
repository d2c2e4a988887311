/** Measures how fast values become bytes and values again, beside other ways to do it. */

import { deepStrictEqual } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { type Table, tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow'
import { type Codec, codecs, keepers, mobula, v8 } from './compare/codecs.ts'
import { held } from './support/held.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

interface Case {
  readonly bench: string
  readonly unit: 'ns' | 'µs'
  /** So many make a round long enough for the collector to take its usual share. */
  readonly calls: number
  readonly make: () => unknown
}

const MIB = 2 ** 20
const RECORDS = 10_000
const STRINGS = 10_000
const LONG_UNITS = 1_000_000
const ARRAY_BYTES = 64 * MIB
const TABLE_ROWS = 1_000_000
/** New ones in each round: a million after ten. */
const SHAPES = 100_000

/** Six fields, 115 bytes of JSON. */
const person = (k: number): object => ({
  id: 100_000 + k,
  name: `Ada Byron ${k % 10}`,
  email: `ada.${1_000 + (k % 9_000)}@example.org`,
  active: k % 2 === 0,
  score: (k % 90) + 10.5,
  city: 'Kirkby Lodge',
})

const ASCII = 'the quick brown fox jumps over a lazy dog '
const WIDE = 'съешь же ещё этих мягких французских булок 日本語 '
const short = (text: string): string[] => Array.from({ length: STRINGS }, (_, k) => text.slice(k % 16, (k % 16) + 8 + (k % 9)) + k)
/** By way of bytes, so that it is one flat string. */
const long = (text: string): string => Buffer.from(text.repeat(LONG_UNITS / 10).slice(0, LONG_UNITS), 'utf16le').toString('utf16le')

const cases: readonly Case[] = [
  { bench: 'an object of 115 bytes', unit: 'ns', calls: 50_000, make: () => person(7) },
  { bench: '10,000 such objects', unit: 'µs', calls: 15, make: () => Array.from({ length: RECORDS }, (_, k) => person(k)) },
  { bench: '10,000 short ASCII strings', unit: 'µs', calls: 100, make: () => short(ASCII) },
  { bench: '10,000 short strings of other scripts', unit: 'µs', calls: 60, make: () => short(WIDE) },
  { bench: 'an ASCII string of 1 MB', unit: 'µs', calls: 50, make: () => long(ASCII) },
  { bench: 'a string of other scripts of 2 MB', unit: 'µs', calls: 20, make: () => long(WIDE) },
  { bench: '262,144 small integers', unit: 'µs', calls: 15, make: () => Array.from({ length: MIB / 4 }, (_, k) => (k * 7_919) % 1_000) },
  { bench: '131,072 doubles', unit: 'µs', calls: 15, make: () => Array.from({ length: MIB / 8 }, (_, k) => Math.sin(k)) },
]

/** What one call takes. */
const each = (unit: 'ns' | 'µs', calls: number, work: () => unknown): number => {
  const start = performance.now()
  for (let k = 0; k < calls; k++) work()
  return ((performance.now() - start) / calls) * (unit === 'ns' ? 1e6 : 1e3)
}

/** Bytes of its own: those of mobula lie where the next value goes. */
const encodedBy = (codec: Codec, value: unknown): unknown => {
  const encoded = codec.encode(value)
  return codec === mobula ? (encoded as Uint8Array).slice() : encoded
}

const benchesOf = ({ bench, unit, calls, make }: Case): Bench[] => {
  const value = held(make)
  const close = (): void => value.drop()
  const encoding = (codec: Codec): Rival => ({
    who: codec.who,
    open: () => deepStrictEqual(codec.decode(codec.encode(value())), value(), `${codec.who} loses something of ${bench}`),
    run: () => each(unit, calls, () => codec.encode(value())),
    close,
  })
  const decoding = (codec: Codec): Rival => {
    const encoded = held(() => encodedBy(codec, value()))
    return { who: codec.who, run: () => each(unit, calls, () => codec.decode(encoded())), close: () => encoded.drop() }
  }
  const both = ({ who, encode, decode }: Codec): Rival => ({ who, run: () => each(unit, calls, () => decode(encode(value()))), close })
  return [
    { bench: `${bench}: encode`, unit, params: {}, rivals: codecs.map(encoding) },
    { bench: `${bench}: decode`, unit, params: {}, rivals: codecs.map(decoding) },
    {
      bench: `${bench}: both ways`,
      unit,
      params: {},
      rivals: [both(mobula), { who: 'structuredClone', run: () => each(unit, calls, () => structuredClone(value())), close }, both(v8)],
    },
  ]
}

/** Binary data: beside copying its bytes once, to memory that was touched before. */
const arrayBenches = (): Bench[] => {
  const array = held(() => new Float64Array(ARRAY_BYTES / 8).fill(1.5))
  const target = held(() => new Float64Array(ARRAY_BYTES / 8).fill(1))
  const close = (): void => {
    array.drop()
    target.drop()
  }
  const params = { MiB: ARRAY_BYTES / MIB }
  const decoding = (codec: Codec): Rival => {
    const encoded = held(() => encodedBy(codec, array()))
    // These two give out memory that is there; the others copy it.
    const calls = codec === mobula || codec === v8 ? 1_000 : 3
    return { who: codec.who, run: () => each('µs', calls, () => codec.decode(encoded())), close: () => encoded.drop() }
  }
  return [
    {
      bench: 'a Float64Array: encode',
      unit: 'µs',
      params,
      rivals: [
        ...keepers.map((codec) => ({ who: codec.who, run: () => each('µs', 3, () => codec.encode(array())), close })),
        { who: 'memcpy', run: () => each('µs', 3, () => target().set(array())), close },
        { who: 'structuredClone (both ways)', run: () => each('µs', 3, () => structuredClone(array())), close },
      ],
    },
    { bench: 'a Float64Array: decode', unit: 'µs', params, rivals: keepers.map(decoding) },
  ]
}

const tableBenches = (): Bench[] => {
  const column = (step: number): Float64Array => Float64Array.from({ length: TABLE_ROWS }, (_, k) => k * step)
  const table = held((): Table => tableFromArrays({ a: column(1), b: column(2), c: column(3), d: column(4) }))
  const flat = held(() => [new Uint8Array(TABLE_ROWS * 32).fill(1), new Uint8Array(TABLE_ROWS * 32).fill(2)] as const)
  const mobulaBytes = held(() => encodedBy(mobula, table()))
  const ipc = held(() => tableToIPC(table(), 'stream'))
  const close = (): void => {
    for (const one of [table, flat, mobulaBytes, ipc]) one.drop()
  }
  const params = { rows: TABLE_ROWS, columns: 4, MB: (TABLE_ROWS * 32) / 1e6 }
  return [
    {
      bench: 'an Arrow table: encode',
      unit: 'µs',
      params,
      rivals: [
        { who: 'mobula', run: () => each('µs', 5, () => mobula.encode(table())), close },
        { who: 'memcpy', run: () => each('µs', 5, () => flat()[0].set(flat()[1])), close },
        { who: 'tableToIPC', run: () => each('µs', 5, () => tableToIPC(table(), 'stream')), close },
      ],
    },
    {
      bench: 'an Arrow table: decode',
      unit: 'µs',
      params,
      rivals: [
        { who: 'mobula', run: () => each('µs', 100, () => mobula.decode(mobulaBytes())), close },
        { who: 'tableFromIPC', run: () => each('µs', 100, () => tableFromIPC(ipc())), close },
      ],
    },
  ]
}

/** Objects as dictionaries: no shape is met twice. */
const shapeBenches = (): Bench[] => {
  const params = { shapes: SHAPES }
  const strangers = (): object[] => Array.from({ length: 1_000 }, (_, k) => ({ [randomUUID()]: k, name: 'Ada' }))
  const work = (codec: Codec): number => {
    let ms = 0
    for (let done = 0; done < SHAPES; done += 1_000) {
      const objects = strangers()
      const start = performance.now()
      for (const object of objects) codec.decode(codec.encode(object))
      ms += performance.now() - start
    }
    return (ms * 1e6) / SHAPES
  }
  const heap = (): number => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed / MIB
  }
  return [
    { bench: 'objects of as many shapes: both ways, each', unit: 'ns', params, rivals: codecs.map((codec) => ({ who: codec.who, run: () => work(codec) })) },
    {
      bench: 'objects of as many shapes: heap that stays',
      unit: 'MB',
      params,
      rivals: keepers.map((codec) => ({
        who: codec.who,
        run: () => {
          const before = heap()
          work(codec)
          return heap() - before
        },
      })),
    },
  ]
}

export const suite: Suite = {
  question: 'How fast do values become bytes and values again?',
  notEvidenceOf: 'what a task costs: the store, the scheduler and the other thread come on top of it',
  benches: () => [...cases.flatMap(benchesOf), ...arrayBenches(), ...tableBenches(), ...shapeBenches()],
}
