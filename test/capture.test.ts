/** Functions ship by themselves: the cases of test/capture, over the compiled package, as ES modules and as TypeScript under tsx. Time limit: 200 s. */
// Other setups and Nodes: npm run test:long -- --only capture

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runSetup, setupOf } from '../scripts/capture-setups.mjs'

for (const name of ['esm', 'tsx']) {
  test(`the cases as ${name}`, async () => {
    const { passed, failed, lines } = await runSetup(setupOf(name), process.execPath, { limitSeconds: 90 })
    assert.ok(failed === 0 && passed > 200, lines.join('\n'))
  })
}

test.run()
