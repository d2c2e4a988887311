/** Instances of captured and of imported classes: captured, as arguments, as results, thrown. Their class is the same on both sides. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import * as mobula from 'mobula'
import { get, put, remote } from 'mobula'
import { call, feature, rejected, same, setup } from '../case.mjs'
import * as plane from '../modules/plane.mjs'
import { PlaneError, Point, Secret } from '../modules/plane.mjs'

class Money {
  constructor(cents, currency) {
    this.cents = cents
    this.currency = currency
  }
  plus(other) {
    return new Money(this.cents + other.cents, this.currency)
  }
  get euros() {
    return this.cents / 100
  }
}

class Debt extends Money {
  since = new Date(0)
  plus(other) {
    return new Debt(super.plus(other).cents, this.currency)
  }
}

class Broke extends Error {
  constructor(money) {
    super(`broke: ${money.cents}`)
    this.money = money
  }
}

feature('an instance of a class of the file, captured', () => {
  const money = new Money(150, 'EUR')
  const debt = new Debt(5, 'USD')
  return same(() => [money.euros, money instanceof Money, debt.plus(debt).cents, debt instanceof Debt, debt instanceof Money, debt.since.getTime()])
})

feature('… as an argument', async () => {
  const fn = remote((money) => [money instanceof Money, money.euros, money.plus(new Money(1, 'EUR')).cents])
  assert.deepEqual(await get(fn.remote(new Money(200, 'EUR'))), [true, 2, 201])
  assert.deepEqual(await get(fn.remote(new Debt(200, 'EUR'))), [true, 2, 201])
})

feature('… as a result', async () => {
  const [money, { debt }] = await call(() => [new Money(1, 'EUR'), { debt: new Debt(2, 'USD') }])
  assert.ok(money instanceof Money)
  assert.ok(debt instanceof Debt && debt instanceof Money)
  assert.equal(money.plus(debt).cents, 3)
  assert.deepEqual(debt, new Debt(2, 'USD'))
})

feature('… through a function that does not know its class', async () => {
  const back = await call((x) => x, new Money(5, 'EUR'))
  assert.ok(back instanceof Money)
  assert.equal(back.euros, 0.05)
})

feature('… in a put value', async () => {
  const ref = put([new Money(7, 'EUR')])
  assert.equal(await call(([money]) => money.plus(money).cents, ref), 14)
  assert.ok((await get(ref))[0] instanceof Money)
})

feature('… of a class made by a function', async () => {
  const make = (unit) =>
    class Length {
      constructor(n) {
        this.n = n
      }
      show() {
        return `${this.n}${unit}`
      }
    }
  const Px = make('px')
  const Em = make('em')
  const [px, em] = [new Px(1), new Em(2)]
  await same(() => [px.show(), em.show(), px instanceof Px, px instanceof Em])
  const back = await call((px, n) => [px instanceof Px, px.show(), new Em(n)], px, 3)
  assert.deepEqual(back.slice(0, 2), [true, '1px'])
  assert.ok(back[2] instanceof Em && !(back[2] instanceof Px))
})

feature('an instance of an imported class, captured', () => {
  const point = new Point(3, 4)
  return same(() => [point.length, point instanceof Point, point instanceof plane.Point, point.plus(point).x])
})

feature('an instance of a class that is imported, but not by name', () => {
  const point = new plane.Point(3, 4)
  const { origin } = plane.Point
  return same(() => [point.length, point instanceof plane.Point, origin.x, point.constructor === plane.Point])
})

feature('an instance whose class the function does not name', async () => {
  const point = new Point(3, 4)
  const money = new Money(3, 'EUR')
  await same(() => [point.length, point.constructor.name, money.euros, money.plus(money).cents])
  assert.ok((await call(() => point)) instanceof Point)
  assert.ok((await call(() => money)) instanceof Money)
})

feature('imported: as an argument and as a result', async () => {
  const back = await call((point) => [point instanceof Point, point.plus(point)], new Point(1, 2))
  assert.equal(back[0], true)
  assert.ok(back[1] instanceof Point)
  assert.equal(back[1].y, 4)
})

feature('an imported class with private fields, made there', () => same(() => new Secret().show()))

feature('instances that refer to each other', () => {
  class Leaf {
    constructor(tree) {
      this.tree = tree
    }
  }
  class Tree {
    leaves = [new Leaf(this), new Leaf(this)]
    byLeaf = new Map(this.leaves.map((leaf) => [leaf, this]))
  }
  const tree = new Tree()
  return same(() => [tree.leaves[1].tree === tree, tree.byLeaf.get(tree.leaves[0]) === tree, tree.leaves[0] instanceof Leaf])
})

feature('instances with functions in their fields', () => {
  const k = 5
  class Button {
    label = 'ok'
    onClick = () => `clicked ${k}`
    constructor(also) {
      this.also = also
    }
  }
  const button = new Button((x) => x * k)
  return same(() => [button.onClick(), button.also(2), button instanceof Button])
})

feature('instances of classes that extend builtins', async () => {
  class Stack extends Array {
    peek() {
      return this.at(-1)
    }
  }
  class Counts extends Map {
    total() {
      return [...this.values()].reduce((a, b) => a + b, 0)
    }
  }
  const stack = Stack.from([1, 2])
  const counts = new Counts([
    ['a', 1],
    ['b', 2],
  ])
  await same(() => [stack.peek(), stack instanceof Stack, counts.total(), counts instanceof Counts, counts instanceof Map])
  const back = await call(() => [Stack.of(5, 6), new Counts([['c', 9]])])
  assert.ok(back[0] instanceof Stack && back[1] instanceof Counts)
  assert.deepEqual([back[0].peek(), back[1].total()], [6, 9])
})

feature('instances of ES5 classes', async () => {
  function Animal(name) {
    this.name = name
  }
  Animal.prototype.speak = function () {
    return `${this.name}!`
  }
  const tom = new Animal('tom')
  await same(() => [tom.speak(), tom instanceof Animal])
  const back = await call((animal) => new Animal(animal.speak()), tom)
  assert.ok(back instanceof Animal)
  assert.equal(back.speak(), 'tom!!')
})

feature('an error of a captured class, thrown there', async () => {
  const error = await rejected(
    call((cents) => {
      throw new Broke(new Money(cents, 'EUR'))
    }, 3),
  )
  assert.ok(error instanceof Broke, String(error))
  assert.ok(error instanceof Error)
  assert.match(error.message, /broke: 3/)
  assert.ok(error.money instanceof Money)
  if (setup.there) assert.ok(error.cause instanceof Broke)
})

feature('an error of an imported class, thrown there', async () => {
  const error = await rejected(
    call(
      (at) => {
        throw new PlaneError('off the plane', at)
      },
      [1, 2],
    ),
  )
  assert.ok(error instanceof PlaneError && error instanceof RangeError, String(error))
  assert.deepEqual(error.at, [1, 2])
  if (setup.there) assert.ok(error.cause instanceof PlaneError)
})

feature('an error of a captured class, through a task that depends on it', async () => {
  const fails = remote(() => {
    throw new Broke(new Money(1, 'EUR'))
  })
  const error = await rejected(get(remote((x) => x).remote(fails.remote())))
  assert.ok(error instanceof Broke, String(error))
})

feature('an error caught there, of a nested task', async () => {
  const seen = await call(async () => {
    const fails = remote((cents) => {
      throw new Broke(new Money(cents, 'EUR'))
    })
    try {
      await get(fails.remote(4))
    } catch (error) {
      return [error instanceof Broke, error.money instanceof Money, error.money.cents]
    }
  })
  assert.deepEqual(seen, [true, true, 4])
})

feature('an error as a captured value, an argument and a result', async () => {
  const broke = new Broke(new Money(1, 'EUR'))
  await same(() => [broke instanceof Broke, broke.message, broke.money.cents])
  const back = await call((error) => [error instanceof Broke, new Broke(error.money)], broke)
  assert.equal(back[0], true)
  assert.ok(back[1] instanceof Broke)
})

feature('an instance of a class with a codec, captured, as an argument and as a result', async () => {
  class Vault {
    #coins
    constructor(coins) {
      this.#coins = coins
    }
    show() {
      return this.#coins
    }
  }
  const takeBack = mobula.registerCodec(Vault, { encode: (vault) => ({ coins: vault.show() }), decode: ({ coins }) => new Vault(coins) })
  try {
    const vault = new Vault(5)
    await same(() => [vault.show(), vault instanceof Vault])
    const back = await call((given) => [given instanceof Vault, given.show(), new Vault(7)], vault)
    assert.deepEqual(back.slice(0, 2), [true, 5])
    assert.ok(back[2] instanceof Vault)
    assert.equal(back[2].show(), 7)
  } finally {
    takeBack()
  }
}, ['there'])
