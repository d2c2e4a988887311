/** Vite's module runner, on which vitest stands: it gives what a file imports names of its own, and only the text that it made says what they mean. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { types } from 'node:util'
import type { ModuleAnalysis } from '../binding.ts'
import { guardEntry } from './entry-guard.ts'
import { isBuiltinSpecifier } from './globals.ts'
import { importerOf } from './imports.ts'
import { isLoadable } from './loadable.ts'
import { parentOf, relativeUrl } from './modules.ts'
import type { Import } from './template.ts'

/** What a name of vite's stands for: a module's namespace, `import()`, `import.meta`. */
export type ViteName = 'namespace' | 'importer' | 'meta'

export const viteName = (name: string): ViteName | undefined => {
  if (!name.startsWith('__vi')) return undefined
  if (/^__vi(te_ssr)?_import_\d+__$/.test(name)) return 'namespace'
  if (/^__vi(te_ssr)?_dynamic_import__$/.test(name)) return 'importer'
  return /^__vi(te_ssr)?_import_meta__$/.test(name) ? 'meta' : undefined
}

interface Statement {
  readonly specifier: string
  /** What the file imports of it by name. */
  readonly names: readonly string[]
}

/** `const __vite_ssr_import_0__ = await __vite_ssr_import__("/modules/a.mjs", {"importedNames":["one"]})`, and what `vi.mock` makes of it. */
const STATEMENT = /const (__vi(?:te_ssr)?_import_\d+__) = await __vi(?:te_ssr)?_(?:dynamic_)?import__\(\s*("(?:[^"\\]|\\.)*")(?:,\s*(\{[^{}]*\}))?/g

const statements = new Map<string, ReadonlyMap<string, Statement>>()
const STATEMENTS_MAX = 10_000

/** The import statements of a text that vite made, which stand before all that the file says itself. */
const statementsOf = (text: string): ReadonlyMap<string, Statement> => {
  const read = statements.get(text)
  if (read !== undefined) return read
  const found = new Map<string, Statement>()
  for (const [, name = '', specifier = '', more] of text.matchAll(STATEMENT))
    if (!found.has(name)) found.set(name, { specifier: parsed(specifier, ''), names: parsed<{ importedNames?: string[] }>(more, {}).importedNames ?? [] })
  if (statements.size >= STATEMENTS_MAX) statements.clear()
  statements.set(text, found)
  return found
}

const parsed = <T>(text: string | undefined, otherwise: T): T => {
  try {
    return text === undefined ? otherwise : (JSON.parse(text) as T)
  } catch {
    return otherwise
  }
}

/** Where a file of vite's stands, and what is known of it. */
export interface ViteFile {
  readonly text: string
  readonly url: string
  readonly facts: ModuleAnalysis
}

export interface ViteModule {
  /** URL of the module, or the name of a builtin one. */
  readonly target: string
  /** What the file imports of it by name. */
  readonly names: readonly string[]
}

/** The module that a namespace is of. */
export const viteModule = (name: string, { text, url }: ViteFile): ViteModule | undefined => {
  const statement = statementsOf(text).get(name)
  const target = statement === undefined ? undefined : viteTarget(statement.specifier, url)
  return statement === undefined || target === undefined ? undefined : { target, names: statement.names }
}

/** The import that gives a worker the same. Undefined for what vite alone can load, and for what stands in a module's place: that travels by value. */
export const viteImport = (name: string, namespace: unknown, file: ViteFile): Import | undefined => {
  const target = viteModule(name, file)?.target
  if (target === undefined || OWN_QUERY.test(target) || isData(target) || isMock(namespace as object) || !isLoadable(target)) return undefined
  const { url, facts } = file
  const specifier = asWritten(target, url, facts)
  return { local: name, how: 'import', specifier, parent: parentOf(url), path: [], ...(types.isProxy(namespace) && { isInterop: true }) }
}

