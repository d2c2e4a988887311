/** Content hashes of files and folders, by which a step knows that it has nothing to do. */

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/**
 * All files below the given files and folders that exist, in a fixed order.
 * @param {string} base
 * @param {readonly string[]} paths relative to base
 * @returns {string[]} relative to base
 */
export function filesBelow(base, paths) {
  /** @type {string[]} */
  const files = []
  for (const path of paths) {
    const full = join(base, path)
    const stat = statSync(full, { throwIfNoEntry: false })
    if (stat?.isFile()) files.push(path)
    if (!stat?.isDirectory()) continue
    for (const entry of readdirSync(full, { withFileTypes: true, recursive: true })) {
      if (entry.isFile()) files.push(relative(base, join(entry.parentPath, entry.name)))
    }
  }
  return files.sort()
}

/**
 * @param {string} base
 * @param {readonly string[]} files relative to base
 * @param {readonly string[]} [more] other things that the outcome depends on
 */
export function fingerprint(base, files, more = []) {
  const hash = createHash('sha256')
  for (const text of more) hash.update(`${text}\0`)
  for (const file of files) {
    const content = readFileSync(join(base, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** @param {string} file @returns {Record<string, string>} what was noted there; nothing when it was lost */
export function readNotes(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {}
  }
}

/** @param {string} file @param {Record<string, string>} notes added to those there */
export function addNotes(file, notes) {
  mkdirSync(dirname(file), { recursive: true })
  const fresh = `${file}.${process.pid}`
  writeFileSync(fresh, `${JSON.stringify({ ...readNotes(file), ...notes }, null, 2)}\n`)
  renameSync(fresh, file)
}
