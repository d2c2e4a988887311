/** Tasks that submit tasks: a merge sort that splits itself, on as many threads as there are. */

import { get, put, type RemoteFunction, remote, shutdown } from 'mobula'

const merged = (left: Float64Array, right: Float64Array): Float64Array => {
  const result = new Float64Array(left.length + right.length)
  for (let k = 0, i = 0, j = 0; k < result.length; k++) {
    const fromLeft = j === right.length || (i < left.length && (left[i] as number) <= (right[j] as number))
    result[k] = (fromLeft ? left[i++] : right[j++]) as number
  }
  return result
}

/** It takes `merged` along, and itself. */
const sort: RemoteFunction<(numbers: Float64Array) => Promise<Float64Array>> = remote(async (numbers) => {
  if (numbers.length <= 50_000) return numbers.toSorted()
  const middle = numbers.length >> 1
  // While a task awaits its own tasks, its CPU runs others: this ends on a single thread too.
  const [left, right] = await get([sort.remote(numbers.subarray(0, middle)), sort.remote(numbers.subarray(middle))])
  return merged(left, right)
})

const numbers = Float64Array.from({ length: 400_000 }, (_, k) => (k * 7_919_777) % 400_009)
const result = await get(sort.remote(put(numbers)))
console.log(`${result.length} numbers, in order: ${result.every((number, k) => k === 0 || number >= (result[k - 1] as number))}`)
await shutdown()
