/** 100,000 different closures, each called once: nothing is left of them. Time limit: 1500 s. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const program = fileURLToPath(new URL('../fixtures/programs/closures.mjs', import.meta.url))

/** What may be more afterwards. Of each closure 40 bytes in a heap would be more than that. */
const slack: Readonly<Record<string, number>> = { here: 4e6, there: 4e6, rss: 64e6, objects: 10, refs: 10, slots: 100 }

test('nothing is left of 100,000 closures', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '100000', '4000'], { encoding: 'utf8', timeout: 1_400_000 })
  assert.is(status, 0, stderr)
  const { before, after } = JSON.parse(stdout) as Record<'before' | 'after', Record<string, number>>
  for (const [what, more] of Object.entries(slack))
    assert.ok((after[what] ?? 0) <= (before[what] ?? 0) + more, `${what}: ${before[what]} before, ${after[what]} after`)
})

test.run()
