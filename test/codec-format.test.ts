/** docs/object-format.md: its examples are what the encoder writes and the decoder reads, every tag has one, and its numbers are the code's. */

import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, decodeArgs, type Encoded, encode, encodeArgs, regionOf, sourceOf } from '../src/codec/codec.ts'
import { TAG } from '../src/codec/layout.ts'
import { difference } from './support/difference.ts'
import { exampleRef, type FormatExample, formatExamples } from './support/format-examples.ts'

const examples = formatExamples()
const isArgs = ({ tag }: FormatExample): boolean => tag === TAG.dependency || tag === TAG.args

/** With zeros where nothing is written. */
const bytesOf = (encoded: Encoded): Buffer => {
  const bytes = Buffer.alloc(encoded.byteLength)
  encoded.writeTo(regionOf(bytes), 0)
  return bytes
}

for (const example of examples) {
  const { tag, source, value, refs, bytes } = example
  test(`example of tag ${tag}: ${source}`, () => {
    const encoded = isArgs(example) ? encodeArgs(value as unknown[], 'f') : encode(value, 'value')
    assert.is(bytesOf(encoded).toString('hex'), Buffer.from(bytes).toString('hex'))
    const back = isArgs(example) ? decodeArgs(sourceOf(bytes, refs), [exampleRef], { alias: false }) : decode(sourceOf(bytes, refs), { alias: false })
    assert.is(difference(value, back), undefined)
  })
}

test('every tag has an example that has it, and a row of its number', () => {
  const document = readFileSync(new URL('../docs/object-format.md', import.meta.url), 'utf8')
  const rows = [...document.matchAll(/^\| ((?:\d+ ?)+) \|/gm)].flatMap(([, numbers = '']) => numbers.trim().split(' ').map(Number))
  for (const [name, tag] of Object.entries(TAG)) {
    const example = examples.find((one) => one.tag === tag)
    assert.ok(example, `${name} (${tag}) has no example`)
    const stream = example.bytes.subarray(40, 40 + Buffer.from(example.bytes).readUInt32LE(16))
    assert.ok(
      stream.some((byte, at) => at % 4 === 0 && (byte & 0x7f) === tag),
      `${name} (${tag}): its example has no such head`,
    )
    assert.ok(rows.includes(tag), `${name} (${tag}) has no row in the table of tags`)
  }
})

test.run()
