/** The properties of the codec with many and large values, another seed each time. Time limit: 900 s. */

import { randomInt } from 'node:crypto'
import { test } from 'uvu'
import { properties } from '../support/codec-properties.ts'

const seed = Number(process.env['MOBULA_TEST_SEED'] ?? randomInt(2 ** 31))

for (const { name, check } of properties) {
  test(`${name}, 20,000 times`, () => check({ runs: 20_000, nodesMax: 24, seed }))
  test(`${name}, with hundreds of objects`, () => check({ runs: 500, nodesMax: 300, seed }))
}

test.run()
