/** Thousands of arbitrary closures, others each time. Time limit: 900 s. */

import { randomInt } from 'node:crypto'
import { test } from 'uvu'
import { properties } from '../support/capture-property.ts'
import { withRuntime } from '../support/with-runtime.ts'

const seed = Number(process.env['MOBULA_TEST_SEED'] ?? randomInt(2 ** 31))

for (const { name, check } of properties)
  test(
    `${name}, 5,000 times`,
    withRuntime({}, () => check({ runs: 5000, seed })),
  )

test.run()
