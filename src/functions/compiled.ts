/** Files that a test framework or a server compiles as it loads them: what V8 runs is another text than the file's, and Node has no source map of it. */

import { findSourceMap } from 'node:module'
import type { ModuleAnalysis } from '../binding.ts'
import { type Place, sourceOfScript } from './inspector.ts'
import { isFile } from './modules.ts'
import { noteMap } from './place.ts'

/** By script. */
const known = new Map<string, string | undefined>()
/** More than these are made by a server that compiles files anew. */
const KNOWN_MAX = 10_000

/**
 * The text that V8 runs, where that is not the file's: an ES module that is none of V8's, and not of the compilers that tell Node where things
 * stood. Asking takes V8's debugger, so nothing else is asked for.
 */
export const compiledText = ({ url, scriptId, isInModule }: Place, facts: ModuleAnalysis | undefined): string | undefined => {
  if (isInModule || facts?.isModule !== true || !isFile(url)) return undefined
  if (known.has(scriptId)) return known.get(scriptId)
  const text = findSourceMap(url) === undefined ? sourceOfScript(scriptId) : undefined
  if (text !== undefined) noteMap(url, text)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(scriptId, text)
  return text
}
