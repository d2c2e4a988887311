/** Runs what the case files registered, one after another over one runtime: a line for each that fails, and `N of M` at the end. */

import { init, shutdown } from 'mobula'
import { cases } from './case.mjs'

/** For one case. */
const LIMIT_MS = 20_000
/** For the process to end by itself afterwards. */
const EXIT_LIMIT_MS = 10_000

/** Found by a case if the program's entry were run on a worker. */
Object.assign(globalThis, { [Symbol.for('mobula.capture.entry')]: true })

/** Not by `console`, which test frameworks make their own. @param {string} line */
const say = (line) => process.stdout.write(`${line}\n`)

/** @param {{ exits?: boolean }} [options] exits: the process is ours, and has to end by itself afterwards */
export const runCases = async ({ exits = true } = {}) => {
  try {
    const at = process.argv.indexOf('--only')
    const wanted = at < 0 ? '' : (process.argv[at + 1] ?? '')
    const chosen = cases.filter(({ name }) => name.includes(wanted))
    await init({ numCpus: 2, objectStoreMemory: 256 * 2 ** 20 })
    let passed = 0
    for (const { name, run } of chosen) {
      const problem = await outcome(run)
      if (problem === undefined) passed += 1
      else say(`FAILED ${name}: ${problem}`)
    }
    await shutdown()
    say(`${passed} of ${chosen.length}`)
    process.exitCode = passed === chosen.length && passed > 0 ? 0 : 1
  } catch (error) {
    say(shown(error))
    process.exitCode = 1
  }
  if (!exits) return
  setTimeout(() => {
    say(`the process does not end: ${process.getActiveResourcesInfo().join()}`)
    process.exit(1)
  }, EXIT_LIMIT_MS).unref()
}

/** @param {() => unknown} run @returns {Promise<string | undefined>} */
const outcome = async (run) => {
  /** @type {NodeJS.Timeout | undefined} */
  let limit
  const late = new Promise((resolve) => {
    limit = setTimeout(resolve, LIMIT_MS, `not finished after ${LIMIT_MS / 1000} s`)
  })
  try {
    return await Promise.race([late, Promise.resolve(run()).then(() => undefined)])
  } catch (error) {
    return shown(error)
  } finally {
    clearTimeout(limit)
  }
}

/** In one line, with the place in the case. @param {unknown} error @returns {string} */
const shown = (error) => {
  if (!(error instanceof Error)) return String(error)
  const { name, message, stack = '', cause } = error
  const place = /\(?([^\s(]*(?:cases|modules)[\\/][^\s)]+)/.exec(stack.slice(stack.indexOf(message) + message.length))?.[1]
  const where = place === undefined ? '' : ` (${place.replace(/.*[\\/](?=cases|modules)/, '')})`
  return `${name}: ${message.replace(/\s*\n\s*/g, ' | ').slice(0, 600)}${where}${cause === undefined ? '' : `, caused by ${shown(cause)}`}`
}
