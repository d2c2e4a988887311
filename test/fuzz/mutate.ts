/** Damages encoded values: at random bits, at words of stream and header, at lengths, and by putting parts of two together under a header that fits. */

import { HEADER_BYTES, TABLE_ENTRY_BYTES, TAG } from '../../src/codec/layout.ts'

export type Random = () => number

/** An encoded value taken apart, so that a changed stream still gets a header and a table that fit. */
interface Parts {
  readonly words: readonly number[]
  readonly text: Uint8Array
  readonly wide: number
  readonly refs: number
  readonly buffers: readonly { readonly bytes: Uint8Array; readonly own: number }[]
}

const tagMax = Math.max(...Object.values(TAG))
/** Numbers that lengths, counts and indices go wrong at. */
const edges = [
  0,
  1,
  2,
  3,
  4,
  7,
  8,
  63,
  64,
  65,
  127,
  128,
  129,
  255,
  2_048,
  4_096,
  0xffff,
  0x1_0000,
  0x7f_ffff,
  0xff_ffff,
  2 ** 30,
  2 ** 31 - 1,
  -(2 ** 31),
  -1,
  -2,
  -8,
]

export const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
const below = (random: Random, end: number): number => Math.floor(random() * end)

/** A damaged copy of `one`; `other` may lend a part. */
export const mutate = (random: Random, one: Uint8Array, other: Uint8Array): Uint8Array => {
  let bytes: Uint8Array = one.slice()
  const rounds = random() < 0.6 ? 1 : 2 + below(random, 3)
  for (let round = 0; round < rounds; round++) bytes = pick(random, mutations)(random, bytes, other)
  return bytes
}

type Mutation = (random: Random, bytes: Uint8Array, other: Uint8Array) => Uint8Array

const flipBits: Mutation = (random, bytes) => {
  for (let hits = 1 + below(random, 4); hits > 0 && bytes.length > 0; hits--) {
    const at = below(random, bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8))
  }
  return bytes
}

const setBytes: Mutation = (random, bytes) => {
  for (let hits = 1 + below(random, 4); hits > 0 && bytes.length > 0; hits--) bytes[below(random, bytes.length)] = below(random, 256)
  return bytes
}

/** Words of header, stream and table alike, since that is where lengths are. */
const setWord: Mutation = (random, bytes) => {
  if (bytes.length < 4) return bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = below(random, Math.floor(bytes.length / 4)) * 4
  view.setInt32(at, changed(random, view.getInt32(at, true)), true)
  return bytes
}

const headerWord: Mutation = (random, bytes) => {
  if (bytes.length < HEADER_BYTES) return bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = below(random, HEADER_BYTES / 4) * 4
  view.setInt32(at, changed(random, view.getInt32(at, true)), true)
  return bytes
}

const tableWord: Mutation = (random, bytes) => {
  if (bytes.length < HEADER_BYTES) return bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const [table, count] = [view.getUint32(24, true), view.getUint32(28, true)]
  const at = table + below(random, count * (TABLE_ENTRY_BYTES / 4)) * 4
  if (count === 0 || at % 4 !== 0 || at + 4 > bytes.length) return bytes
  // The same place as another entry is as likely a damage as any other.
  const before = at - TABLE_ENTRY_BYTES
  view.setInt32(at, before >= table && random() < 0.5 ? view.getInt32(before, true) : changed(random, view.getInt32(at, true)), true)
  return bytes
}

const changed = (random: Random, was: number): number => {
  switch (below(random, 6)) {
    case 0:
      return pick(random, edges)
    case 1:
      return was + pick(random, [1, -1, 2, -2, 4, -4, 8, 64])
    case 2:
      return (was & ~0x7f) | (1 + below(random, tagMax))
    case 3:
      return (was & 0xff) | (pick(random, edges) << 8)
    case 4:
      return was ^ 0x80
    default:
      return was ^ (1 << below(random, 32))
  }
}

const cut: Mutation = (random, bytes) => bytes.slice(0, below(random, bytes.length + 1))

/** Applies a change of the stream, and puts everything together again. */
const rebuilt =
  (change: (random: Random, parts: Parts, other: Parts) => Parts): Mutation =>
  (random, bytes, other) => {
    const [parts, lent] = [apart(bytes), apart(other)]
    return parts === undefined || lent === undefined ? setWord(random, bytes, other) : together(change(random, parts, lent))
  }

const deleteWords = rebuilt((random, parts) => {
  const at = below(random, parts.words.length)
  return { ...parts, words: parts.words.toSpliced(at, 1 + below(random, 4)) }
})

const repeatWords = rebuilt((random, parts) => {
  const from = below(random, parts.words.length)
  const piece = parts.words.slice(from, from + 1 + below(random, 8))
  return { ...parts, words: parts.words.toSpliced(below(random, parts.words.length + 1), 0, ...piece) }
})

const setWords = rebuilt((random, parts) => {
  const words = [...parts.words]
  for (let hits = 1 + below(random, 3); hits > 0; hits--) {
    const at = below(random, words.length)
    words[at] = changed(random, words[at] ?? 0)
  }
  return { ...parts, words }
})

const crossOver = rebuilt((random, parts, other) => {
  const head = parts.words.slice(0, below(random, parts.words.length + 1))
  const tail = other.words.slice(below(random, other.words.length + 1))
  return { ...parts, words: [...head, ...tail], text: joined(parts.text, other.text), buffers: random() < 0.5 ? parts.buffers : other.buffers }
})

