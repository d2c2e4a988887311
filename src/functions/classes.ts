/** Where classes come from: the keys under which they travel, and the modules that are imported to find them again. */

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Capsule } from '../codec/capsules.ts'
import { type AnyClass, classFor, type Found, hasCodec, keyFor, keyOfRegistered, registerClass, setClassFinder } from '../codec/classes.ts'
import { takeLoading } from '../codec/kinds/arrow.ts'
import { SerializationError } from '../errors/errors.ts'
import { compiledText } from './compiled.ts'
import { programFile, runsTasks } from './entry.ts'
import { factsOf } from './facts.ts'
import { loadImport, takeMissingImports } from './imports.ts'
import { hasPrivateFields, isLoaded, type Place, placeOf } from './inspector.ts'
import { isLoadable } from './loadable.ts'
import { isFile, moduleFacts, relativeUrl } from './modules.ts'
import { idOf } from './origins.ts'
import type { Import } from './template.ts'

/** Modules that the user named by `remote.module`: only these, and what is loaded anyway, are imported on a driver for the sake of a class. */
const named = new Set<string>()

export const allowModule = (url: string): void => {
  named.add(url)
}

/** Modules that something else than Node loaded here: their classes are not those that an import of the file gives. */
const loadedElsewhere = new Map<string, Readonly<Record<string, unknown>>>()

export const noteModule = (url: string, namespace: Readonly<Record<string, unknown>>): void => {
  loadedElsewhere.set(url, namespace)
}

/** The key of an exported class. */
export const classKey = (url: string, name: string): string => `${url}#${name}`

/** A class by where it was defined: its module, its name, and its text, since a module may have several of one name. */
const definitionKey = (url: string, Class: AnyClass): string => `${classKey(url, Class.name)}~${fingerprint(Class)}`

/** Loaded where it is needed: it takes some milliseconds, and most threads do without. */
const crypto = (): typeof import('node:crypto') => process.getBuiltinModule('node:crypto')

/** The key of a class whose text is another here than in the file. */
const withoutText = (key: string): string => key.replace(/~[\w-]+$/, '')

const fingerprint = (Class: AnyClass): string => crypto().createHash('sha256').update(Function.prototype.toString.call(Class)).digest('base64url').slice(0, 12)

const isClass = (value: unknown): value is AnyClass => typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null

/** Makes the classes that a loaded module exports known; called where the module was imported anyway. */
export const registerModuleClasses = (url: string, namespace: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(namespace)) if (isClass(value)) registerClass(classKey(url, name), value)
}

const wayRound = (Class: AnyClass): string =>
  `pass plain data, or registerCodec(${Class.name === '' ? 'Class' : Class.name}, { encode, decode }) in a module that both sides import`

/** A file that cannot be read may export anything. */
const exportedName = (Class: AnyClass, { url, scriptId }: Place): string | undefined => {
  const facts = moduleFacts(url, scriptId)
  const isIt = ({ exported, local }: { readonly exported: string; readonly local: string }): boolean =>
    local === Class.name || exported === Class.name || (exported === 'default' && local === 'default')
  return facts === undefined ? Class.name : facts.exports.find(isIt)?.exported
}

/** A CommonJS module has it among its exports: whoever loaded that may have put a function around all of its text. */
const isExport = (Class: AnyClass, url: string): boolean => {
  const exported: unknown = createRequire(import.meta.url).cache[fileURLToPath(url)]?.exports
  if (exported === Class) return true
  try {
    return typeof exported === 'object' && exported !== null && Object.values(exported).includes(Class)
  } catch {
    // A getter of somebody's.
    return false
  }
}

/** Private methods are no state, but only what the class itself made can call them. */
const hidesSomething = (value: object): boolean | undefined => {
  const fields = hasPrivateFields(value)
  if (fields === true) return true
  for (let at: unknown = Object.getPrototypeOf(value); typeof at === 'object' && at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    const Class: unknown = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    const text = typeof Class === 'function' ? Function.prototype.toString.call(Class) : ''
    if (!/^class\b/.test(text) || !text.includes('#')) continue
    const facts = factsOf(text)
    if (typeof facts !== 'string' && facts.class?.privateInstance === true) return true
  }
  return fields
}

setClassFinder(
  (Class): Found => {
    const place = placeOf(Class)
    if (place === undefined) return { reason: `where its class comes from cannot be told; ${wayRound(Class)}` }
    // What has gone by value once stays one class everywhere by going so again.
    if (idOf(Class) !== undefined) return { isValue: true }
    const { url, isInCall, scriptId } = place
    if (url.startsWith('node:')) return { reason: `it is a class of Node's own, whose state belongs to its thread; ${wayRound(Class)}` }
    if (!isFile(url) || programFile(url) || (isInCall && !isExport(Class, url))) return { isValue: true }
    // What nobody exports goes by value, unless a worker has it by an import: then it is not the class that the driver has.
    const exported = exportedName(Class, place)
    if (exported !== undefined && compiledText(place, moduleFacts(url, scriptId)) !== undefined)
      return isLoadable(url) ? { key: classKey(url, exported) } : { isValue: true }
    return runsTasks() || exported !== undefined ? { key: definitionKey(url, Class) } : { isValue: true }
  },
  hidesSomething,
  (Class) => idOf(Class) !== undefined,
)

