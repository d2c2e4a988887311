/** Finds the classes of errors that tasks of `remote.module` throw, so that `instanceof` holds on this side too. */

import { registerErrorClass } from '../codec/kinds/error.ts'

type ErrorClass = new (...args: never[]) => Error

/** Modules that the user named by `remote.module`: only these are ever imported for the sake of a class. */
const modules = new Set<string>()

export const allowModule = (url: string): void => {
  modules.add(url)
}

/** The key of an exported class, as errors carry it. */
export const classKey = (url: string, name: string): string => `${url}#${name}`

/** Makes the error classes of a loaded module known; called where the module was imported anyway. */
export const registerModuleErrors = (url: string, namespace: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(namespace)) {
    if (typeof value === 'function' && value.prototype instanceof Error) registerErrorClass(classKey(url, name), value as ErrorClass)
  }
}

/** A decoder's question for a class that it does not know: notes it, for `loadErrorClasses`. */
export const errorClassOf =
  (missing: Set<string>) =>
  (key: string): ErrorClass | undefined => {
    missing.add(key)
    return undefined
  }

/** Imports the modules of the missing classes. True if that brought any. */
export const loadErrorClasses = async (missing: ReadonlySet<string>): Promise<boolean> => {
  const urls = new Set<string>()
  for (const key of missing) {
    const url = key.slice(0, key.lastIndexOf('#'))
    if (modules.has(url)) urls.add(url)
  }
  for (const url of urls) {
    modules.delete(url)
    try {
      registerModuleErrors(url, (await import(url)) as Record<string, unknown>)
    } catch {
      // The module works in workers only; its errors then come back by name.
    }
  }
  return urls.size > 0
}
