/** How a function travels: as a record of text that a worker's loader understands. */

import { pathToFileURL } from 'node:url'
import { types } from 'node:util'
import { Script } from 'node:vm'
import { badType, notSupported } from '../errors/bad-input.ts'
import { CaptureError } from '../errors/errors.ts'

export type Source =
  | { readonly kind: 'module'; readonly url: string; readonly name: string }
  /** Self-contained text, and where it stood, so that stacks point there. */
  | { readonly kind: 'text'; readonly text: string; readonly file: string; readonly line: number; readonly strict: boolean }

export interface ShippedFunction {
  readonly name: string
  readonly source: Source
  /** It is declared so. Unknown of an export until a worker has imported it. */
  readonly isAsync: boolean
}

/** Checks what was given to `remote` and describes it. The function itself is not kept. */
export const describeFunction = (fn: unknown, place: { file: string; line: number }): ShippedFunction => {
  if (typeof fn !== 'function') throw badType('fn', 'a function', fn)
  const text = Function.prototype.toString.call(fn)
  if (/^class\b/.test(text)) throw notSupported('remote(class)')
  if (types.isGeneratorFunction(fn)) throw notSupported('remote(generator function)')
  const name = typeof fn.name === 'string' && fn.name !== '' ? fn.name : 'anonymous'
  if (types.isProxy(fn) || /\{\s*\[native code\]\s*\}$/.test(text)) {
    throw new CaptureError(
      `cannot ship '${name}': it is a native, bound or proxied function, which has no text to send. Wrap it: remote((...args) => fn(...args)) inside a module, named by remote.module.`,
    )
  }
  return {
    name,
    source: { kind: 'text', text: asExpression(text, name), strict: isStrict(fn as AnyFunction, place.file), ...place },
    isAsync: types.isAsyncFunction(fn),
  }
}

/** Whether the function was strict where it stood, which its text does not tell: ES modules are (their frames are URLs), TypeScript is, and of the rest what V8 made no `arguments` property for. */
const isStrict = (fn: AnyFunction, file: string): boolean =>
  file.startsWith('file:') || /\.m?tsx?$/.test(file) || (fn.prototype !== undefined && !Object.hasOwn(fn, 'arguments'))

type AnyFunction = (...args: never[]) => unknown

/** Function text as an expression: a method lacks the keyword that makes it one. */
const asExpression = (text: string, name: string): string => {
  const problem = parseProblem(`(${text})`)
  if (problem === undefined) return text
  if (!/^(get|set)\s+[^\s(]/.test(text) && parseProblem(`({ ${text} })`) === undefined) return `Object.values({ ${text} })[0]`
  throw new CaptureError(`cannot ship '${name}': its text does not stand by itself (${problem})`)
}

const parseProblem = (text: string): string | undefined => {
  try {
    new Script(text)
    return undefined
  } catch (error) {
    return String(error)
  }
}

/** An exported function, by the module's URL and its name. */
export const describeExport = (url: unknown, name: unknown): ShippedFunction => {
  if (typeof name !== 'string' || name === '') throw badType('name', 'the name of an export', name)
  let href: string
  if (url instanceof URL) href = url.href
  else if (typeof url !== 'string') throw badType('url', 'a URL or an absolute file URL as a string', url)
  else if (URL.canParse(url)) href = url
  else throw badType('url', "a URL such as new URL('./tasks.js', import.meta.url)", url)
  return { name, source: { kind: 'module', url: href, name }, isAsync: false }
}

/** The file and line of the first caller outside of this package. */
export const callPlace = (): { file: string; line: number } => {
  const lines = (new Error().stack ?? '').split('\n').slice(2)
  for (const line of lines) {
    const match = /(?:\(|at )((?:file:\/\/|\/)[^()]*):(\d+):\d+\)?$/.exec(line)
    const [, file = '', row = '1'] = match ?? []
    if (match !== null && !isOwn(file)) return { file, line: Number(row) }
  }
  // Evaluated code stands nowhere: what it imports is looked for from where the program was started.
  return { file: `${workingFolder()}/[eval]`, line: 1 }
}

const workingFolder = (): string => {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}

/** Both, whichever of them runs: where Node reads source maps, frames of `dist` name files of `src`. */
const OWN = ['../../src/', '../../dist/'].map((folder) => new URL(folder, import.meta.url).href)

const isOwn = (file: string): boolean => {
  const url = file.startsWith('file:') ? file : pathToFileURL(file).href
  return OWN.some((folder) => url.startsWith(folder))
}
