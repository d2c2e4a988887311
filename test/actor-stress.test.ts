/** Two hundred actors that are created, called, passed around, lost and dropped in random order: each call comes to what it should, and nothing is left. Time limit: 600 s. */
// MOBULA_TEST_SEED=… lets it draw others; test/long/actors.test.ts has more of them.

import { test } from 'uvu'
import { assertDone, stress } from './support/actor-stress.ts'

const seed = Number(process.env['MOBULA_TEST_SEED'] ?? 20261130)

test(`while none is lost every call comes to exactly what it should, in order (seed ${seed})`, async () => {
  assertDone(await stress({ seed, actors: 100, warmup: 30, deaths: undefined }))
})

test(`resources, workers and the store are as before when all actors are gone, however they went (seed ${seed})`, async () => {
  assertDone(await stress({ seed, actors: 100, warmup: 30, deaths: 5 }))
})

test.run()