/** What vite has already read, or what its plugins do, is asked for by a query. */
const OWN_QUERY = /[?&](raw|url|inline|worker|sharedworker|init|react|vue|svelte|component)\b/

/** As well taken along: Node would ask for an attribute. */
const isData = (target: string): boolean => /^file:[^?#]*\.json([?#]|$)/.test(target)

/** What `vi.mock` makes is no namespace of Node's or of vite's, whose exports are accessors, and complains of names that it does not have. */
const isMock = (namespace: object): boolean => {
  if (types.isModuleNamespaceObject(namespace)) return false
  if (types.isProxy(namespace)) {
    try {
      return Reflect.get(namespace, 'mobula asks for a name that nobody has') !== undefined
    } catch {
      return true
    }
  }
  const [key] = Object.keys(namespace)
  return key !== undefined && Object.getOwnPropertyDescriptor(namespace, key)?.get === undefined
}

/** As the user named the module, who may name it so in options: a file by its place, a package by its name if there is one such. */
const asWritten = (target: string, url: string, { imports }: ModuleAnalysis): string => {
  if (!target.startsWith('file:')) return target
  const named = new Set(imports.filter(({ isType }) => !isType).map(({ specifier }) => specifier))
  const local = [...named].find((specifier) => relativeUrl(specifier, url) === target)
  if (local !== undefined) return local
  const [packaged, ...others] = [...named].filter((specifier) => isBare(specifier) && target.includes(`/node_modules/${packageOf(specifier)}/`))
  return packaged === undefined || others.length > 0 ? target : packaged
}

const isBare = (specifier: string): boolean => /^[@\w]/.test(specifier) && !/^[a-z][a-z+.-]*:/i.test(specifier) && !isBuiltinSpecifier(specifier)

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/**
 * What a specifier of vite's means to Node: `/@fs/` is before a file's path, `/@id/` before what is none, and files of the project begin
 * at its root, which is where the program runs, or else a folder above the file.
 */
export const viteTarget = (specifier: string, parent: string): string | undefined => {
  if (specifier.startsWith('/@id/')) return specifier.includes('__x00__') ? undefined : specifier.slice('/@id/'.length)
  if (specifier.startsWith('/@fs/')) return fileUrl(specifier.slice(process.platform === 'win32' ? '/@fs/'.length : '/@fs'.length))
  if (!specifier.startsWith('/')) return specifier.startsWith('.') ? new URL(specifier, parent).href : specifier
  const [path = ''] = specifier.split(/[?#]/)
  for (const folder of foldersAbove(parent)) if (existsSync(join(folder, path))) return fileUrl(join(folder, path) + specifier.slice(path.length))
  return existsSync(path) ? fileUrl(specifier) : undefined
}

const fileUrl = (id: string): string => {
  const [path = ''] = id.split(/[?#]/)
  return pathToFileURL(path).href + id.slice(path.length)
}

const foldersAbove = (parent: string): readonly string[] => {
  const folders = [process.cwd()]
  if (!parent.startsWith('file:')) return folders
  for (let at = dirname(fileURLToPath(parent)); ; at = dirname(at)) {
    folders.push(at)
    if (at === dirname(at)) return folders
  }
}

/** `import()` of a file as vite writes it: the specifiers in the text are vite's, those that are computed the user's. */
export const viteImporter = (parent: string): ((specifier: unknown) => Promise<object>) => {
  const load = importerOf(parent)
  return async (specifier) => {
    guardEntry()
    const target = viteTarget(String(specifier), parent) ?? String(specifier)
    return load(target, /^[^?#]*\.json(?:[?#]|$)/.test(target) ? { with: { type: 'json' } } : undefined)
  }
}

/** What `import.meta.env` has that is not in the environment. */
export const viteEnv = (meta: unknown): Readonly<Record<string, unknown>> => {
  const { env } = meta as { readonly env?: Readonly<Record<string, unknown>> }
  return Object.fromEntries(Object.entries(env ?? {}).filter(([key, value]) => process.env[key] !== value))
}
