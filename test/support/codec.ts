/** The codec's boundary for tests: a value to bytes in memory and back, the way the runtime does it. */

import { type DecodeOptions, decode, type Encoded, encode, regionOf, sourceOf } from '../../src/codec/codec.ts'
import { ObjectRef } from '../../src/refs/object-ref.ts'

/** The encoded bytes, at an address that is a multiple of 64, over what a store gives on newer Nodes. Gaps hold garbage on purpose. */
export const bytesOf = (encoded: Encoded): Uint8Array => {
  const target = new Uint8Array(new SharedArrayBuffer(encoded.byteLength + 64), 64).fill(0xa5)
  encoded.writeTo(regionOf(target), 0)
  return target
}

/** Writes the value into bytes that may begin anywhere. */
export const writeInto = (encoded: Encoded, target: Uint8Array): void => {
  const aligned = new Uint8Array(encoded.byteLength)
  encoded.writeTo(regionOf(aligned), 0)
  target.set(aligned)
}

export const trip = (value: unknown, options: Partial<DecodeOptions> = {}): unknown => {
  const encoded = encode(value, 'value')
  const { refs } = encoded
  return decode(sourceOf(bytesOf(encoded), refs), { alias: false, ...options })
}

/** Made once per test file: refs need no runtime. */
export const refNumber = (serial: number): ObjectRef =>
  new ObjectRef({
    origin: { runtime: 0, high: 1, low: 2 },
    serial,
    slot: serial,
    generation: 0,
    index: 0,
    released: false,
    settled: false,
    uses: 0,
    seenBy: 0,
    group: undefined,
    place: -1,
  })

/** What `act` throws; it is a failure if it does not. */
export const thrownBy = (act: () => unknown): Error & { readonly code?: unknown } => {
  try {
    act()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

/** Numbers that are the same in every run (xorshift). */
export const seeded = (seed: number): (() => number) => {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Every class of typed array that this Node has. */
export const typedArrays: readonly unknown[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  ...[(globalThis as { Float16Array?: unknown }).Float16Array ?? []].flat(),
]
