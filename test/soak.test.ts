/** Four threads and one small store: every byte that is read is the right one, whoever writes, spills, frees or dies. In short; test/long has more of it. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { soak } from './support/soak.ts'

test('in a program: objects keep their bytes while threads die, and nothing is left of them', () => {
  const done = soak({ seed: 20261121, operations: 400, warmup: 100, deaths: 20 })
  for (const what of ['got', 'got as a copy', 'found objects on disk', 'freed', 'crashed'])
    assert.ok((done[what] ?? 0) > 0, `none ${what}: ${JSON.stringify(done)}`)
})

test.run()
