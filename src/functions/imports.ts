/** Modules that functions brought along by name: loaded once each in a thread, and looked up when functions are made. */

import { createRequire, Module } from 'node:module'
import { fileURLToPath } from 'node:url'
import { guardEntry } from './entry-guard.ts'
import { isBuiltinSpecifier } from './globals.ts'
import { withInterop } from './interop.ts'
import type { Import } from './template.ts'

/** What `import()` gave, by {@link keyOf}. */
const namespaces = new Map<string, object>()

/** Those that some value needs, and that are not here yet. */
let missing: Map<string, Import> | undefined

const keyOf = ({ specifier, parent, attributes }: Import): string => JSON.stringify([specifier, parent, attributes ?? null])

/** The imports that were missing since this was asked last. */
export const takeMissingImports = (): readonly Import[] | undefined => {
  const taken = missing
  if (taken === undefined) return undefined
  missing = undefined
  return [...taken.values()]
}

/** Thrown where a function needs a module that is not here: whoever decodes loads it, and starts over. */
export class NotLoaded extends Error {
  constructor(from: Import) {
    super(`the value needs the module '${from.specifier}', which this thread has not loaded. Use await get(ref), which does, or import it here.`)
    this.name = 'NotLoaded'
  }
}

/** The value of an import. Throws, and notes it, where its module has to be loaded first: that runs code, for which nothing is ready while a value is read. */
export const importedValue = (from: Import): unknown => {
  const found = loadedValue(from)
  if (found !== undefined) return found.value
  missing ??= new Map()
  missing.set(`${from.how} ${keyOf(from)}`, from)
  throw new NotLoaded(from)
}

/** The value of an import whose module is here already. */
export const loadedValue = (from: Import): { readonly value: unknown } | undefined => {
  if (isBuiltinSpecifier(from.specifier)) return { value: follow(asWrapped(builtinNamespace(from), from), from.path) }
  if (from.how === 'require') {
    const module = cachedModule(from)
    return module === undefined ? undefined : { value: follow(asWrapped(module.exports, from), from.path) }
  }
  const namespace = namespaces.get(keyOf(from))
  return namespace === undefined ? undefined : { value: follow(from.isInterop === true ? interoped(namespace) : namespace, from.path) }
}

/** One of each, as there is one namespace of a module. */
const shown = new WeakMap<object, object>()

const interoped = (namespace: object): object => {
  let made = shown.get(namespace)
  if (made === undefined) {
    made = withInterop(namespace as Readonly<Record<PropertyKey, unknown>>)
    shown.set(namespace, made)
  }
  return made
}

const pathOf = (parent: string): string => (parent.startsWith('file:') ? fileURLToPath(parent) : parent)

const cachedModule = ({ specifier, parent }: Import): { readonly exports: unknown } | undefined => {
  try {
    const require = createRequire(pathOf(parent))
    return require.cache[require.resolve(specifier)]
  } catch {
    return undefined
  }
}

const asWrapped = (exported: unknown, { isWrapped }: Import): unknown => (isWrapped === true ? { ...(exported as object), default: exported } : exported)

/** Builtin modules are there at once; what `import` gives of them has the module itself as its default. */
const builtinNamespace = ({ specifier, how, path }: Import): unknown => {
  const module = createRequire(import.meta.url)(specifier) as object
  if (how === 'require') return module
  if (path.length > 0) return path[0] === 'default' ? { default: module } : module
  return Object.freeze(Object.assign(Object.create(null) as object, module, { default: module }))
}

const follow = (from: unknown, path: readonly string[]): unknown => {
  let at = from
  for (const key of path) at = (at as Record<string, unknown> | undefined)?.[key]
  return at
}

/** Imports a module as the file that names it would; throws what it throws. */
export const loadImport = async (from: Import): Promise<void> => {
  guardEntry()
  if (from.how === 'require') {
    createRequire(pathOf(from.parent))(from.specifier)
    return
  }
  const key = keyOf(from)
  if (!namespaces.has(key)) namespaces.set(key, await importFrom(from))
}

type Importer = (specifier: string, options: object | undefined) => Promise<object>

const importers = new Map<string, Importer>()

const importFrom = ({ specifier, parent, attributes }: Import): Promise<object> =>
  importerOf(parent)(specifier, attributes === undefined ? undefined : { with: attributes })

/** `import()` as it works in another file: resolved from there, with the loaders of this thread. `vm` could do the same, and warns. */
export const importerOf = (parent: string): Importer => {
  let importer = importers.get(parent)
  if (importer === undefined) {
    const path = pathOf(parent)
    const module = new Module(path) as Module & { _compile(code: string, path: string): void; exports: typeof importer }
    module.filename = path
    module._compile('module.exports = (specifier, options) => import(specifier, options)', path)
    importer = module.exports as NonNullable<typeof importer>
    importers.set(parent, importer)
  }
  return importer
}
