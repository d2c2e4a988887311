/** What the program's own file exports, used by a file that it imports: workers never import that one. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { call, feature, same } from '../case.mjs'
import { OfEntry, ofEntry } from '../run.mjs'

feature('a function of the entry, by way of another file', () => same((x) => ofEntry(x), 2))

feature('a class of the entry, there and back', async () => {
  const one = new OfEntry(1)
  await same(() => [one.show(), one instanceof OfEntry, new OfEntry(2).show()])
  const back = await call((one) => [one instanceof OfEntry, new OfEntry(one.x + 1)], one)
  assert.equal(back[0], true)
  assert.ok(back[1] instanceof OfEntry)
  assert.equal(back[1].show(), 'entry 2')
})
