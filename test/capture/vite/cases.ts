/** What only vite can load: modules without extensions, data without attributes, TypeScript that has to be compiled. All of it travels by value. */
// @ts-nocheck: Node resolves none of these imports

import assert from 'node:assert/strict'
import { call, feature, same } from '../case.mjs'
import data from '../modules/data.json'
import * as plane from '../modules/plane.mjs'
import { area, Box, label, note } from './boxes'
import { Kind } from './kinds'
import text from './note.txt?raw'

feature('vite: functions of a module that Node cannot load', () => same((x) => [area({ width: x, height: 2 }), label('a', Kind.Large), note()], 3))
feature('vite: an enum', () => same(() => [Kind.Small, Kind.Large]))
feature('vite: text and data', () => same(() => [text.trim(), data.list, data.name]))
feature('vite: a class of such a module, made there', async () => {
  const made = await call(() => new Box(4))
  assert.ok(made instanceof Box)
  assert.equal(made.twice, 8)
})
feature('vite: an instance of such a class, captured and passed', async () => {
  const box = new Box(4)
  await same(() => [box.twice, box instanceof Box])
  assert.equal(await call((box) => box.twice, box), 8)
})
feature('vite: such functions in an object', () => {
  const tools = { area, list: [label] }
  return same((x) => [tools.area({ width: x, height: x }), tools.list[0]('b', Kind.Small)], 3)
})
feature('vite: a module that Node can load is imported beside them', () => same(() => [plane.area(1, 2), Kind.Small]))
feature('vite: `import.meta.env`', () => same(() => [typeof import.meta.env.MODE, import.meta.env.SSR]))
feature('vite: `import()` of a file that Node can load', () => same(async () => (await import('../modules/lazy')).lazily(2)))
