/** Makes a remote function from its record, in the worker that first meets it. */

import { loadMissing, mayImportAnything, registerModuleClasses, takeMissing } from './classes.ts'
import { guardEntry } from './entry-guard.ts'
import type { Source } from './record.ts'
import { makeValue } from './revive.ts'

type AnyFunction = (...args: unknown[]) => unknown

export interface LoadedFunction {
  readonly fn: AnyFunction
  /** What its options brought along for retries: a predicate, or classes. */
  readonly held: unknown
}

/** `read`: decodes what the function takes along, for those that take something: itself, and what its options hold. */
export const loadFunction = (source: Source, read: () => readonly unknown[]): LoadedFunction | Promise<LoadedFunction> => {
  const make = (): LoadedFunction => {
    const [fn, held] = source.env ? read() : []
    return { fn: (source.kind === 'text' ? makeValue(source.template, [], '') : fn) as AnyFunction, held }
  }
  if (source.kind === 'module') return importFunction(source, make)
  takeMissing()
  try {
    return make()
  } catch (error) {
    const missing = takeMissing()
    if (missing === undefined) throw error
    return again(make, missing, error)
  }
}

/** What is missing may be several modules, of which each is found out about when the one before is here. */
const again = async (make: () => LoadedFunction, missing: NonNullable<ReturnType<typeof takeMissing>>, failure: unknown): Promise<LoadedFunction> => {
  if (!(await loadMissing(missing, mayImportAnything))) throw failure
  takeMissing()
  try {
    return make()
  } catch (error) {
    const more = takeMissing()
    if (more === undefined) throw error
    return again(make, more, error)
  }
}

const importFunction = async ({ url, name }: Extract<Source, { kind: 'module' }>, make: () => LoadedFunction): Promise<LoadedFunction> => {
  guardEntry()
  const namespace = (await import(url)) as Record<string, unknown>
  registerModuleClasses(url, namespace)
  const value = namespace[name]
  if (typeof value === 'function') return { ...make(), fn: value as AnyFunction }
  const names = Object.keys(namespace).join(', ') || 'nothing'
  throw new TypeError(`remote.module: ${url} has no function '${name}'; it exports ${names}`)
}
