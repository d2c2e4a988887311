/** One array, many readers: it is copied into the store once, and no task copies it again. */

import { get, put, remote, shutdown } from 'mobula'

const megabytes = 64
const array = new Float64Array((megabytes * 2 ** 20) / 8).map((_, k) => k % 1000)

// From here on it is in shared memory, and does not change when this copy does.
const ref = put(array)
array.fill(0)

const sum = remote((numbers: Float64Array, part: number, parts: number) => {
  const end = Math.floor((numbers.length * (part + 1)) / parts)
  let total = 0
  for (let k = Math.floor((numbers.length * part) / parts); k < end; k++) total += numbers[k] as number
  return total
})

const parts = 16
const totals = await get(Array.from({ length: parts }, (_, part) => sum.remote(ref, part, parts)))
const total = totals.reduce((a, b) => a + b, 0)
console.log(`${parts} tasks read ${megabytes} MB where it lies: the sum is ${total}`)

// The program itself reads the same memory.
const numbers = await get(ref)
console.log(`it begins with ${numbers.subarray(0, 3).join(', ')}, whatever became of the first copy: ${array.subarray(0, 3).join(', ')}`)

await shutdown()