/** Classes of a module under a URL with a query: who loads modules another way than Node may say of them where the file is, and no more. */
export const noteImported = ({ specifier, parent, path }: Import, value: unknown): void => {
  const url = relativeUrl(specifier, parent)
  if (url === undefined) return
  const [name] = path
  const exports = name === undefined ? (value as Readonly<Record<string, unknown>>) : { [name]: value }
  for (const [key, one] of Object.entries(exports)) if (isClass(one) && keyOfRegistered(one) === undefined) registerClass(classKey(url, key), one)
}

/** The capsule of a class that the receiver has by its module; undefined for others, which travel by value. */
export const takeClass = (Class: (...args: never[]) => unknown, home: string | undefined): Capsule | undefined => {
  const key = keyOfRegistered(Class as never) ?? keyElsewhere(Class as never, home)
  return key === undefined ? undefined : { template: JSON.stringify({ kind: 'class', key }), values: [], steps: [], id: '' }
}

/** A class of another file than the function that takes it along goes as its instances do. */
const keyElsewhere = (Class: AnyClass, home: string | undefined): string | undefined => {
  if (home === undefined || !/^class\b/.test(Function.prototype.toString.call(Class)) || idOf(Class) !== undefined) return undefined
  const place = placeOf(Class)
  if (place === undefined || place.url === home || !place.url.startsWith('file:')) return undefined
  const found = keyFor(Class)
  return 'key' in found ? found.key : undefined
}

/** The class of a key. Throws, and notes it, where its module has to be imported first. */
export const classHere = (key: string): AnyClass => {
  const Class = classFor(key)
  if (Class !== undefined) return Class
  noteClass(key)
  throw new SerializationError(`the value needs a class that this thread does not know: ${key}. Import that module here, or use await get(ref), which does.`)
}

/** What decoders of this thread asked for and did not find. */
export interface Missing {
  /** Keys of classes. */
  readonly classes: ReadonlySet<string>
  readonly imports: readonly Import[]
  /** Something that the codec needs: true when it is there. */
  readonly loading: Promise<boolean> | undefined
}

/** Keys that nobody knew, since the last `takeMissing`. */
let missing: Set<string> | undefined

/** A decoder's question for a class that it does not know: notes it, for `takeMissing`. */
export const noteClass = (key: string): undefined => {
  missing ??= new Set()
  missing.add(key)
  return undefined
}

const NO_KEYS: ReadonlySet<string> = new Set()

/** What was missing in what was just decoded, if something was. */
export const takeMissing = (): Missing | undefined => {
  const classes = missing
  const imports = takeMissingImports()
  const loading = takeLoading()
  // Asked twice for each task: nothing is written where nothing is to be forgotten.
  if (classes !== undefined) missing = undefined
  return classes === undefined && imports === undefined && loading === undefined ? undefined : { classes: classes ?? NO_KEYS, imports: imports ?? [], loading }
}

/** Brings what was missing, if it can be had here: true if that brought something. Throws what a module throws that a function needs. */
export const loadMissing = async ({ classes, imports, loading }: Missing, may: (url: string) => boolean): Promise<boolean> => {
  for (const from of imports) await loadImport(from)
  const isThere = (await loading) === true
  return (await loadClasses(classes, may)) || imports.length > 0 || isThere
}

const urlOf = (key: string): string => key.slice(0, key.lastIndexOf('#'))

/** Imports the modules of the missing classes. True if that brought one of them. */
const loadClasses = async (missing: ReadonlySet<string>, may: (url: string) => boolean): Promise<boolean> => {
  let brought = false
  for (const key of missing) {
    const url = urlOf(key)
    const elsewhere = loadedElsewhere.get(url)
    if (programFile(url) || (elsewhere === undefined && !may(url))) continue
    try {
      const namespace = elsewhere ?? requiredModule(url) ?? ((await import(url)) as Record<string, unknown>)
      registerModuleClasses(url, namespace)
      const Class = exportedClass(namespace, url, key) ?? (elsewhere === undefined ? undefined : exportedClass(namespace, url, withoutText(key)))
      if (Class !== undefined) registerClass(key, Class)
      brought ||= Class !== undefined || hasCodec(key)
    } catch {
      // The module works in workers only: its errors come back by name, and other values say what is missing.
    }
  }
  return brought
}

/** A CommonJS module as `require` gives it: some loaders have another copy of it for `import`. */
const requiredModule = (url: string): Record<string, unknown> | undefined => {
  if (!url.startsWith('file:')) return undefined
  const require = createRequire(import.meta.url)
  const path = fileURLToPath(url)
  if (require.cache[path] === undefined && !/\.c[jt]s$/.test(path)) return undefined
  const exported: unknown = require(path)
  return { ...(exported as object), default: exported }
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
