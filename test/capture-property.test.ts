/** Closures that nobody thought of give the same on a worker as here. */

import { test } from 'uvu'
import { properties } from './support/capture-property.ts'
import { withRuntime } from './support/with-runtime.ts'

for (const { name, check } of properties)
  test(
    name,
    withRuntime({}, () => check({ runs: 300, seed: 2026 })),
  )

test.run()
