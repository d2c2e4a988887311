/** What files import, and which of that a captured value is. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { analyzeModule, type ImportRecord, type ModuleAnalysis, type RequireRecord } from '../binding.ts'
import { isBuiltinSpecifier } from './globals.ts'
import { loadedValue } from './imports.ts'
import { sourceOfScript } from './inspector.ts'
import type { Import } from './template.ts'

const known = new Map<string, ModuleAnalysis | undefined>()
/** More than these are made by a program that evaluates texts. */
const KNOWN_MAX = 10_000

/** The names of a module, read from where it stands; `undefined` if that cannot be read. */
export const moduleFacts = (url: string, scriptId: string): ModuleAnalysis | undefined => {
  const key = isFile(url) ? url : `${scriptId}:${url}`
  if (known.has(key)) return known.get(key)
  const facts = readFacts(url, scriptId)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(key, facts)
  return facts
}

/** Whether the file of a module tells that this export is a generator function. Most files have none, and are not analysed for it. */
export const exportsGenerator = (url: string, name: string): boolean => {
  if (!isFile(url) || !mayHaveGenerators(url)) return false
  const facts = moduleFacts(url, '')
  const local = facts?.exports.find(({ exported }) => exported === name)?.local ?? name
  return facts?.generators.includes(local) === true
}

const mayHaveGenerators = (url: string): boolean => says(url, /\bfunction\s*\*/)

/** Whether the file of a module tells that this export is a class, also by the names of other files that it passes on. */
export const exportsClass = (url: string, name: string): boolean => isClassIn(url, name, new Set())

/** `seen`: files that pass all on to each other. */
const isClassIn = (url: string, name: string, seen: Set<string>): boolean => {
  if (!isFile(url) || seen.has(url) || !says(url, MAY_HAVE_CLASSES)) return false
  seen.add(url)
  const facts = moduleFacts(url, '')
  if (facts === undefined) return false
  const local = facts.exports.find(({ exported }) => exported === name)?.local ?? name
  if (facts.classes.includes(local)) return true
  const imported = facts.imports.find((entry) => entry.local === local && !entry.isType)
  if (imported !== undefined) return isClassOf(imported, url, seen)
  const named = facts.passedOn.find(({ exported }) => exported === name)
  if (named !== undefined) return isClassOf(named, url, seen)
  return name !== 'default' && facts.passedOn.some((all) => all.exported === '*' && isClassOf({ ...all, imported: name }, url, seen))
}

/** Classes, or names of other files. */
const MAY_HAVE_CLASSES = /\bclass\b|\bexport\s*[*{]/

const isClassOf = ({ specifier, imported }: { readonly specifier: string; readonly imported: string }, parent: string, seen: Set<string>): boolean => {
  const url = relativeUrl(specifier, parent)
  return url !== undefined && (isClassIn(url, imported, seen) || isClassIn(sourceOf(url), imported, seen))
}

const says = (url: string, what: RegExp): boolean => {
  try {
    return what.test(readFileSync(fileURLToPath(new URL(url)), 'utf8'))
  } catch {
    // A worker says what is wrong with it.
    return false
  }
}

/** Evaluated modules have URLs like files that are none. */
export const isFile = (url: string): boolean => url.startsWith('file:') && !/\/(\[|%5B)eval\d*(\]|%5D)$/i.test(url)

const readFacts = (url: string, scriptId: string): ModuleAnalysis | undefined => {
  try {
    const path = isFile(url) ? fileURLToPath(new URL(url)) : undefined
    const source = path === undefined ? sourceOfScript(scriptId) : readFileSync(path, 'utf8')
    if (source === undefined) return undefined
    return analyzeModule(source, path !== undefined && /\.[cm]?tsx?$/.test(path), path === undefined || !/\.[cm]?ts$/.test(path))
  } catch {
    // Gone, or in a language of its own: its compiled text is not looked for.
    return undefined
  }
}

/** Where modules that a file names are looked for; evaluated code looks from where the program was started. */
export const parentOf = (url: string): string => {
  if (url.startsWith('file:')) return url
  try {
    return new URL('[eval]', `file://${process.cwd()}/`).href
  } catch {
    return 'file:///[eval]'
  }
}

export interface Captured {
  readonly name: string
  readonly value: unknown
  /** It lies in the scope of an ES module, where a name means what the source says. */
  readonly isModuleScope: boolean
  /** It lies in an ES module, as V8 has it: no compiler made its imports something else. */
  readonly isInModule: boolean
}

/** The import that a captured name is a binding of. */
export const importOf = (facts: ModuleAnalysis, url: string, { name, value, isModuleScope, isInModule }: Captured): Import | undefined => {
  const parent = parentOf(url)
  for (const entry of facts.imports) {
    if (entry.isType || entry.local !== name) continue
    const found = ofImport(entry, parent)
    if (isModuleScope || loadedValue(found)?.value === value) return found
    // A compiler made `require` of it.
    const required = { ...found, how: 'require' as const }
    if (isRequired(required, value)) return ofThisPackage(required)
  }
  for (const entry of facts.requires) {
    if (entry.local !== name) continue
    const found = matching(entry, parent, value)
    if (found !== undefined) return ofThisPackage(found)
  }
  // Compilers to CommonJS give a module a name of their own.
  const compiled = isModuleScope || isInModule ? undefined : compiledImport(facts, parent, name, value)
  return compiled === undefined ? undefined : ofThisPackage(compiled)
}

const ofImport = ({ local, specifier, imported, attributes }: ImportRecord, parent: string): Import => ({
  local,
  how: 'import',
  specifier,
  parent,
  path: imported === '*' ? [] : [imported],
  ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value])) }),
})

