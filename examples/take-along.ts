/** What functions take along: variables, helpers, a class and imports. Run it with `npx tsx examples/take-along.ts`. */

import { createHash } from 'node:crypto'
import { checkCapture, get, remote, shutdown } from 'mobula'

const shelves = new Map([
  ['a', 3],
  ['b', 12],
])
const onShelf = (name: string): number => shelves.get(name) ?? 0

class Label {
  readonly name: string
  readonly count: number
  constructor(name: string) {
    this.name = name
    this.count = onShelf(name)
  }
  get mark(): string {
    return createHash('sha1').update(`${this.name} ${this.count}`).digest('hex').slice(0, 8)
  }
}

// The class goes along, its helper and the map behind that; `createHash` is imported by the worker.
const labels = remote((names: string[]) => names.map((name) => new Label(name)))
const [first, second] = await get(labels.remote(['a', 'b']))
console.log(first instanceof Label, first?.count, first?.mark) // true 3 ab838eaa
console.log(second instanceof Label, second?.count, second?.mark) // true 12 4d2062a6

// Each closure has its own variables, and they are read at the first call.
const powers = [1, 2, 3].map((exponent) => remote((x: number) => x ** exponent))
console.log(await get(powers.map((power) => power.remote(2)))) // [ 2, 4, 8 ]

// What a worker changes stays there.
shelves.set('a', 100)
const take = remote((name: string) => {
  shelves.set(name, onShelf(name) - 1)
  return onShelf(name)
})
console.log(await get(take.remote('a')), onShelf('a')) // 99 100

// What cannot travel is told, with the way to it; without sending anything, too.
const lock = { held: Promise.resolve() }
const locked = (): boolean => lock.held instanceof Promise
const { ok, error } = checkCapture(() => locked())
console.log(ok, error?.message.replaceAll(/ \(.*?\)/g, '')) // false cannot ship 'anonymous', which captures locked, …

await shutdown()
