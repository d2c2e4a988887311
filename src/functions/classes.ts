/** Where classes come from: the keys under which they travel, and the modules that are imported to find them again. */

import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { type AnyClass, type Found, hasCodec, registerClass, setClassFinder } from '../codec/classes.ts'
import { hasPrivateFields, isLoaded, placeOf } from './script.ts'

/** Modules that the user named by `remote.module`: only these, and what is loaded anyway, are imported on a driver for the sake of a class. */
const named = new Set<string>()

export const allowModule = (url: string): void => {
  named.add(url)
}

/** The key of an exported class. */
export const classKey = (url: string, name: string): string => `${url}#${name}`

/** A class by where it was defined: its module, its name, and its text, since a module may have several of one name. */
const definitionKey = (url: string, Class: AnyClass): string => `${classKey(url, Class.name)}~${fingerprint(Class)}`

/** Loaded where it is needed: it takes some milliseconds, and most threads do without. */
const crypto = (): typeof import('node:crypto') => process.getBuiltinModule('node:crypto')

const fingerprint = (Class: AnyClass): string => crypto().createHash('sha256').update(Function.prototype.toString.call(Class)).digest('base64url').slice(0, 12)

const isClass = (value: unknown): value is AnyClass => typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null

/** Makes the classes that a loaded module exports known; called where the module was imported anyway. */
export const registerModuleClasses = (url: string, namespace: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(namespace)) if (isClass(value)) registerClass(classKey(url, name), value)
}

/** The program's own file, as it was named and as it was found: `node .` and `node app` name it without its extension. */
const findEntry = (): string[] => {
  const [, named] = process.argv
  if (named === undefined) return []
  const found = [named]
  try {
    found.push(createRequire(join(process.cwd(), 'x.js')).resolve(named))
  } catch {
    // Evaluated code, or a folder that is gone.
  }
  for (const path of [...found]) {
    try {
      found.push(realpathSync(path))
    } catch {
      // As above.
    }
  }
  return [...new Set(found.map((path) => pathToFileURL(path).href))]
}

/** Workers never run it: what it defines cannot be imported there. They are told, since their own arguments name something else. */
let entries: readonly string[] = isMainThread ? findEntry() : []

export const programEntries = (): readonly string[] => entries

export const setProgramEntries = (urls: readonly string[]): void => {
  entries = urls
}

const isEntry = (url: string): boolean => entries.some((entry) => url === entry || url.startsWith(`${entry}?`))

const wayRound = (Class: AnyClass): string =>
  `pass plain data, or registerCodec(${Class.name === '' ? 'Class' : Class.name}, { encode, decode }) in a module that both sides import`

setClassFinder((Class): Found => {
  const place = placeOf(Class)
  if (place === undefined) return { reason: `where its class comes from cannot be told; ${wayRound(Class)}` }
  const { url, isInCall } = place
  if (isEntry(url)) return { reason: `its class is defined in the program's own file, which workers do not run; move the class to a module of its own` }
  if (!url.startsWith('file:'))
    return { reason: `its class comes from ${url === '' ? 'evaluated code' : url}, which workers cannot import; ${wayRound(Class)}` }
  if (isInCall) return { reason: `its class was made by a function, whose other calls make others that look the same; ${wayRound(Class)}` }
  return { key: definitionKey(url, Class) }
}, hasPrivateFields)

/** Keys of classes that decoders of this thread asked for and nobody knew, since the last `takeMissing`. */
let missing: Set<string> | undefined

/** A decoder's question for a class that it does not know: notes it, for `takeMissing`. */
export const noteClass = (key: string): undefined => {
  missing ??= new Set()
  missing.add(key)
  return undefined
}

/** The classes that were missing in what was just decoded, if there were any. */
export const takeMissing = (): ReadonlySet<string> | undefined => {
  const taken = missing
  missing = undefined
  return taken
}

const urlOf = (key: string): string => key.slice(0, key.lastIndexOf('#'))

/** Imports the modules of the missing classes. True if that brought one of them. */
export const loadClasses = async (missing: ReadonlySet<string>, may: (url: string) => boolean): Promise<boolean> => {
  let brought = false
  for (const key of missing) {
    const url = urlOf(key)
    if (isEntry(url) || !may(url)) continue
    try {
      const namespace = (await import(url)) as Record<string, unknown>
      registerModuleClasses(url, namespace)
      const Class = exportedClass(namespace, url, key)
      if (Class !== undefined) registerClass(key, Class)
      brought ||= Class !== undefined || hasCodec(key)
    } catch {
      // The module works in workers only: its errors come back by name, and other values say what is missing.
    }
  }
  return brought
}

/** A driver imports what the user named for tasks, or has loaded itself. */
export const mayImportHere = (url: string): boolean => named.has(url) || isLoaded(url)

/** A worker imports what tasks need. */
export const mayImportAnything = (): boolean => true

const exportedClass = (namespace: Readonly<Record<string, unknown>>, url: string, key: string): AnyClass | undefined => {
  const inner = namespace.default
  const all = [...Object.entries(namespace), ...(typeof inner === 'object' && inner !== null ? Object.entries(inner) : [])]
  const matching = new Set(
    all.filter(([name, value]) => isClass(value) && (classKey(url, name) === key || definitionKey(url, value) === key)).map(([, value]) => value),
  )
  // Classes that one function made look the same: which of them was meant cannot be told.
  return matching.size === 1 ? ([...matching][0] as AnyClass) : undefined
}
