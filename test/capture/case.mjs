/** How a case of the capture matrix is written: a user's code, called on a worker, and compared with what the same call gives here. */
// @ts-nocheck: see cases/

import assert from 'node:assert/strict'
import * as mobula from 'mobula'

const { CaptureError, get, remote } = mobula

/** What a setup cannot have: `names` of variables where they are minified, modules `apart` where all are in one bundle, workers `there`. */
export const setup = {
  there: mobula.isLocal !== true,
  names: !process.argv.includes('--no-names'),
  apart: !process.argv.includes('--bundled'),
}

/** Modules that are made to fail on workers look for it. */
globalThis[Symbol.for('mobula.capture.driver')] = true

/** @type {{ name: string, run: () => unknown }[]} */
export const cases = []

/** `needs` are names of what `setup` has. */
export const feature = (name, run, needs = []) => {
  assert.ok(!cases.some((other) => other.name === name), `two cases are called "${name}"`)
  if (needs.every((one) => setup[one])) cases.push({ name, run })
}

export const call = (fn, ...args) => get(remote(fn).remote(...args))

/** Submitted first: what the call here changes must not be seen there. */
export const same = async (fn, ...args) => {
  const ref = remote(fn).remote(...args)
  assert.deepEqual(await get(ref), await fn(...args))
}

export const thrown = (attempt) => {
  try {
    attempt()
  } catch (error) {
    return error
  }
  assert.fail('nothing was thrown')
}

export const rejected = async (promise) => {
  try {
    await promise
  } catch (error) {
    return error
  }
  assert.fail('nothing was rejected')
}

/** Submits what cannot travel. It is refused at once, each time, for a reason that names it; and the runtime goes on. */
export const refuses = (name, make, parts = []) =>
  feature(`refused: ${name}`, async () => {
    const fn = make()
    for (let k = 0; k < 2; k++) refusal(() => remote(fn).remote(), parts)
    assert.equal(await call((x) => x + 1, 1), 2)
    const report = mobula.checkCapture(fn)
    assert.equal(report.ok, false)
    refusal(() => {
      throw report.error
    }, parts)
  }, ['there'])

const refusal = (attempt, parts) => {
  let error
  try {
    const ref = attempt()
    // What was taken after all may never settle.
    get(ref).catch(() => {})
  } catch (thrown) {
    error = thrown
  }
  assert.ok(error instanceof CaptureError, error === undefined ? 'it was taken' : `it is ${String(error?.stack ?? error)}`)
  assert.equal(error.code, 'ERR_CAPTURE')
  if (!setup.names) return
  for (const part of parts) assert.ok(error.message.includes(part), `"${part}" is not in: ${error.message}`)
  if (setup.apart) assert.match(error.message, /refusals\.[cm]?[jt]s:\d+/)
}

/** Either what the call gives here, or a refusal: never something else. */
export const sameOrRefused = async (fn, ...args) => {
  let ref
  try {
    ref = remote(fn).remote(...args)
  } catch (error) {
    if (error instanceof CaptureError) return
    throw error
  }
  assert.deepEqual(await get(ref), await fn(...args))
}
