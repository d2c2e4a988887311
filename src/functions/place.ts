/** Where code stands, as a person would look it up: the file that was written, not what a compiler made of it. */

import { findSourceMap, SourceMap } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `src/app.ts:10:3`; empty where there is no file. Line and column from 0. */
export const placeText = (url: string, line: number, column: number): string => {
  if (!url.startsWith('file:')) return ''
  const mapped = originalPlace(url, line, column)
  return mapped === undefined ? `${shortPath(url)}:${line + 1}:${column + 1}` : `${shortPath(mapped.url)}:${mapped.line + 1}:${mapped.column + 1}`
}

export interface SourcePlace {
  readonly url: string
  readonly line: number
  readonly column: number
}

/** The place in the source that a place in a loaded file was compiled from, if this thread has its source map. */
export const originalPlace = (url: string, line: number, column: number): SourcePlace | undefined => {
  const entry = (findSourceMap(url) ?? notedMap(url))?.findEntry(line, column)
  if (entry === undefined || !('originalSource' in entry) || entry.originalSource === undefined) return undefined
  return { url: new URL(entry.originalSource, url).href, line: entry.originalLine, column: entry.originalColumn }
}

/** Maps that Node does not keep, by file, as their texts hold them until somebody asks. */
const maps = new Map<string, string | SourceMap>()

const INLINE = /^\/\/[#@] sourceMappingURL=data:application\/json;(?:charset=[\w-]+;)?base64,([\w+/=]+)$/gm

/** Keeps the source map that a text ends with, for files that Node did not load. */
export const noteMap = (url: string, text: string): void => {
  const [, encoded] = [...text.matchAll(INLINE)].at(-1) ?? []
  if (encoded !== undefined) maps.set(withoutQuery(url), encoded)
}

const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '')

const notedMap = (url: string): SourceMap | undefined => {
  const key = withoutQuery(url)
  const noted = maps.get(key)
  if (typeof noted !== 'string') return noted
  const map = new SourceMap(JSON.parse(Buffer.from(noted, 'base64').toString()) as ConstructorParameters<typeof SourceMap>[0])
  maps.set(key, map)
  return map
}

/** A file's path; other URLs as they are. */
export const pathOf = (url: string): string => (url.startsWith('file:') ? fileURLToPath(new URL(url)) : url)

const shortPath = (url: string): string => {
  try {
    const path = pathOf(url)
    const short = relative(process.cwd(), path)
    return short === '' || short.startsWith('..') ? path : short
  } catch {
    return url
  }
}
