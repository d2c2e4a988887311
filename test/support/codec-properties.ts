/** What holds for every value and the codec: checked with a few hundred values each day, and with many more in test/long. */

import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { decode, decodeArgs, type Encoded, encode, encodeArgs, sourceOf } from '../../src/codec/codec.ts'
import { SerializationError } from '../../src/errors/errors.ts'
import { make, type Recipe, recipe } from './arbitrary-value.ts'
import { thrownBy, writeInto } from './codec.ts'
import { difference } from './difference.ts'

export interface Extent {
  /** Values for each property. */
  readonly runs: number
  /** The most objects in a value. */
  readonly nodesMax: number
  /** A failure prints it; the same seed makes the same values. */
  readonly seed: number
}

export interface Property {
  readonly name: string
  /** Throws with seed, path and the smallest recipe found, if the property does not hold. */
  check(extent: Extent): void
}

const property = (name: string, holds: (recipe: Recipe, random: number) => void): Property => ({
  name,
  check: ({ runs, nodesMax, seed }) =>
    fc.assert(
      fc.property(recipe(nodesMax), fc.nat(), (one, random) => holds(one, random)),
      { numRuns: runs, seed },
    ),
})

const alike = (value: unknown, back: unknown): void => {
  const differs = difference(value, back)
  if (differs !== undefined) throw new Error(differs)
}

/**
 * The encoded bytes `shift` bytes behind a multiple of 64, with garbage wherever nothing is written. Never in memory as large as
 * Node's pool: views of that share nothing unless they overlap, however they came there.
 */
const bytesAt = (encoded: Encoded, shift: number): Uint8Array => {
  const size = encoded.byteLength + shift + 8
  const memory = new ArrayBuffer(size === Buffer.poolSize ? size + 8 : size)
  const bytes = new Uint8Array(memory, shift, encoded.byteLength).fill(0xa5)
  writeInto(encoded, bytes)
  return bytes
}

export const properties: readonly Property[] = [
  property('two values of one recipe are alike, and encoding changes neither', (one) => {
    const [value, twin] = [make(one), make(one)]
    alike(value, twin)
    encode(value, 'value')
    alike(value, twin)
  }),

  property('a value equals its round trip, copied or not, wherever its bytes begin', (one, random) => {
    const value = make(one)
    const encoded = encode(value, 'value')
    const { refs } = encoded
    for (const shift of [0, 8, random % 64]) {
      const bytes = bytesAt(encoded, shift)
      for (const alias of [false, true]) alike(value, decode(sourceOf(bytes, refs), { alias }))
    }
  }),

  property('what came back travels again, to the same value', (one) => {
    const value = make(one)
    const first = encode(value, 'value')
    const back = decode(sourceOf(bytesAt(first, 0), first.refs), { alias: true })
    const second = encode(back, 'value')
    alike(value, decode(sourceOf(bytesAt(second, 0), second.refs), { alias: false }))
  }),

  property('a copy has nothing in common with its bytes', (one) => {
    const value = make(one)
    const encoded = encode(value, 'value')
    const bytes = bytesAt(encoded, 0)
    const back = decode(sourceOf(bytes, encoded.refs), { alias: false })
    bytes.fill(0xff)
    alike(value, back)
  }),

  property('arguments are values of one graph', (one) => {
    const value = make(one)
    const encoded = encodeArgs([value, { again: value }, [value]], 'f')
    const deps = [...encoded.deps]
    const args = decodeArgs(sourceOf(bytesAt(encoded, 0), encoded.refs), deps, { alias: true })
    alike([value, { again: value }, [value]], args)
  }),

  property('pieces lie in order and apart, within the length', (one) => {
    const encoded = encode(make(one), 'value')
    let end = 0
    for (const { at, bytes } of encoded.pieces) {
      assert.ok(at >= end)
      end = at + bytes.length
    }
    assert.ok(end <= encoded.byteLength)
  }),

  property('a value with a symbol somewhere is refused, and the path leads to it', (one, random) => {
    const poison = Symbol('poison')
    const nodes = one.nodes.filter(({ kind }) => kind === 'record' || kind === 'bare' || kind === 'array')
    const hosts = nodes.map((node, index) =>
      node.kind === 'array'
        ? { ...node, slots: [...node.slots, index === random % nodes.length ? { is: poison } : index + 1] }
        : {
            ...node,
            fields: [
              ...(node.kind === 'record' || node.kind === 'bare' ? node.fields : []),
              ['last', index === random % nodes.length ? { is: poison } : index + 1] as const,
            ],
          },
    )
    const value = make({ ...one, nodes: hosts, alone: poison })
    const error = thrownBy(() => encode(value, 'value'))
    assert.instance(error, SerializationError)
    const path = error.message.split(' is a symbol')[0] as string
    // A key of more than 60 units is cut off in the message.
    if (!path.includes('…')) assert.is(new Function('value', `return ${path}`)(value), poison, path)
    const fine = make(one)
    const encoded = encode(fine, 'value')
    alike(fine, decode(sourceOf(bytesAt(encoded, 0), encoded.refs), { alias: false }))
  }),
]
