/** What a module imports: builtins, packages of both kinds, files beside it. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lookup } from 'node:dns'
import { EventEmitter, once } from 'node:events'
import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { format, inspect, promisify, types } from 'node:util'
import { threadId } from 'node:worker_threads'
import { Table as ArrowTable, Float64, tableFromArrays, vectorFromArray } from 'apache-arrow'
import * as cbor from 'cbor-x'
import progress from 'cli-progress'
import Table from 'cli-table3'
import fs, { existsSync as exists } from 'fs'
import { flatten, toJson as plain } from 'hyparquet'
import { get, remote } from 'mobula'
import { pack, unpack } from 'msgpackr'
import * as os from 'os'
import { basename as baseOf, posix } from 'path'
import { isMovable } from 'tinypool'
import * as check from 'uvu/assert'
import workerpool from 'workerpool'
import { call, feature, same, sameOrRefused } from '../case.mjs'
import { loads } from '../modules/counted.mjs'
import { useless } from '../modules/fails.mjs'
import { mark, useful } from '../modules/fails-once.mjs'
import { level, name as levelName, raise } from '../modules/live.mjs'
import { halve, other, Place, plane as viaOther } from '../modules/other.mjs'
import * as plane from '../modules/plane.mjs'
import half, { area, countCalls, labeller, makeHidden, Point, scale, table } from '../modules/plane.mjs'

const run = promisify(execFile)
const stat = promisify(fs.stat)
const lookUp = promisify(lookup)
const { join, sep } = path
const { TimeFormat } = progress.Format
const { isDate } = types
const hash = (text) => createHash('sha256').update(text).digest('hex')
const double = scale(2)
const label = labeller('box')
const { deep } = table
const later = promisify(setTimeout)
const fromHere = createRequire(process.cwd() + '/')
const { sum } = { sum: (list) => list.reduce((a, b) => a + b, 0) }

feature('builtins: named, renamed, namespaces and defaults', () =>
  same(
    (x) => [
      createHash('sha1').update(x).digest('hex'),
      baseOf('/a/b.txt'),
      path.extname('a.txt'),
      os.EOL,
      fs.existsSync('/'),
      exists('/nothing/there'),
      format('%s!', x),
      typeof once,
      posix.join('a', 'b'),
    ],
    'text',
  ),
)

feature('builtins: promises, and values of them', () =>
  same(async () => {
    const text = await readFile(process.execPath, { encoding: 'latin1', signal: undefined }).then((text) => text.length > 1000)
    await sleep(1)
    await later(1)
    return [text, join('a', 'b'), sep, isDate(new Date(0)), inspect(new Map([[1, 2]]))]
  }),
)

feature('promisified builtins', () => same(async () => [(await stat('/')).isDirectory(), (await lookUp('localhost', { family: 4 })).family]))
feature('a builtin with a promised form of its own', () => same(async () => (await run(process.execPath, ['-p', '1 + 1'])).stdout.trim()))

feature('classes of builtins', () =>
  same(async () => {
    class Bus extends EventEmitter {}
    const bus = new Bus()
    setTimeout(() => bus.emit('said', 5), 1)
    return [[...(await once(bus, 'said'))], new AsyncLocalStorage().run(1, () => 2)]
  }),
)

feature('a constant of a builtin is that of the worker', async () => {
  assert.notEqual(await call(() => threadId), threadId)
}, ['there'])

feature('helpers over builtins', () => same((x) => hash(x).slice(0, 8), 'text'))

feature('packages in CommonJS', () =>
  same((x) => {
    const shown = new Table({ head: ['a'], style: { head: [], border: [] } })
    shown.push([x])
    return [String(shown), TimeFormat(61, { autopaddingChar: '  ' }, 5), typeof progress.SingleBar, workerpool.platform]
  }, 'cell'),
)

feature('packages in ESM', () => same((x) => [flatten([[1], [x]]), plain(5n), isMovable({})], 2))

feature('packages in both, and below a package', () =>
  same((x) => {
    check.is(x, 5)
    check.equal([x], [5])
    return [unpack(pack({ x })), cbor.decode(cbor.encode([x]))]
  }, 5),
)

feature('what a package throws', async () => {
  const error = await call(() => check.is(1, 2)).catch((error) => error)
  assert.ok(error instanceof check.Assertion, String(error))
  assert.equal(error.operator, 'is')
})

feature('a package with classes: a table made there', async () => {
  const made = await call((list) => tableFromArrays({ x: Float64Array.from(list) }), [1, 2, 3])
  assert.ok(made instanceof ArrowTable)
  assert.equal(sum([...made.getChild('x')]), 6)
  const vector = vectorFromArray([1, 2], new Float64())
  await same(() => [vector.length, vector.get(1)])
})

feature('a local file: named, default, namespace, class', () =>
  same((x) => [area(x, 3), half(x), plane.perimeter(1, 2), new Point(3, 4).length, Point.origin.x, plane.default === half, plane.Point === Point], 2),
)

feature('a local file that passes on another', () =>
  same((x) => [halve(x), other, new Place(3, 4).length, viaOther.half === undefined, Place === Point, viaOther.Point === Point], 8),
)

feature('values derived from imports', () => same((x) => [double(x), deep.list], 2))

feature('imports in helpers, two files deep', () => {
  const helper = (x) => [half(x), nested(x)]
  const nested = (x) => path.join(area(x, x), baseOf('/a'))
  return same((x) => helper(x), 6)
})

feature('an imported function as the remote function', async () => {
  assert.equal(await get(remote(area).remote(2, 3)), '6 cm²')
  assert.equal(await get(remote(half).remote(3)), 1.5)
  assert.equal(await get(remote(path.basename).remote('/a/b')), 'b')
})

feature('an import in an object, in a Map and under another name', () => {
  const tools = { half, list: [area] }
  const byName = new Map([
    ['join', join],
    ['Point', Point],
  ])
  const renamed = half
  return same((x) => [tools.half(x), tools.list[0](x, x), byName.get('join')('a', 'b'), new (byName.get('Point'))(x, 0).x, renamed(x)], 4)
})

feature('namespaces in an object', () => {
  const tools = { fs, path, plane, progress }
  return same((x) => [tools.path.sep, tools.fs.existsSync('/'), tools.plane.area(x, x), tools.plane === plane, typeof tools.progress.Format], 4)
})

feature('a module is loaded once per worker, and has its own state', async () => {
  const before = loads()
  const seen = await Promise.all(Array.from({ length: 24 }, (_, k) => get(remote(async () => [k, ...loads(), await sleep(5, countCalls())]).remote())))
  assert.deepEqual(new Set(seen.map(([, count]) => count)), new Set([1]))
  for (const [, , thread] of seen) assert.notEqual(thread, before[1])
  const counts = Map.groupBy?.(seen, ([, , thread]) => thread)
  for (const [, of] of counts ?? [])
    assert.deepEqual(
      of.map(([, , , calls]) => calls).sort((a, b) => a - b),
      of.map((_, k) => k + 1),
    )
  assert.deepEqual(loads(), before)
}, ['there', 'apart'])

feature(
  '`import()` of a file, a package and a builtin',
  () =>
    same(async (x) => {
      const { lazily } = await import('../modules/lazy.mjs')
      const { join } = await import('node:path')
      const { flatten } = await import('hyparquet')
      const { default: os } = await import('os')
      return [lazily(x), join('a', 'b'), flatten([[1]]), os.EOL]
    }, 3),
  ['apart'],
)

feature('`import()` in a helper, with a computed name', () => {
  const load = (name) => import(`../modules/${name}.mjs`)
  return same(async (x) => (await load('lazy')).lazily(x), 3)
}, ['apart', 'there'])

feature('`createRequire`', () => same(() => [typeof fromHere('node:fs').readFileSync, createRequire(process.cwd() + '/')('node:path').sep]))

feature('exports that change are seen as they are now', async () => {
  const [before, after, name, nested] = await call(() => {
    const before = level
    raise()
    return [before, level, levelName, (() => level)()]
  })
  assert.deepEqual([after, name, nested], [before + 1, `level ${before + 1}`, before + 1])
}, ['there', 'apart'])

feature('a closure of another file, over what only that has', () => same((x) => label(x), 3), ['apart', 'there'])

feature('an instance of a class that its module does not export', async () => {
  const hidden = makeHidden()
  await sameOrRefused(() => hidden.show())
  let back
  try {
    back = await call(() => makeHidden())
  } catch (error) {
    assert.equal(error.code, 'ERR_SERIALIZATION', String(error))
    return
  }
  assert.equal(back.constructor, hidden.constructor)
  assert.equal(back.show(), '5 cm')
})

feature('a module that always throws on a worker: each call says so, others go on', async () => {
  const fn = remote((x) => [useless(), x])
  const good = remote((x) => half(x))
  const all = await Promise.allSettled(Array.from({ length: 20 }, (_, k) => get(k % 2 === 0 ? fn.remote(k) : good.remote(k))))
  for (const [k, one] of all.entries()) {
    if (k % 2 === 1) assert.equal(one.value, k / 2)
    else {
      assert.ok(one.reason instanceof RangeError, String(one.reason ?? one.value))
      assert.match(one.reason.message, /cannot be loaded here/)
      assert.match(one.reason.stack, /fails\.[cm]?[jt]s/)
    }
  }
}, ['there', 'apart'])

feature('a module that throws once: each call gives its value or that error', async () => {
  try {
    const fn = remote(() => useful())
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => get(fn.remote())))
    const failed = all.filter((one) => one.status === 'rejected')
    for (const { reason } of failed) assert.match(reason.message, /cannot be loaded the first time/)
    for (const { status, value } of all) if (status === 'fulfilled') assert.equal(value, 'useful')
    // Whoever threw it stays as it is: Node keeps what came of an import.
    assert.ok(failed.length > 0)
    assert.equal(await call((x) => x, 1), 1)
  } finally {
    rmSync(mark, { force: true })
  }
}, ['there', 'apart'])

feature('`require` in the function', () => (typeof require === 'undefined' ? undefined : same(() => require('node:path').basename('/a/b'))), ['apart'])
