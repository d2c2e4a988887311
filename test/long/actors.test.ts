/** A thousand actors, several times, that are created, called, passed around, lost and dropped in random order. Time limit: 3600 s. */
// MOBULA_TEST_SEED=… runs one of them again.

import { randomInt } from 'node:crypto'
import { test } from 'uvu'
import { assertDone, stress } from '../support/actor-stress.ts'

const said = process.env['MOBULA_TEST_SEED']

for (const deaths of [undefined, 5, 20]) {
  const seed = said === undefined ? randomInt(2 ** 31) : Number(said)
  test(`resources, workers and the store are as before when 1,000 actors are gone (${deaths ?? 'no'} deaths in 1,000 operations, seed ${seed})`, async () => {
    const done = await stress({ seed, actors: 1000, warmup: 100, deaths })
    console.log(`seed ${seed}: ${JSON.stringify(done)}`)
    assertDone(done)
  })
}

test.run()
