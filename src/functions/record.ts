/** How a remote function is told to workers, and what `remote` checks of it. */

import { pathToFileURL } from 'node:url'
import { types } from 'node:util'
import type { FunctionAnalysis } from '../binding.ts'
import { badType } from '../errors/bad-input.ts'
import { CaptureError } from '../errors/errors.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { placeOfFunction } from './capture.ts'
import { factsOf, textOf } from './facts.ts'
import { hasInspector, knowsScript, learnCallers } from './inspector.ts'
import { OWN_FOLDERS } from './own-code.ts'
import { shapeProblem } from './shape.ts'

export type AnyFunction = (...args: never[]) => unknown
export type AnyClass = new (...args: never[]) => unknown

/** A record that workers understand; `env`: calls bring an object along, with the function and what its options hold. */
export type Source =
  | { readonly kind: 'module'; readonly url: string; readonly name: string; readonly env: boolean }
  /** It takes nothing along. */
  | { readonly kind: 'text'; readonly template: string; readonly env: boolean }
  /** A method of the actor that is called. */
  | { readonly kind: 'method'; readonly name: string; readonly env: boolean }
  /** It is in the object. The place tells functions of one name apart. */
  | { readonly kind: 'closure'; readonly at: string; readonly isAsync: boolean; readonly env: true }

/** What calls run, as it is known where `remote` was called; or as it came from there. */
export type Described =
  | { readonly kind: 'module'; readonly name: string; readonly url: string; readonly exported: string }
  /** `file`: URL of the file that called `remote`. */
  | { readonly kind: 'function'; readonly name: string; readonly fn: AnyFunction; readonly file: string }
  | {
      readonly kind: 'shipped'
      readonly name: string
      readonly source: string
      readonly isAsync: boolean
      readonly isGenerator: boolean
      readonly env: ObjectRef | undefined
    }

/** Checks what was given to `remote`. What it takes along is read at the first call. */
export const describeFunction = (fn: unknown): Described => {
  if (typeof fn !== 'function') throw badType('fn', 'a function', fn)
  const text = textOf(fn as AnyFunction)
  if (isClass(fn)) throw badType('fn', 'a function that can be called', fn)
  const name = nameOf(fn as AnyFunction)
  if (types.isProxy(fn)) throw new CaptureError(`cannot ship '${name}', which is a Proxy of a function, whose traps stay behind; pass the function itself`)
  if (!/\{\s*\[native code\]\s*\}$/.test(text)) {
    const problem = shapeProblem(fn as AnyFunction)
    if (problem !== undefined) throw new CaptureError(`cannot ship '${name}'${at(placeOfFunction(fn as AnyFunction))}, which ${problem}`)
  }
  return { kind: 'function', name, fn: fn as AnyFunction, file: learnPlace(text) }
}

/** It is declared as a class. */
export const isClass = (value: unknown): value is AnyClass => typeof value === 'function' && /^class\b/.test(textOf(value as AnyFunction))

/** The same for a class, whose instances are to be actors. */
export const describeClass = (Class: AnyClass): Described => {
  const name = nameOf(Class as unknown as AnyFunction)
  if (types.isProxy(Class)) throw new CaptureError(`cannot ship '${name}', which is a Proxy of a class, whose traps stay behind; pass the class itself`)
  return { kind: 'function', name, fn: Class as unknown as AnyFunction, file: learnPlace(textOf(Class as unknown as AnyFunction)) }
}

const at = (place: string): string => (place === '' ? '' : ` (${place})`)

export const isAsyncFunction = (fn: AnyFunction): boolean => types.isAsyncFunction(fn)

/** Its calls give their items one by one. */
export const isGeneratorFunction = (fn: AnyFunction): boolean => types.isGeneratorFunction(fn)

const nameOf = (fn: AnyFunction): string => {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value
  return typeof name === 'string' && name !== '' ? name : 'anonymous'
}

/** Its file is most likely the one that calls; once more than that is known of each file here, it need not be looked for among all. */
const learnPlace = (text: string): string => {
  const facts = factsOf(text)
  // A text that was met before is most likely of a file that is known, and V8 tells of which: the stack need not be read.
  if (typeof facts !== 'string' && hasInspector()) {
    if (placed.has(facts)) return ''
    placed.add(facts)
  }
  const url = callerUrl()
  if (asked.has(url)) return url
  asked.add(url)
  if (!knowsScript(url)) learnCallers()
  return url
}

const asked = new Set<string>()
/** Facts of texts whose file was learnt. */
const placed = new WeakSet<FunctionAnalysis>()

/** Frames of this package may lie above the caller's. */
const FRAMES_MAX = 12

/** The URL of the first caller outside of this package; nothing is formatted or mapped for it. */
const callerUrl = (): string => {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.stackTraceLimit = FRAMES_MAX
  Error.prepareStackTrace = (_error, sites) => sites
  try {
    for (const site of new Error().stack as unknown as NodeJS.CallSite[]) {
      const file = site.getFileName()
      if (file?.startsWith('file:') !== true && file?.startsWith('/') !== true) continue
      const url = file.startsWith('file:') ? file : pathToFileURL(file).href
      if (!isOwn(url)) return url
    }
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  }
  return pathToFileURL(`${workingFolder()}/[eval]`).href
}

/** An exported function, by the module's URL and its name. */
export const describeExport = (url: unknown, name: unknown): Described => {
  if (typeof name !== 'string' || name === '') throw badType('name', 'the name of an export', name)
  let href: string
  if (url instanceof URL) href = url.href
  else if (typeof url !== 'string') throw badType('url', 'a URL or an absolute file URL as a string', url)
  else if (URL.canParse(url)) href = url
  else throw badType('url', "a URL such as new URL('./tasks.js', import.meta.url)", url)
  return { kind: 'module', name, url: href, exported: name }
}

/** The file and line of the first caller outside of this package. */
export const callPlace = (): { file: string; line: number } => {
  const { stack } = new Error()
  // Whoever sets `Error.prepareStackTrace` may make something else of it.
  const lines = typeof stack === 'string' ? stack.split('\n').slice(2) : []
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

const isOwn = (file: string): boolean => {
  const url = file.startsWith('file:') ? file : pathToFileURL(file).href
  return OWN_FOLDERS.some(({ href }) => url.startsWith(href))
}