/** Compilers may have made another copy of this package of its `require`; workers have the one that `import` gives. */
const ofThisPackage = (from: Import): Import =>
  /^mobula(\/|$)/.test(from.specifier) && from.how === 'require' ? { ...from, how: 'import', isWrapped: false } : from

const isRequired = (from: Import, value: unknown): boolean => {
  const found = loadedValue(from)
  return found !== undefined && found.value === value
}

const matching = ({ local, specifier, path, isWrapped }: RequireRecord, parent: string, value: unknown): Import | undefined => {
  const plain: Import = { local, how: 'require', specifier, parent, path }
  if (isRequired(plain, value)) return plain
  return isWrapped ? wrapped(plain, value) : undefined
}

const compiledImport = (facts: ModuleAnalysis, parent: string, local: string, value: unknown): Import | undefined => {
  if (typeof value !== 'object' && typeof value !== 'function') return undefined
  for (const { specifier, isType } of facts.imports) {
    if (isType) continue
    const plain: Import = { local, how: 'require', specifier, parent, path: [] }
    if (isRequired(plain, value)) return plain
    const found = wrapped(plain, value)
    if (found !== undefined) return found
  }
  return undefined
}

/** What compilers wrap around a CommonJS module, so that it looks like a namespace: recognised by what it holds. */
const wrapped = (plain: Import, value: unknown): Import | undefined => {
  const raw = loadedValue({ ...plain, path: [] })?.value
  if (raw === undefined || raw === null || typeof value !== 'object' || value === null) return undefined
  const inner = (value as { readonly default?: unknown }).default
  if (inner === raw) return { ...plain, path: [], isWrapped: true }
  const { default: own, __esModule } = raw as { readonly default?: unknown; readonly __esModule?: unknown }
  return __esModule === true && inner === own && own !== undefined ? { ...plain, path: [] } : undefined
}

/** The file that a relative specifier means, without looking; bare ones mean none. */
export const relativeUrl = (specifier: string, parent: string): string | undefined =>
  /^(\.{0,2}\/|file:)/.test(specifier) && !isBuiltinSpecifier(specifier) ? new URL(specifier, parent).href : undefined

/** Extensions that TypeScript's names of compiled files stand for. */
const SOURCES: Readonly<Record<string, string>> = { '.js': '.ts', '.mjs': '.mts', '.cjs': '.cts' }
const sourceOf = (url: string): string => url.replace(/\.[cm]?js$/, (extension) => SOURCES[extension] as string)

/** Whether an imported file of the project's assigns what it exports, so that importers see it change. */
export const isReassigned = ({ how, specifier, parent, path }: Import): boolean => {
  const [name] = path
  const url = how === 'import' && path.length === 1 ? relativeUrl(specifier, parent) : undefined
  if (url === undefined || name === undefined) return false
  const facts = moduleFacts(url, '') ?? moduleFacts(sourceOf(url), '')
  return facts?.exports.some(({ exported, local }) => exported === name && facts.reassigned.includes(local)) === true
}

/** CommonJS modules of packages, by what they export: for names that no `require` stands behind. */
export const packageExport = (value: object): { readonly file: string; readonly path: readonly string[] } | undefined => {
  const { cache } = createRequire(import.meta.url)
  for (const module of Object.values(cache)) {
    if (typeof module?.filename !== 'string' || !module.filename.includes('/node_modules/')) continue
    const exported: unknown = module.exports
    if (exported === value) return { file: module.filename, path: [] }
    if (typeof exported !== 'function' && (typeof exported !== 'object' || exported === null)) continue
    for (const [key, { value: member }] of Object.entries(Object.getOwnPropertyDescriptors(exported)))
      if (member === value) return { file: module.filename, path: [key] }
  }
  return undefined
}
