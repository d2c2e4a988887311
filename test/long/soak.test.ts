/**
 * Four threads and one small store for some minutes, another seed each time: every byte that is read is the right one, whoever writes,
 * spills, frees or dies, and at the end objects, pins, maps, threads and descriptors are back. Time limit: 1200 s.
 */
// MOBULA_SOAK_OPERATIONS=100000 runs it for longer, MOBULA_TEST_SEED again as it was.

import { randomInt } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { soak } from '../support/soak.ts'

const seed = Number(process.env['MOBULA_TEST_SEED'] ?? randomInt(2 ** 31))
const operations = Number(process.env['MOBULA_SOAK_OPERATIONS'] ?? 4000)

for (const views of ['private', 'copy', 'shared']) {
  test(`in a program: ${operations} operations, and threads that die in every way (${views})`, () => {
    const done = soak({ seed, operations, warmup: 1000, deaths: 10 }, views)
    console.log(views, done)
    const all = ['exit', 'exit later', 'throw outside', 'throw after the end', 'terminated', 'got', 'got as a copy', 'freed', 'found objects on disk']
    for (const what of all) assert.ok((done[what] ?? 0) > 0, `none ${what}`)
  })
}

test.run()
