/** Ways to turn a value into bytes and back, each at the fastest settings that keep what its name says. */

import { deserialize, serialize } from 'node:v8'
import { Encoder } from 'cbor-x'
import { Packr } from 'msgpackr'
import { decode, encode, regionOf, sourceOf } from '../../src/codec/codec.ts'

export interface Codec {
  readonly who: string
  /** To what `decode` takes: bytes, but a string for JSON. They may be overwritten by the next call. */
  readonly encode: (value: unknown) => unknown
  readonly decode: (encoded: unknown) => unknown
}

const NO_REFS = Object.freeze([])
const STAYS = { alias: true }

/** Memory that was touched before, as the store hands it out again. */
let target: Uint8Array = new Uint8Array(1 << 16)

/** As `put` does it: planned, then copied once to where the value is kept. Views are made where the bytes lie. */
export const mobula: Codec = {
  who: 'mobula',
  encode: (value) => {
    const encoded = encode(value, 'value')
    if (encoded.byteLength > target.length) target = new Uint8Array(encoded.byteLength).fill(1)
    encoded.writeTo(regionOf(target), 0)
    return target
  },
  decode: (bytes) => decode(sourceOf(bytes as Uint8Array, NO_REFS), STAYS),
}

/** Loses undefined, NaN, -0, holes, Date, Map, Set, BigInt, binary data, cycles, and that two references are one object. */
export const json: Codec = { who: 'JSON', encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text as string) }

/** Keeps what `structuredClone` keeps. */
export const v8: Codec = { who: 'v8.serialize', encode: serialize, decode: (bytes) => deserialize(bytes as Buffer) }

const engine = (who: string, { encode, decode }: { encode: (value: unknown) => Uint8Array; decode: (bytes: Uint8Array) => unknown }): Codec => ({
  who,
  encode,
  decode: (bytes) => decode(bytes as Uint8Array),
})

/** These keep identity, cycles, undefined, Date, Map, Set and typed arrays; not -0, lone surrogates, holes, and views that share memory. */
const packrFull = new Packr({ structuredClone: true, moreTypes: true })
const cborFull = new Encoder({ structuredClone: true })

/** The fastest: no identity, no cycles; and shapes stay in the memory of the one encoder, so that no other can read the bytes. */
const packrFast = new Packr({ structures: [] })
const cborFast = new Encoder({ structures: [] })

/** Those that keep the same things, as near as each comes. */
export const keepers: readonly Codec[] = [
  mobula,
  v8,
  engine('msgpackr, structuredClone', { encode: (value) => packrFull.encode(value), decode: (bytes) => packrFull.decode(bytes) }),
  engine('cbor-x, structuredClone', { encode: (value) => cborFull.encode(value), decode: (bytes) => cborFull.decode(bytes) }),
]

export const codecs: readonly Codec[] = [
  ...keepers,
  json,
  engine('msgpackr, shared structures', { encode: (value) => packrFast.encode(value), decode: (bytes) => packrFast.decode(bytes) }),
  engine('cbor-x, shared structures', { encode: (value) => cborFast.encode(value), decode: (bytes) => cborFast.decode(bytes) }),
]
