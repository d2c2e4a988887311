/** Kind: URL, URLSearchParams and Headers. */

import { REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import type { Writer } from '../writer.ts'

export const isUrl = (value: object): value is URL => value instanceof URL && Object.getPrototypeOf(value) === URL.prototype
export const isSearchParams = (value: object): value is URLSearchParams =>
  value instanceof URLSearchParams && Object.getPrototypeOf(value) === URLSearchParams.prototype

/** By name first: merely naming the global `Headers` loads the whole of Node's fetch. */
export const isHeaders = (value: object, name: string): value is Headers => name === 'Headers' && Object.getPrototypeOf(value) === Headers.prototype

export const writeUrl = (writer: Writer, url: URL): void => {
  const { href } = url
  writer.open(url, TAG.url)
  writer.value(href)
}

export const writeSearchParams = (writer: Writer, params: URLSearchParams): void => {
  const text = URLSearchParams.prototype.toString.call(params)
  writer.open(params, TAG.searchParams)
  writer.value(text)
}

export const writeHeaders = (writer: Writer, headers: Headers): void => {
  const pairs = [...headers].flat()
  writer.open(headers, TAG.headers)
  writer.word(pairs.length)
  for (const text of pairs) writer.value(text)
}

const textOf = (reader: Reader): string => {
  const text = reader.value()
  return typeof text === 'string' ? text : reader.damaged('no text where there has to be some')
}

const kept = <T>(reader: Reader, head: number, at: number, value: T): T => {
  if ((head & REFERENCED) !== 0) reader.remember(at, value)
  return value
}

export const readUrl = (reader: Reader, head: number, at: number): URL => kept(reader, head, at, new URL(textOf(reader)))

export const readSearchParams = (reader: Reader, head: number, at: number): URLSearchParams => kept(reader, head, at, new URLSearchParams(textOf(reader)))

export const readHeaders = (reader: Reader, head: number, at: number): Headers => {
  const count = reader.unsigned()
  reader.expectBytes(count * 4)
  const headers = new Headers()
  for (let index = 0; index < count; index += 2) {
    const name = textOf(reader)
    headers.append(name, textOf(reader))
  }
  return kept(reader, head, at, headers)
}
