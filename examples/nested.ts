/** Tasks that submit tasks: a merge sort that splits itself, on as many threads as there are. */

import { isMainThread } from 'node:worker_threads'
import { get, put, remote, shutdown } from 'mobula'

/** A worker imports this very file, and finds the function here: what runs at the top level must be for the program alone. */
export const sorted = async (numbers: Float64Array): Promise<Float64Array> => {
  if (numbers.length <= 50_000) return numbers.toSorted()
  const middle = numbers.length >> 1
  // While a task awaits its own tasks, its CPU runs others: this ends on a single thread too.
  const halves = [numbers.subarray(0, middle), numbers.subarray(middle)].map((half) => sort.remote(half))
  const [left = numbers, right = numbers] = await get(halves)
  const result = new Float64Array(numbers.length)
  for (let k = 0, i = 0, j = 0; k < result.length; k++) {
    const fromLeft = j === right.length || (i < left.length && (left[i] as number) <= (right[j] as number))
    result[k] = (fromLeft ? left[i++] : right[j++]) as number
  }
  return result
}

const sort = remote.module<typeof sorted>(import.meta.url, 'sorted')

if (isMainThread) {
  const numbers = Float64Array.from({ length: 400_000 }, (_, k) => (k * 7_919_777) % 400_009)
  const result = await get(sort.remote(put(numbers)))
  console.log(`${result.length} numbers, in order: ${result.every((number, k) => k === 0 || number >= (result[k - 1] as number))}`)
  await shutdown()
}
