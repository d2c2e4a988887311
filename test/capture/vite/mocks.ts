/** What `vi.mock` puts in the place of a module. */
// @ts-nocheck: vitest is there where the cases are copied to

import assert from 'node:assert/strict'
import { remote } from 'mobula'
import { vi } from 'vitest'
import { call, feature, same, thrown } from '../case.mjs'
import { said } from './mocked'

vi.mock('./mocked', () => ({ said: (x) => `mocked ${x}` }))

feature('vitest: a mocked module is that of the test', async () => {
  assert.equal(said(1), 'mocked 1')
  await same((x) => said(x), 2)
})
feature('vitest: spies are refused', () => {
  const spy = vi.fn(() => 1)
  assert.equal(thrown(() => remote(() => spy()).remote()).code, 'ERR_CAPTURE')
})
feature('vitest: the test has its own console', async () => {
  const { log } = console
  await call(() => log.name)
})
feature('vitest: what `define` gives', () => same(() => [__DEFINED__, typeof __DEFINED__]))
