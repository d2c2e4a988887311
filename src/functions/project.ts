/** Files by their place in the project, so that a function's record means the same where the project lies elsewhere. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { programEntries } from './entry.ts'
import type { Import, Template } from './template.ts'

const SCHEME = 'project:'

let root: string | undefined

/** URL of the folder, with its slash: the nearest one above the program's file that has a `package.json`, else where it was started. */
export const projectRoot = (): string => {
  root ??= pathToFileURL(`${findRoot()}/`).href
  return root
}

/** Workers are told. */
export const setProjectRoot = (url: string): void => {
  root = url
}

const findRoot = (): string => {
  const [entry] = programEntries()
  for (let at = entry === undefined ? '/' : dirname(fileURLToPath(entry)); at !== dirname(at); at = dirname(at))
    if (existsSync(join(at, 'package.json'))) return at
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}

const outward = (url: string): string => (url.startsWith(projectRoot()) ? SCHEME + url.slice(projectRoot().length) : url)

const inward = (url: string): string => (url.startsWith(SCHEME) ? projectRoot() + url.slice(SCHEME.length) : url)

const change = (template: Template, to: (url: string) => string): Template => {
  const changed = (from: Import): Import => ({ ...from, specifier: to(from.specifier), parent: to(from.parent) })
  switch (template.kind) {
    case 'function':
      return { ...template, url: to(template.url), imports: template.imports.map(changed) }
    case 'import':
      return { ...template, from: changed(template.from) }
    case 'require':
    case 'importer':
    case 'meta':
      return { ...template, parent: to(template.parent) }
    default:
      return template
  }
}

/** A template as it travels. */
export const toRecord = (template: Template): string => JSON.stringify(change(template, outward))

/** And as it is used. */
export const fromRecord = (text: string): Template => change(JSON.parse(text) as Template, inward)
