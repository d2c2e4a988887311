/** Quick start: a function, some tasks, their results. Run it with `npx tsx examples/quick-start.ts`. */

import { get, init, remote, shutdown, wait } from 'mobula'

const { workers } = await init({ numCpus: 2 })
console.log(`tasks run on ${workers} threads`)

// Any function: it runs on a worker, and a call gives a ref to its result at once.
const primesBelow = remote((limit: number) => {
  const composite = new Uint8Array(limit)
  let count = 0
  for (let n = 2; n < limit; n++) {
    if (composite[n] === 1) continue
    count++
    for (let k = n * n; k < limit; k += n) composite[k] = 1
  }
  return count
})
const add = remote((a: number, b: number) => a + b)

const refs = [10, 1000, 100_000].map((limit) => primesBelow.remote(limit))
console.log(await get(refs)) // [ 4, 168, 9592 ]

// A ref is accepted wherever its value is: the task starts when the value is there, and nothing waits for it here.
const [few, more] = [primesBelow.remote(100), primesBelow.remote(1_000_000)]
console.log(await get(add.remote(few, more))) // 25 + 78498 = 78523

// What a task throws comes back as what it was.
const broken = remote((text: string): unknown => JSON.parse(text)).remote('{')
const [settled] = await wait([broken])
const error = await get(settled[0] ?? broken).catch((error: unknown) => error)
console.log(error instanceof SyntaxError) // true

await shutdown()
