/** The fuzz target of the codec for two minutes, another seed each time. Time limit: 300 s. */

import { randomInt } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuzz } from '../fuzz/codec.ts'

test('damaged bytes are a value or a SerializationError, and show nothing of what lies around them', async () => {
  const seed = randomInt(2 ** 31)
  const { finding, decoded, refused } = await fuzz({ seconds: 120, seed })
  assert.is(finding, undefined, `npm run fuzz -- codec --seconds 120 --seed ${seed}: ${finding}`)
  assert.ok(decoded > 0 && refused > 0)
})

test.run()
