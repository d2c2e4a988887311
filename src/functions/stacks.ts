/**
 * Stacks of errors of shipped functions: they are compiled as the first thread had them, and only that thread has the source maps. So the
 * worker marks frames that it cannot map, and whoever has the map puts the place in the source there.
 */

import { pathToFileURL } from 'node:url'
import { OWN_FOLDERS } from './own-code.ts'
import { originalPlace, pathOf } from './place.ts'

/** Behind the path of a frame that is not mapped yet. */
const MARK = '?mobula'

/** Files in which shipped functions stand, as frames name them. */
const files = new Set<string>()

export const noteFile = (path: string): void => {
  files.add(path)
}

const FRAME = /((?:file:\/\/)?\/[^():]*):(\d+):(\d+)/g

const OWN = OWN_FOLDERS.flatMap(({ href, pathname }) => [href, decodeURIComponent(pathname)])

const isOwn = (line: string): boolean => /^\s+at /.test(line) && OWN.some((folder) => line.includes(folder))

/** Cuts what called the function here, and marks frames of shipped functions that this thread cannot map. */
export const markStack = (stack: string): string => {
  const lines = stack.split('\n')
  let end = lines.length
  for (let k = 1; k < lines.length; k++) {
    if (!isOwn(lines[k] as string)) continue
    // Calls between frames of the user's are kept; what is behind the last of those is the loop of this thread.
    if (lines.slice(k).every((line) => isOwn(line) || /^\s+at .*node:/.test(line))) {
      end = k
      break
    }
  }
  const kept = lines.slice(0, end).join('\n')
  if (files.size === 0) return kept
  return kept.replace(FRAME, (frame, path: string, line: string, column: string) =>
    files.has(path) && originalPlace(pathToFileURL(path).href, 0, 0) === undefined ? `${path}${MARK}:${line}:${column}` : frame,
  )
}

const MARKED = /((?:file:\/\/)?\/[^():]*)\?mobula:(\d+):(\d+)/g

/** The stack with places in the source, where this thread has the map of the file. */
export const mapStack = (stack: string): string => {
  if (!stack.includes(MARK)) return stack
  return stack.replace(MARKED, (_frame, path: string, line: string, column: string) => {
    const mapped = originalPlace(pathToFileURL(path).href, Number(line) - 1, Number(column) - 1)
    return mapped === undefined ? `${path}:${line}:${column}` : `${pathOf(mapped.url)}:${mapped.line + 1}:${mapped.column + 1}`
  })
}

const CAUSES_MAX = 8

/** Does the same to the stack of an error, and to those of what caused it. */
export const changeStacks = (error: unknown, change: (stack: string) => string, depth = 0): void => {
  if (typeof error !== 'object' || error === null || depth > CAUSES_MAX) return
  try {
    const { stack, cause, errors } = error as { stack?: unknown; cause?: unknown; errors?: unknown }
    if (typeof stack === 'string') {
      const changed = change(stack)
      if (changed !== stack) Object.defineProperty(error, 'stack', { value: changed, writable: true, configurable: true, enumerable: false })
    }
    if (cause !== undefined) changeStacks(cause, change, depth + 1)
    if (Array.isArray(errors)) for (const one of errors) changeStacks(one, change, depth + 1)
  } catch {
    // Somebody else's getters; the stack stays as it is.
  }
}
