/** Reads the examples in the appendix of docs/object-format.md: what each value's stream, text and buffers are, byte by byte. */

import { readFileSync } from 'node:fs'
import * as arrow from 'apache-arrow'
import { addCodec, registerClass } from '../../src/codec/codec.ts'
import { TAG } from '../../src/codec/layout.ts'
import { taskError } from '../../src/errors/task-error.ts'
import '../../src/functions/ship.ts'
import type { ObjectRef } from '../../src/refs/object-ref.ts'
import { refNumber } from './codec.ts'

export interface FormatExample {
  readonly tag: number
  /** JavaScript that makes the value. */
  readonly source: string
  readonly value: unknown
  readonly refs: readonly ObjectRef[]
  /** The whole encoded value, with the header that fits. */
  readonly bytes: Uint8Array
}

/** What the examples are written with. */
export const exampleRef = refNumber(1)
const withStack = (error: Error, stack: string): Error => Object.defineProperty(error, 'stack', { value: stack, writable: true, configurable: true })
class Point {
  x = 1
}
registerClass('a#P', Point)
class Coded {}
addCodec({ key: 'a#C', Class: Coded, encode: () => 7, decode: () => new Coded() })
const scope = { ref: exampleRef, withStack, taskError, Table: arrow.Table, Point, Coded }

export const formatExamples = (): FormatExample[] => {
  const document = readFileSync(new URL('../../docs/object-format.md', import.meta.url), 'utf8')
  const block = (document.split('## Examples')[1] ?? '').split('```')[1] ?? ''
  return block
    .trim()
    .split('\n')
    .map((line) => exampleOf(line))
}

const exampleOf = (line: string): FormatExample => {
  const [head = '', stream = '', text = '', ...buffers] = line.split('|').map((part) => part.trim())
  const [, tag = '', source = ''] = /^(\d+) +(.*)$/.exec(head) ?? []
  const refs = Number(tag) === TAG.ref ? [exampleRef] : []
  const make = new Function(...Object.keys(scope), `return (${source})`) as (...values: unknown[]) => unknown
  return {
    tag: Number(tag),
    source,
    value: make(...Object.values(scope)),
    refs,
    bytes: together({
      stream: hex(stream),
      text: hex(text.replace('wide ', '')),
      wide: text.startsWith('wide '),
      refs: refs.length,
      buffers: buffers.map(bufferOf),
    }),
  }
}

/** `00 * 129` is a byte so many times. */
const hex = (text: string): Uint8Array => {
  const [, byte, count] = /^(\w\w) \* (\d+)$/.exec(text) ?? []
  return count === undefined ? Buffer.from(text.replaceAll(' ', ''), 'hex') : Buffer.alloc(Number(count), Number.parseInt(byte ?? '', 16))
}

/** `own 01: ` before the bytes where a buffer is itself in the value. */
const bufferOf = (text: string): { own: number; bytes: Uint8Array } => {
  const [, own, bytes = text] = /^own (\d+): (.*)$/.exec(text) ?? []
  return { own: Number(own ?? 0), bytes: hex(bytes) }
}

interface Content {
  readonly stream: Uint8Array
  readonly text: Uint8Array
  readonly wide: boolean
  readonly refs: number
  readonly buffers: readonly { readonly own: number; readonly bytes: Uint8Array }[]
}

/** As the document draws it. */
const together = ({ stream, text, wide, refs, buffers }: Content): Uint8Array => {
  const table = Math.ceil((40 + stream.length + text.length) / 8) * 8
  const entries = buffers.map(({ own, bytes }) => ({ own, bytes, at: 0 }))
  let end = buffers.length === 0 ? 40 + stream.length + text.length : table + buffers.length * 24
  for (const entry of entries) {
    entry.at = Math.ceil(end / 64) * 64
    end = entry.at + entry.bytes.length
  }
  const whole = Buffer.alloc(end)
  whole.write('MOBV')
  whole.writeUInt16LE(1, 4)
  whole.writeUInt16LE(wide ? 1 : 0, 6)
  whole.writeUInt32LE(end, 8)
  whole.writeUInt32LE(stream.length, 16)
  whole.writeUInt32LE(text.length, 20)
  whole.writeUInt32LE(buffers.length === 0 ? 0 : table, 24)
  whole.writeUInt32LE(buffers.length, 28)
  whole.writeUInt32LE(refs, 32)
  whole.set(stream, 40)
  whole.set(text, 40 + stream.length)
  for (const [index, { own, bytes, at }] of entries.entries()) {
    whole.writeUInt32LE(at, table + index * 24)
    whole.writeUInt32LE(bytes.length, table + index * 24 + 8)
    whole.writeUInt32LE(own, table + index * 24 + 16)
    whole.set(bytes, at)
  }
  return whole
}
