/** What only CommonJS has, written by hand: `require` in all its forms, `exports`, `__dirname`, and code that is not strict. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

const assert = require('node:assert/strict')
const fs = require('fs')
const path = require('node:path')
const { createHash: makeHash, randomUUID } = require('crypto')
const { promisify } = require('util')
const { get, put, remote } = require('mobula')
const { pack, unpack } = require('msgpackr')
const Table = require('cli-table3')
const { vectorFromArray } = require('apache-arrow')
const { Format } = require('cli-progress')
const { flatten } = require('hyparquet')
const plane = require('../modules/plane.cjs')
const { Point, area, area: renamed } = require('../modules/plane.cjs')
const half = require('../modules/plane.cjs').half
const data = require('../modules/data.json')
const esm = require('../modules/plane.mjs')
const { call, feature, rejected, same, sameOrRefused } = require('../case.mjs')

const sep = require('path').sep
const later = promisify(setTimeout)
const { readFileSync = null, ...others } = fs
const { sep: _sep, ...paths } = path
const self = module
let lazy

exports.k = 3
exports.helper = (x) => x * exports.k
exports.viaExports = (x) => exports.helper(x) + 1
module.exports.Box = class Box {
  constructor(x) {
    this.x = x
  }
}
const main = (x) => exports.helper(x) + exports.k
exports.main = main

feature('CommonJS: builtins in all forms', () =>
  same(async (x) => {
    await later(1)
    return [fs.existsSync('/'), path.join('a', x), makeHash('sha1').update(x).digest('hex'), randomUUID().length, sep, typeof readFileSync]
  }, 'x'),
)

feature('CommonJS: packages', () =>
  same((x) => {
    const shown = new Table({ head: ['a'], style: { head: [], border: [] } })
    shown.push([x])
    return [unpack(pack([x])), String(shown), vectorFromArray([1]).length, typeof Format.TimeFormat, flatten([[x]])]
  }, 1),
)

feature('CommonJS: files beside it, CommonJS and ES modules', () =>
  same((x) => [plane.area(x, 2), area(x, 2), renamed === area, half(x), new Point(3, 4).length, esm.area(x, 2), esm.default(x), new esm.Point(3, 4).length], 2),
)

feature('CommonJS: JSON', () => same(() => [data.name, data.list]))

feature('CommonJS: `require` in the function, of a builtin, a package and a file', () =>
  same((x) => {
    const { area } = require('../modules/plane.cjs')
    lazy ??= require('node:os')
    return [area(x, 1), typeof lazy.cpus, require('hyparquet').flatten([[x]]), require('../modules/data.json').name]
  }, 2),
)

feature('CommonJS: `require.resolve` and `import()`', () =>
  same(async () => {
    const { default: half, Point } = await import('../modules/plane.mjs')
    return [require.resolve('../modules/plane.cjs'), half(4), new Point(0, 2).length]
  }),
)

feature('CommonJS: `__filename` and `__dirname`', async () => {
  await same(() => [__filename, __dirname])
  await same(() => fs.readFileSync(path.join(__dirname, '../modules/data.json'), 'utf8').length)
})

feature('CommonJS: `exports` and `module.exports`', async () => {
  await same((x) => exports.helper(x), 2)
  await same((x) => [exports.viaExports(x), main(x), exports.main === main], 2)
  await same(exports.main, 5)
  const box = new exports.Box(1)
  await same(() => [box.x, box instanceof exports.Box])
})

feature('CommonJS: `module.exports` in the function', () => same((x) => [module.exports.helper(x), module.exports.k], 2))

feature('CommonJS: what is left of a builtin is right or refused', async () => {
  await sameOrRefused(() => typeof others.statSync)
  await sameOrRefused(() => paths.join('a', 'b'))
})

feature('CommonJS: instances of required classes', async () => {
  const point = new Point(3, 4)
  await same(() => [point.length, point instanceof Point, point instanceof plane.Point])
  const back = await call((point) => [point instanceof Point, new plane.Point(point.x, 9)], point)
  assert.equal(back[0], true)
  assert.ok(back[1] instanceof Point)
})

feature('CommonJS: a required function as the remote function', async () => {
  assert.equal(await get(remote(area).remote(2, put(4))), 8)
  assert.equal(await get(remote(plane.half).remote(2)), 1)
})

feature('CommonJS: what is not strict stays so', async () => {
  await same(function () {
    return typeof this
  })
  await same(function (a) {
    a = 5
    return arguments[0]
  }, 1)
  await same(function () {
    return Object.isFrozen(Object.freeze([])) && delete Object.freeze({ a: 1 }).a
  })
  const loose = function () {
    undeclaredByAnyone = 5
    return typeof undeclaredByAnyone
  }
  assert.equal(await call(loose), 'number')
})

feature('CommonJS: strict where it says so', async () => {
  const strict = function () {
    'use strict'
    return typeof this
  }
  await same(strict)
  await same(() => strict())
})

feature('CommonJS: `with`', () => same(new Function('box', 'with (box) { return inside + 1 }'), { inside: 1 }))

feature('CommonJS: the module object is refused or right', async () => {
  let ref
  try {
    ref = remote(() => self.exports.k).remote()
  } catch (error) {
    assert.equal(error.code, 'ERR_CAPTURE')
    return
  }
  assert.equal(await get(ref), 3)
}, ['there'])

feature('CommonJS: a file that does not exist is an error of the call', async () => {
  const error = await rejected(call(() => require('../modules/nothing.cjs')))
  assert.equal(error.code, 'MODULE_NOT_FOUND')
})