const insertFrom = rebuilt((random, parts, other) => {
  const from = below(random, other.words.length)
  const piece = other.words.slice(from, from + 1 + below(random, 12))
  return { ...parts, words: parts.words.toSpliced(below(random, parts.words.length + 1), 0, ...piece), text: joined(parts.text, other.text) }
})

/** Heads and small numbers, as if somebody had written them: it goes deeper than damage to a good value does. */
const madeUp = rebuilt((random, parts) => {
  const words = Array.from({ length: 1 + below(random, 60) }, () => {
    if (random() < 0.3) return below(random, 6)
    const payload = random() < 0.7 ? below(random, 4) : pick(random, edges)
    return (1 + below(random, tagMax)) | (random() < 0.2 ? 0x80 : 0) | (payload << 8)
  })
  return { ...parts, words }
})

const otherText = rebuilt((random, parts) => {
  const text = parts.text.slice(0, random() < 0.5 ? parts.text.length : below(random, parts.text.length + 1))
  for (let hits = below(random, 4); hits > 0 && text.length > 0; hits--) text[below(random, text.length)] = below(random, 256)
  return { ...parts, text, wide: random() < 0.3 ? 1 - (parts.wide & 1) : parts.wide }
})

const otherBuffers = rebuilt((random, parts, other) => {
  const buffers = [...parts.buffers, ...other.buffers].map(({ bytes, own }) => ({
    bytes: random() < 0.7 ? bytes : bytes.slice(0, below(random, bytes.length + 1)),
    own: random() < 0.7 ? own : pick(random, [0, 1, 2, 3, 100, 2 ** 40, 2 ** 53 - 1]),
  }))
  return { ...parts, buffers: buffers.slice(below(random, 2)) }
})

/** Inside of a buffer: what it holds may be a format of its own. */
const insideBuffer = rebuilt((random, parts) => {
  const at = below(random, parts.buffers.length)
  const buffers = parts.buffers.map((buffer, index) => {
    if (index !== at) return buffer
    const bytes = buffer.bytes.slice()
    for (let hits = 1 + below(random, 3); hits > 0 && bytes.length >= 4; hits--) {
      const view = new DataView(bytes.buffer)
      // Lengths stand at the beginning of most formats.
      const word = below(random, Math.floor(Math.min(bytes.length, random() < 0.8 ? 600 : bytes.length) / 4)) * 4
      view.setInt32(word, changed(random, view.getInt32(word, true)), true)
    }
    return { ...buffer, bytes }
  })
  return { ...parts, buffers }
})

const mutations: readonly Mutation[] = [
  flipBits,
  setBytes,
  setWord,
  headerWord,
  tableWord,
  cut,
  deleteWords,
  repeatWords,
  setWords,
  setWords,
  setWords,
  crossOver,
  insertFrom,
  madeUp,
  otherText,
  otherBuffers,
  insideBuffer,
]

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array => Buffer.concat([one, other])

/** `undefined` for bytes so damaged that they have no parts. */
const apart = (bytes: Uint8Array): Parts | undefined => {
  if (bytes.length < HEADER_BYTES + 4) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const [streamBytes, textBytes, table, count] = [16, 20, 24, 28].map((at) => view.getUint32(at, true)) as [number, number, number, number]
  const textAt = HEADER_BYTES + streamBytes
  if (streamBytes % 4 !== 0 || textAt + textBytes > bytes.length || count > 1_000 || table + count * TABLE_ENTRY_BYTES > bytes.length) return undefined
  const words = Array.from({ length: streamBytes / 4 }, (_, index) => view.getInt32(HEADER_BYTES + index * 4, true))
  const buffers = Array.from({ length: count }, (_, index) => {
    const [at, length, own] = [0, 8, 16].map((field) => Number(view.getBigUint64(table + index * TABLE_ENTRY_BYTES + field, true))) as [number, number, number]
    return { bytes: bytes.slice(at, at + length), own }
  })
  return { words, text: bytes.slice(textAt, textAt + textBytes), wide: view.getUint16(6, true), refs: view.getUint32(32, true), buffers }
}

const together = ({ words, text, wide, refs, buffers }: Parts): Uint8Array => {
  const textAt = HEADER_BYTES + words.length * 4
  const table = Math.ceil((textAt + text.length) / 8) * 8
  let end = buffers.length === 0 ? textAt + text.length : table + buffers.length * TABLE_ENTRY_BYTES
  const places = buffers.map(({ bytes }) => {
    const at = Math.ceil(end / 64) * 64
    end = at + bytes.length
    return at
  })
  const whole = new Uint8Array(end)
  const view = new DataView(whole.buffer)
  whole.set([0x4d, 0x4f, 0x42, 0x56, 1, 0])
  view.setUint16(6, wide, true)
  for (const [at, field] of [
    [8, end],
    [16, words.length * 4],
    [20, text.length],
    [24, buffers.length === 0 ? 0 : table],
    [28, buffers.length],
    [32, refs],
  ] as const) {
    view.setUint32(at, field, true)
  }
  for (const [index, word] of words.entries()) view.setInt32(HEADER_BYTES + index * 4, word, true)
  whole.set(text, textAt)
  for (const [index, { bytes, own }] of buffers.entries()) {
    const entry = table + index * TABLE_ENTRY_BYTES
    for (const [at, field] of [
      [0, places[index] as number],
      [8, bytes.length],
      [16, own],
    ] as const)
      view.setBigUint64(entry + at, BigInt(field), true)
    whole.set(bytes, places[index] as number)
  }
  return whole
}
