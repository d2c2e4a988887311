/** Makes the errors for bad input: a `TypeError` or `RangeError` that names the argument, what was expected and what was got. */

import { inspect } from 'node:util'
import { ERROR_CODES } from './codes.ts'
import { MobulaError } from './errors.ts'

/** The wrong kind of value: `badType('numCpus', 'a number', '2')` says "numCpus: expected a number, got '2' (string)". */
export const badType = (argument: string, expected: string, got: unknown): TypeError => new TypeError(`${argument}: expected ${expected}, got ${shown(got)}`)

/** The right kind of value, out of bounds: `badRange('numCpus', 'at least 0', -1)`. */
export const badRange = (argument: string, expected: string, got: unknown): RangeError => new RangeError(`${argument}: expected ${expected}, got ${shown(got)}`)

/** A name nobody knows, with the nearest one that is known. */
export const unknownOption = (name: string, known: readonly string[], where: string): TypeError => {
  const near = nearest(name, known)
  return new TypeError(`${where}: unknown option ${inspect(name)}${near === undefined ? `; known are ${known.join(', ')}` : `, did you mean '${near}'?`}`)
}

/** What the contract has and this version has not: it is refused, never accepted and ignored. */
export const notSupported = (what: string): MobulaError => new MobulaError(`${what} is not supported in this version`, { code: ERROR_CODES.ERR_NOT_SUPPORTED })

/** The known name closest to `name`, if it is close enough to be a slip of the keyboard. */
export const nearest = (name: string, known: readonly string[]): string | undefined => {
  let best: string | undefined
  let least = Math.max(2, Math.ceil(name.length / 3)) + 1
  for (const candidate of known) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase())
    if (edits < least) {
      least = edits
      best = candidate
    }
  }
  return best
}

/** A value as a message shows it: short, on one line, with its type where the text leaves it open. */
export const shown = (value: unknown): string => {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function '${value.name}'`
  if (typeof value === 'object') return shownObject(value)
  const text = inspect(value, { maxStringLength: 60 })
  return `${text} (${typeof value})`
}

const shownObject = (value: object): string => {
  try {
    if (Array.isArray(value)) return `an array of length ${value.length}`
    const name: unknown = value.constructor?.name
    return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'an object'
  } catch {
    return 'an object'
  }
}

/** Levenshtein's distance, one row at a time. Names are short: the cost does not matter. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
