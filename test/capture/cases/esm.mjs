/** What only ES modules have: `import.meta`, and imports with attributes. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { get, remote } from 'mobula'
import { call, feature, same } from '../case.mjs'
import { show } from '../esm-modules/waits.mjs'
import data from '../modules/data.json' with { type: 'json' }
import { Point } from '../modules/plane.mjs'
import * as again from '../modules/plane.mjs?again'

const here = dirname(fileURLToPath(import.meta.url))
const load = createRequire(import.meta.url)

// Names that are free in an ES module, as users fill them.
const __dirname = fileURLToPath(new URL('../modules', import.meta.url))
const __filename = `${__dirname}/data.json`
// A file: jest looks from the folder above where it is told a folder.
const require = createRequire(new URL('../modules/plane.mjs', import.meta.url))
const exports = { name: 'mine' }
const module = [1, 2]

feature('`import.meta.url`, `filename` and `dirname`', () => same(() => [import.meta.url, import.meta.filename, import.meta.dirname]))
feature('`import.meta` in a helper', () => {
  const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8')
  return same(() => JSON.parse(read('../modules/data.json')).name)
})
feature('`import.meta.resolve`', () => same(() => [import.meta.resolve('node:fs'), import.meta.resolve('../modules/plane.mjs')]))
feature('what was derived from `import.meta`', () => same(() => here))
feature('`require` made of `import.meta.url`', () => same(() => [...load('../modules/data.json').list, load('node:path').sep]))
feature('variables of the module under the names that CommonJS gives a file', async () => {
  await same(() => [__dirname, __filename, require('./data.json').name, require.resolve('./data.json'), exports.name, module.length])
  const helper = () => JSON.parse(readFileSync(__filename, 'utf8')).name + exports.name
  await same(() => [helper(), typeof module])
})
feature('JSON imported with an attribute', () => same(() => [data.name, data.list.length]))
feature('JSON imported in the function', () => same(async () => (await import('../modules/data.json', { with: { type: 'json' } })).default.list))
feature('a module under two URLs is two modules', async () => {
  const points = [new Point(3, 4), new again.Point(6, 8)]
  await same(() => [again.Point === Point, points.map((point) => [point.length, point instanceof Point, point instanceof again.Point])])
})
// Test frameworks have words of their own for it: a worker has Node's.
feature('`import()` of what is not there', async () => {
  const found = await call(async () => {
    try {
      await import('../modules/nothing.mjs')
    } catch (error) {
      return [error.code, error instanceof Error]
    }
  })
  assert.deepEqual(found, ['ERR_MODULE_NOT_FOUND', true])
})
feature('`remote.module` of a file beside it', async () => {
  const area = remote.module(new URL('../modules/plane.mjs', import.meta.url), 'area')
  assert.equal(await get(area.remote(1, 2)), '2 cm²')
  assert.equal(await call(async () => get(area.remote(2, 2))), '4 cm²')
})

feature('a module that awaits at its top', () => same((x) => show(x), 1))

// Who bundles refuses it.
feature('constants stay constant', async () => {
  const fixed = 1
  const error = await call(() => {
    fixed = 2
  }).catch((error) => error)
  assert.ok(error instanceof TypeError, String(error))
})
