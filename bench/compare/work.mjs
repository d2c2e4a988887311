/** The functions that every rival runs, as a plain JavaScript module that any pool can load. */

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

/** Computes for so many microseconds, without giving the thread back. @param {number} microseconds */
export function busy(microseconds) {
  const end = performance.now() + microseconds / 1000
  let rounds = 0
  while (performance.now() < end) rounds++
  return rounds
}
