/** Whether Node loads a module as it stands, which a test framework or a server loaded in its own way: through aliases, without extensions, compiled. */

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { analyzeLoading } from '../binding.ts'
import { isBuiltinSpecifier } from './globals.ts'
import { moduleFacts, relativeUrl } from './modules.ts'

/** By URL. Files are taken not to change. */
const known = new Map<string, boolean>()

/** A URL of a file, or what else an `import` may say. With all that the module imports, except for packages: these are made for Node. */
export const isLoadable = (target: string): boolean => {
  if (!target.startsWith('file:') || target.includes('/node_modules/')) return true
  const found = known.get(target)
  if (found !== undefined) return found
  // In a ring it is up to the others.
  known.set(target, true)
  const answer = isLoadableFile(target)
  known.set(target, answer)
  return answer
}

const SCRIPT = /\.[cm]?([jt])s$/

const isLoadableFile = (url: string): boolean => {
  try {
    const path = fileURLToPath(url)
    if (/\.(json|node|wasm)$/.test(path)) return existsSync(path)
    const [, language] = SCRIPT.exec(path) ?? []
    if (language === undefined || (language === 't' && !stripsTypes)) return false
    const { requested, isErasable } = analyzeLoading(readFileSync(path, 'utf8'), language === 't', language === 'j')
    const imports = moduleFacts(url, '')?.imports ?? []
    // Data is loaded where the import says that it is data.
    const isSaid = (specifier: string): boolean =>
      !/\.json$/.test(specifier) || imports.some((entry) => entry.specifier === specifier && entry.attributes.length > 0)
    return isErasable && requested.every((specifier) => isSaid(specifier) && isFound(specifier, url))
  } catch {
    // Gone, or in a language that only the framework knows.
    return false
  }
}

/** Node has it on since 22.18. */
const stripsTypes = (process.features as { readonly typescript?: unknown }).typescript !== undefined && process.features.typescript !== false

const isFound = (specifier: string, parent: string): boolean => {
  if (isBuiltinSpecifier(specifier) || /^(data|https?):/.test(specifier)) return true
  const local = relativeUrl(specifier, parent)
  if (local !== undefined) return isLoadable(local)
  try {
    createRequire(parent).resolve(specifier)
    return true
  } catch (error) {
    // A package that has nothing for `require` is there all the same.
    return (error as { readonly code?: unknown }).code !== 'MODULE_NOT_FOUND'
  }
}
