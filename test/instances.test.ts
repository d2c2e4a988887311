/** Instances of users' classes on their way through tasks: classes are found by the module that defines them. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, getSync, type ObjectRef, put, remote, TaskError } from '../src/index.ts'
import { Lazy } from './fixtures/classes/reentrant.ts'
import { Euro, Feet, local, Metres, Money, OddError, Point, Point3 } from './fixtures/classes/shapes.ts'
import type * as shapes from './fixtures/tasks/shapes.ts'
import { rejection, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/shapes.ts', import.meta.url)
const lengthOf = remote.module<typeof shapes.lengthOf>(module, 'lengthOf')

test(
  'to a task whose module imports the class, and back',
  withRuntime({ numCpus: 1 }, async () => {
    assert.equal(await get(lengthOf.remote(new Point(3, 4))), [true, 5])
    const spread = remote.module<typeof shapes.spread>(module, 'spread')
    const wide = await get(spread.remote(new Point(1, 2)))
    assert.instance(wide, Point3)
    assert.is(wide.self, wide)
    assert.is(wide.z, 5)
    assert.instance(getSync(spread.remote(new Point(1, 2))), Point3)
  }),
)

test(
  'to a task that never heard of the class: the worker imports it',
  withRuntime({ numCpus: 1 }, async () => {
    const name = remote((point: Point) => [point.constructor.name, point.length] as const)
    assert.equal(await get(name.remote(new Point(6, 8))), ['Point', 10])
    // By way of a ref, and inside of a stored value.
    assert.equal(await get(name.remote(put(new Point(6, 8)))), ['Point', 10])
    const cents = remote((list: Money[]) => list.map((money) => money.cents))
    assert.equal(await get(cents.remote([new Money(1), new Euro(2)])), [1, 2])
  }),
)

test(
  'several calls before the class is there, then others',
  withRuntime({ numCpus: 2 }, async () => {
    const xs = await get(Array.from({ length: 50 }, (_, k) => remote((point: Point) => point.x).remote(new Point(k, 0))))
    assert.equal(
      xs,
      Array.from({ length: 50 }, (_, k) => k),
    )
  }),
)

test(
  'a codec works on both sides, for classes below, too',
  withRuntime({ numCpus: 1 }, async () => {
    const addCents = remote.module<typeof shapes.addCents>(module, 'addCents')
    const euro = await get(addCents.remote(new Euro(100), 50))
    assert.instance(euro, Euro)
    assert.is(euro.cents, 150)
    assert.not.instance(await get(addCents.remote(new Money(1), 1)), Euro)
  }),
)

test(
  'errors of a class that both sides import are instances of it, with instances in them',
  withRuntime({ numCpus: 1 }, async () => {
    const error = await rejection(get(remote.module<typeof shapes.failsAt>(module, 'failsAt').remote(new Point(1, 2))))
    assert.instance(error, TaskError)
    assert.instance(error, OddError)
    assert.instance(error.point, Point)
  }),
)

test(
  'a blocking get makes instances of the classes that its thread has met, and says what is missing for others',
  withRuntime({ numCpus: 1 }, async () => {
    const blocksFor = remote.module<typeof shapes.blocksFor>(module, 'blocksFor')
    const ref = put(new Point(1, 2)) as ObjectRef<Point>
    assert.match((await rejection(get(blocksFor.remote({ ref })))).message, /does not know.*Import that module here, or use await get\(ref\)/)
    assert.ok((await get(lengthOf.remote(new Point(1, 2))))[0])
    assert.ok(await get(blocksFor.remote({ ref })))
  }),
)

test(
  'classes that look the same are told apart by the names they are exported under, once their module was loaded for tasks',
  withRuntime({ numCpus: 1 }, async () => {
    const text = remote.module<(value: { text: string }) => string>(new URL('./fixtures/classes/shapes.ts', import.meta.url), 'textOf')
    // What it throws is of a class of that module: with it, the module is known here.
    await rejection(get(remote.module<typeof shapes.failsAt>(module, 'failsAt').remote(new Point(1, 2))))
    assert.equal(await get([text.remote(new Metres()), text.remote(new Feet())]), ['1 m', '1 ft'])
  }),
)

test(
  'a codec may come back into the runtime while it decodes: what is read beside it is not disturbed',
  withRuntime({ numCpus: 1 }, async () => {
    const parts = Array.from({ length: 9 }, (_, k) => put(100 + k))
    const lazy = new Lazy(parts, 0)
    const others = Array.from({ length: 9 }, (_, k) => put(`value ${k}`))
    const [first, ...rest] = await get([put(lazy), ...others] as const)
    assert.is(first?.sum, 936)
    assert.equal(
      rest,
      Array.from({ length: 9 }, (_, k) => `value ${k}`),
    )
    const [again, one, two] = (await get(put([lazy, 1, 'two']))) as [Lazy, number, string]
    assert.equal([again.sum, one, two], [936, 1, 'two'])
    // As arguments and as dependencies of a task, in which such a wait runs other tasks.
    const double = remote((x: number) => 2 * x)
    const busy = new Lazy(
      Array.from({ length: 5 }, (_, k) => double.remote(k)),
      0,
    )
    const all = remote((a: Lazy, b: string, c: Lazy, d: string) => [a.sum, b, c.sum, d])
    assert.equal(await get(all.remote(busy, 'b', put(lazy), put('d'))), [20, 'b', 936, 'd'])
  }),
)

test(
  'a class that its module does not export goes by value from here, and is refused by name from a worker that imported it',
  withRuntime({ numCpus: 1 }, async () => {
    const first = local()
    const same = remote((a: object, b: object) => [a.constructor === b.constructor, Object.keys(a), a])
    const [isOne, keys, back] = (await get(same.remote(first, local()))) as [boolean, string[], object]
    assert.ok(isOne)
    assert.equal(keys, Object.keys(first))
    assert.is(back.constructor, first.constructor)
    const error = await rejection(get(remote(() => local()).remote()))
    assert.match(error.message, /class that this thread does not know: .*shapes\.ts#Local.*it has to export the class/)
    assert.is(await get(remote(() => 1).remote()), 1)
  }),
)

test.run()
