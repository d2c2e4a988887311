/** Makes a function from its record, in the worker that first meets it. */

import { Module } from 'node:module'
import { fileURLToPath } from 'node:url'
import { registerModuleClasses } from './classes.ts'
import type { Source } from './record.ts'

type AnyFunction = (...args: unknown[]) => unknown

/** What esbuild and tsx call to keep names of functions inside of functions; the text that they wrote expects it. */
const keepName = (fn: AnyFunction, name: string): AnyFunction => Object.defineProperty(fn, 'name', { value: name, configurable: true })

/** The function, or a promise of it where a module must be imported. */
export const loadFunction = (source: Source): AnyFunction | Promise<AnyFunction> => (source.kind === 'text' ? compile(source) : importFunction(source))

/**
 * Compiled as a CommonJS module that stands where the text stood: stacks point there, and `import()` and `require` resolve from
 * there. `vm.Script` could do the same, but prints a warning when the text imports.
 */
const compile = ({ text, file, line, strict }: Extract<Source, { kind: 'text' }>): AnyFunction => {
  const path = file.startsWith('file:') ? fileURLToPath(file) : file
  const module = new Module(path) as Module & { _compile(code: string, path: string): void; exports: (name: typeof keepName) => AnyFunction }
  module.filename = path
  module._compile(`${'\n'.repeat(line - 1)}module.exports = function (__name) { ${strict ? "'use strict'; " : ''}return (${text}\n) }`, path)
  return module.exports(keepName)
}

const importFunction = async ({ url, name }: Extract<Source, { kind: 'module' }>): Promise<AnyFunction> => {
  const namespace = (await import(url)) as Record<string, unknown>
  registerModuleClasses(url, namespace)
  const value = namespace[name]
  if (typeof value === 'function') return value as AnyFunction
  const names = Object.keys(namespace).join(', ') || 'nothing'
  throw new TypeError(`remote.module: ${url} has no function '${name}'; it exports ${names}`)
}
