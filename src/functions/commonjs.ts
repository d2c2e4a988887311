/** What CommonJS gives each file by name. Users have variables of these names, too: in ES modules, where the names are free, and in functions. */

import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { viewOf } from './inspector.ts'
import { isFile } from './modules.ts'
import { requiringFile } from './references.ts'

/** A receiver has it for the same file by itself. */
export const isNodes = (name: string, value: unknown, url: string): boolean => {
  if (name === 'require') {
    if (typeof value !== 'function' || !('resolve' in value && 'cache' in value && 'main' in value)) return false
    const file = requiringFile(viewOf(value as never))
    return file === undefined || file === url
  }
  if (name !== '__filename' && name !== '__dirname') return false
  const path = url.startsWith('file:') ? fileURLToPath(new URL(url)) : ''
  return value === (name === '__filename' ? path : dirname(path))
}

/** The record that is kept of the file, or what the file exports. Not everybody who runs CommonJS keeps its records where Node does. */
export const isRecord = (name: string, value: object, url: string): boolean => {
  if (name !== 'module' && name !== 'exports') return false
  const record = isFile(url) ? createRequire(import.meta.url).cache[fileURLToPath(url)] : undefined
  if (record !== undefined) return value === (name === 'module' ? record : record.exports)
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
