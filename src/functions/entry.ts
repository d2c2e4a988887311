/** The program's own file, which workers never run: what it defines cannot be imported there. */

import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** As it was named and as it was found: `node .` and `node app` name it without its extension. */
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

/** Workers are told, since their own arguments name something else. */
let entries: readonly string[] | undefined

export const programEntries = (): readonly string[] => {
  entries ??= findEntry()
  return entries
}

let isWorker = false

export const setProgramEntries = (urls: readonly string[]): void => {
  entries = urls
  isWorker = true
}

/** This thread runs tasks: what its modules define, it has imported. */
export const runsTasks = (): boolean => isWorker

const EXTENSION = /\.([cm]?)([jt])sx?$/

/** True if a URL, with or without its extension, is that of the program's own file. TypeScript names the file that a compiler would make. */
export const programFile = (url: string): boolean => {
  const wanted = url.replace(/[?#].*$/, '')
  return programEntries().some((entry) => {
    if (entry === wanted) return true
    const [ending = '', kind, language] = EXTENSION.exec(entry) ?? []
    const bare = entry.slice(0, entry.length - ending.length)
    if (wanted === bare) return true
    const [other = '', otherKind] = EXTENSION.exec(wanted) ?? []
    return language === 't' && wanted.slice(0, wanted.length - other.length) === bare && kind === otherKind
  })
}
