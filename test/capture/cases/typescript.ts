/** What TypeScript adds and erases around functions: types, generics, casts, overloads, type-only imports. */

import assert from 'node:assert/strict'
import type { ParsedPath } from 'node:path'
import { type FormatInputPathObject, format, parse } from 'node:path'
import { get, type ObjectRef, put, type RemoteFunction, remote } from 'mobula'
import { call, feature, same } from '../case.mjs'

interface Row {
  readonly id: number
  name?: string
}

type Reader<T> = (row: T) => string

const factor: number = 3
const rows = [{ id: 1, name: 'a' }, { id: 2 }] as const satisfies readonly Row[]

abstract class Base<T extends object> {
  protected readonly items: T[] = []
  declare readonly nothing: string
  #count: number = 0
  abstract show(item: T): string
  add(item: T): this {
    this.items.push(item)
    this.#count += factor
    return this
  }
  get count(): number {
    return this.#count
  }
}

class Rows extends Base<Row> implements Iterable<Row> {
  override show(row: Row): string {
    return `${row.id}${row.name ?? '-'}`
  }
  *[Symbol.iterator](): IterableIterator<Row> {
    yield* this.items
  }
}

function first(list: readonly Row[]): Row
function first(list: readonly Row[], otherwise: Row): Row
function first(list: readonly Row[], otherwise?: Row): Row {
  return (list[0] ?? otherwise) as Row
}

const through = <T>(value: T, ...fns: readonly ((value: T) => T)[]): T => fns.reduce((now, fn) => fn(now), value)

feature('TypeScript: types around a closure', async () => {
  const read: Reader<Row> = (row: Row): string => `${row.name!}${factor}`
  const fn = remote((row: Row, times?: number): string => read(row as Row).repeat(times ?? 1))
  assert.equal(await get(fn.remote(rows[0], 2)), 'a3a3')
})

feature('TypeScript: generics and overloads', () =>
  same((x: number) => [through<number>(x, (n: number): number => n * factor), first(rows), first([], { id: 9 })], 2),
)

feature('TypeScript: abstract classes, modifiers, private fields', () =>
  same(() => {
    const all = new Rows().add({ id: 1 }).add({ id: 2, name: 'b' })
    return [[...all].map((row) => all.show(row)), all.count, all instanceof Base, 'nothing' in all]
  }),
)

feature('TypeScript: type-only imports', () =>
  same((path: string) => {
    const parsed: ParsedPath = parse(path)
    return format({ ...parsed, base: '', ext: '.md' } satisfies FormatInputPathObject)
  }, '/a/b.txt'),
)

feature('TypeScript: results keep their types', async () => {
  const fn: RemoteFunction<(ref: number) => number[]> = remote((x: number) => [x, factor])
  const ref: ObjectRef<number[]> = fn.remote(put(1))
  const [one, three]: number[] = await get(ref)
  assert.deepEqual([one, three], [1, 3])
})

feature('TypeScript: an instance there and back', async () => {
  class Pair<A, B> {
    left: A
    right: B
    constructor(left: A, right: B) {
      this.left = left
      this.right = right
    }
    swap(): Pair<B, A> {
      return new Pair(this.right, this.left)
    }
  }
  const back: unknown = await call((pair: Pair<number, string>) => pair.swap(), new Pair(1, 'a'))
  assert.ok(back instanceof Pair)
  assert.deepEqual([back.left, back.right], ['a', 1])
})
