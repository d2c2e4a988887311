/** Closures that nobody thought of give the same on a worker as here. */

import { test } from 'uvu'
import { properties } from './support/capture-property.ts'
import { withRuntime } from './support/with-runtime.ts'

// Each is a script of its own, and V8 is asked for all scripts for the sake of a new one: some 10 ms.
for (const { name, check } of properties)
  test(
    name,
    withRuntime({}, () => check({ runs: 100, seed: 2026 })),
  )

test.run()
