/** What the chaos run has done: each gives the same however often it is run. */

import { get, getSync, remote } from '../../dist/index.js'

/** @param {number} a @param {number} b */
export const add = (a, b) => a + b

/** @param {number} x @param {number} ms */
export const later = async (x, ms) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return x
}

/** @param {number} length @param {number} x */
export const fill = (length, x) => new Float64Array(length).fill(x)

/** @param {Float64Array} data */
export const sum = (data) => data.reduce((a, b) => a + b, 0)

/** @param {string} text */
export const throws = (text) => {
  throw new RangeError(text)
}

/** @param {number} a @param {number} b */
export const pair = (a, b) => [a, b]

/** @param {number} ms @param {number} x */
export const spin = (ms, x) => {
  const end = performance.now() + ms
  while (performance.now() < end);
  return x
}

const again = { maxRetries: -1 }
const own = remote.module(import.meta.url, 'add').options(again)

/** @param {number} x */
export const nests = async (x) => /** @type {number} */ (await get(own.remote(x, 1))) + /** @type {number} */ (await get(own.remote(x, 2)))

/** @param {number} x */
export const blocks = (x) => /** @type {number} */ (getSync(own.remote(x, 3))) + x
