/** The command line of the demo. */

import { parseArgs } from 'node:util'

export interface Arguments {
  readonly help: boolean
  /** At most so many of the file's rows; all of them unless given. */
  readonly rows: number | undefined
  /** As `numCpus` of `init`: the cores that the process may use, unless given. */
  readonly workers: number | undefined
}

export const HELP = `npm run demo [-- options]

  Computes delay features of real flights (US DOT, January to June 2001), on workers
  over shared memory and on one thread, and compares the two.

  --rows N      only the first N of the 3,000,000 rows
  --workers N   so many tasks at once (default: the cores this process may use)
  --help        this text`

/** Tells what is wrong with the command line, in one sentence. */
export class ArgumentError extends Error {}

const WORKERS_MAX = 256

export const parseArguments = (args: readonly string[]): Arguments => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { rows: { type: 'string' }, workers: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    return {
      help: values.help ?? false,
      rows: wholeNumber('--rows', values.rows, Number.MAX_SAFE_INTEGER),
      workers: wholeNumber('--workers', values.workers, WORKERS_MAX),
    }
  } catch (error) {
    // Node's own messages go on with advice after the first sentence.
    if (error instanceof TypeError) throw new ArgumentError(`${error.message.split(/\.\s|\.$/)[0]}.`)
    throw error
  }
}

const wholeNumber = (name: string, text: string | undefined, max: number): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text.replaceAll(/[_,](?=\d{3}\b)/g, ''))
  if (/^\d/.test(text) && Number.isInteger(value) && value >= 1 && value <= max) return value
  const range = max === Number.MAX_SAFE_INTEGER ? 'a whole number from 1 up' : `a whole number from 1 to ${max}`
  throw new ArgumentError(`${name} must be ${range}, not ${JSON.stringify(text)}.`)
}
