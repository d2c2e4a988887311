/** Stands in for `uvu` in test files: the same functions, which also tell what uvu swallows (failing hooks, thrown non-Errors, a missing `run`). */

import { inspect, types } from 'node:util'
import { suite as realSuite, test as realTest } from 'uvu'

/** What was seen so far; `run-file.mjs` reads it, and sets `onTest`. */
export const ledger = {
  /** Tests of suites whose `run` was not called. */
  waiting: 0,
  skipped: 0,
  only: 0,
  /** @type {string[]} */
  hookFailures: [],
  /** @type {(name: string | null, passed: boolean) => void} told of each test that begins, and of its end by null */
  onTest: () => {},
}

/** uvu reads `name`, `message` and `stack` of what was thrown, and counts nothing at all if that throws again. @param {unknown} thrown */
function asError(thrown) {
  if (thrown instanceof Error || types.isNativeError(thrown)) {
    if (typeof thrown.name === 'string' && (typeof thrown.stack === 'string' || thrown.stack === undefined)) return thrown
  }
  return new Error(`threw something that is not an Error: ${inspect(thrown)}`)
}

/**
 * @param {import('uvu').Test<any>} real
 * @param {string} suiteName
 */
function watch(real, suiteName) {
  let waiting = 0
  const add = (/** @type {typeof real} */ into) => (/** @type {string} */ name, /** @type {import('uvu').Callback<any>} */ handler) => {
    waiting += 1
    ledger.waiting += 1
    into(name, async (context) => {
      ledger.onTest(suiteName === '' ? name : `${suiteName}: ${name}`, false)
      try {
        await handler(context)
      } catch (thrown) {
        ledger.onTest(null, false)
        throw asError(thrown)
      }
      ledger.onTest(null, true)
    })
  }
  const hook =
    (/** @type {string} */ kind, /** @type {(handler: import('uvu').Callback<any>) => void} */ into) => (/** @type {import('uvu').Callback<any>} */ handler) =>
      into(async (context) => {
        try {
          await handler(context)
        } catch (thrown) {
          const error = asError(thrown)
          const title = `a \`${kind}\` hook${suiteName === '' ? '' : ` of "${suiteName}"`} threw: ${error}`
          // uvu calls it again for each test, and `after.each` twice for a test that fails.
          if (!ledger.hookFailures.some((seen) => seen.startsWith(title))) ledger.hookFailures.push(`${title}\n${error.stack ?? ''}`)
          throw error
        }
      })
  const addOnly = add(/** @type {typeof real} */ (real.only))
  return Object.assign(add(real), {
    only: (/** @type {string} */ name, /** @type {import('uvu').Callback<any>} */ handler) => {
      ledger.only += 1
      addOnly(name, handler)
    },
    skip: (/** @type {any[]} */ ...args) => {
      ledger.skipped += 1
      return real.skip(.../** @type {[]} */ (args))
    },
    before: Object.assign(hook('before', real.before), { each: hook('before.each', real.before.each) }),
    after: Object.assign(hook('after', real.after), { each: hook('after.each', real.after.each) }),
    run: () => {
      ledger.waiting -= waiting
      waiting = 0
      real.run()
    },
  })
}

export const suite = (/** @type {string} */ name = '', /** @type {any} */ state = {}) => watch(realSuite(name, state), name)
export const test = watch(realTest, '')
