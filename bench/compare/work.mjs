/** The functions that every rival runs, as a plain JavaScript module that any pool can load. */

import { readFileSync } from 'node:fs'
import { getEnvironmentData } from 'node:worker_threads'

export const noop = () => {}

/** @template T @param {T} value */
export const identity = (value) => value

/** @param {{ a: number, b: number }} pair */
export const add = ({ a, b }) => a + b

/** @param {Float64Array} numbers */
export function sum(numbers) {
  let total = 0
  for (let at = 0; at < numbers.length; at++) total += numbers[at] ?? 0
  return total
}

/** Looks at one byte of each page. @param {Uint8Array} bytes */
export function glance(bytes) {
  let total = 0
  for (let at = 0; at < bytes.length; at += 4096) total += bytes[at] ?? 0
  return total
}

/** @param {string} path */
export const glanceAtFile = (path) => glance(readFileSync(path))

/** @type {Uint8Array | undefined} */
let kept

/** Looks at the bytes and keeps them, until it is given nothing. @param {Uint8Array | undefined} bytes */
export function keep(bytes) {
  kept = bytes
  return kept === undefined ? 0 : glance(kept)
}

/** Computes for so many microseconds, without giving the thread back. @param {number} microseconds */
export function busy(microseconds) {
  const end = performance.now() + microseconds / 1000
  let rounds = 0
  while (performance.now() < end) rounds++
  return rounds
}

export const exit = () => process.exit(0)

/** Returns when so many threads are in here; a word of the environment's counts those of each round. @param {{ round: number, count: number }} what */
export function meet({ round, count }) {
  const words = /** @type {Int32Array} */ (/** @type {unknown} */ (getEnvironmentData('words')))
  Atomics.add(words, round, 1)
  Atomics.notify(words, round)
  for (let here = Atomics.load(words, round); here < count; here = Atomics.load(words, round)) Atomics.wait(words, round, here)
}

/** Milliseconds, and no CPU. @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
