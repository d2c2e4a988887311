/** What CommonJS gives each file by name. Users have variables of these names, too: in ES modules, where the names are free, and in functions. */

import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isFile, parentOf } from './modules.ts'

/** The folder that a `require` function looks from, whoever made it: Node, jest, vitest. */
export const requiringFolder = (value: unknown): string | undefined => {
  if (typeof value !== 'function' || !('cache' in value && 'main' in value && 'resolve' in value)) return undefined
  const { paths } = value.resolve as { readonly paths?: unknown }
  const folders: unknown = typeof paths === 'function' ? paths('./here') : undefined
  const [folder] = Array.isArray(folders) ? (folders as unknown[]) : []
  return typeof folder === 'string' ? pathToFileURL(`${folder}/`).href : undefined
}

/** A receiver has it for the same file by itself. */
export const isNodes = (name: string, value: unknown, url: string): boolean => {
  if (name === 'require') return requiringFolder(value) === new URL('.', parentOf(url)).href
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
