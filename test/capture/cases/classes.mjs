/** Classes that a function captures: they travel by value, with what they are made of. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { Transform } from 'node:stream'
import { inspect } from 'node:util'
import { call, feature, same, sameOrRefused } from '../case.mjs'
import { Point } from '../modules/plane.mjs'

const factor = 3

class Shape {
  kind = 'shape'
  scale = (x) => x * factor + this.size
  constructor(size = 1) {
    this.size = size
  }
  area() {
    return this.size ** 2
  }
  get double() {
    return this.size * 2
  }
  set double(x) {
    this.size = x / 2
  }
  static made = []
  static of(...args) {
    return new this(...args)
  }
  *[Symbol.iterator]() {
    yield this.kind
    yield this.size
  }
  async later() {
    await null
    return this.size
  }
  toString() {
    return `${this.kind}(${this.size})`
  }
}

class Circle extends Shape {
  kind = 'circle'
  constructor(radius, name) {
    super(radius)
    this.name = name
  }
  area() {
    return super.area() * factor
  }
  static of(...args) {
    const made = super.of(...args)
    made.static = true
    return made
  }
}

class Disc extends Circle {
  area() {
    return `disc ${super.area()} ${super.double}`
  }
}

feature('constructor, fields, arrow fields, methods', () =>
  same((x) => {
    const shape = new Shape(x)
    return [shape.kind, shape.scale(2), shape.area(), shape.constructor.name, shape instanceof Shape, Object.keys(shape).length]
  }, 4),
)

feature('accessors, iterators, async methods, `toString`', () =>
  same(async (x) => {
    const shape = new Shape(x)
    shape.double = 10
    return [shape.double, [...shape], await shape.later(), `${shape}`, Shape.of(2).size]
  }, 4),
)

feature('inheritance and `super`, three deep', () =>
  same(() => {
    const disc = Disc.of(2, 'd')
    return [disc.area(), disc.name, disc.static, disc instanceof Circle, disc instanceof Shape, Object.getPrototypeOf(Disc) === Circle, disc.kind]
  }),
)

feature('#private fields, methods and accessors', () => {
  class Vault {
    #coins = factor
    #log = []
    #note(what) {
      this.#log.push(what)
      return this
    }
    get #total() {
      return this.#coins * 10
    }
    set #total(x) {
      this.#coins = x / 10
    }
    add(x) {
      this.#coins += x
      this.#total += 10
      return this.#note(`add ${x}`)
    }
    show() {
      return [this.#coins, this.#total, [...this.#log]]
    }
    static isVault(x) {
      return #coins in x
    }
  }
  return same(() => [new Vault().add(2).show(), Vault.isVault(new Vault()), Vault.isVault({})])
})

feature('static fields have the value of now', async () => {
  class Counter {
    static total = 1
    static list = [1]
    static add(x) {
      Counter.total += x
      this.list.push(x)
      return this.total
    }
  }
  Counter.total = 70
  Counter.list.push(2)
  Counter.later = 'later'
  assert.deepEqual(await call(() => [Counter.total, Counter.list, Counter.later, Counter.add(1)]), [70, [1, 2, 1], 'later', 71])
  assert.equal(Counter.total, 70)
}, ['there'])

feature('static blocks', () => {
  const seed = [1, 2]
  class Table {
    static byId = new Map()
    static {
      for (const id of seed) Table.byId.set(id, id * factor)
    }
    static get(id) {
      return Table.byId.get(id)
    }
  }
  return same(() => [Table.get(2), Table.byId.size])
})

feature('private statics', () => {
  class Ids {
    static #next = 5
    static #step() {
      return factor
    }
    static next() {
      return (Ids.#next += Ids.#step())
    }
    static reset() {
      Ids.#next = 5
    }
  }
  return same(() => {
    Ids.reset()
    return [Ids.next(), Ids.next()]
  })
})

feature('private statics that have changed', () => {
  class Tally {
    static #n = 0
    static bump() {
      return ++Tally.#n
    }
    static read() {
      return Tally.#n
    }
  }
  Tally.bump()
  return sameOrRefused(() => Tally.read())
})

feature('a static block with hidden state', () => {
  let seen
  class Hidden {
    static #key = 'a'
    static {
      Hidden.#key = 'b'
      seen = () => Hidden.#key
    }
    static key() {
      return Hidden.#key
    }
  }
  return sameOrRefused(() => [Hidden.key(), seen()])
})

feature('static accessors, and statics that use `this`', () => {
  class Config {
    static level = 2
    static get doubled() {
      return this.level * 2
    }
    static make = () => new this()
    static name_ = this.name
  }
  return same(() => [Config.doubled, Config.make() instanceof Config, Config.name_])
})

feature('mixins', () => {
  const Named = (Base) =>
    class extends Base {
      hello() {
        return `${this.name} ${factor}`
      }
    }
  const Sized = (Base) =>
    class Sized extends Base {
      #size = 2
      size() {
        return this.#size * factor
      }
    }
  class Person extends Sized(Named(Object)) {
    name = 'you'
  }
  return same(() => {
    const person = new Person()
    return [person.hello(), person.size(), Object.getPrototypeOf(Person).name]
  })
})

feature('`extends Error`', async () => {
  class NotFound extends Error {
    constructor(what, options) {
      super(`${what} was not found`, options)
      this.name = 'NotFound'
      this.what = what
    }
  }
  class FileNotFound extends NotFound {}
  await same(() => {
    const error = new FileNotFound('x', { cause: 1 })
    return [error.message, error.name, error.cause, error instanceof NotFound, error instanceof Error, typeof error.stack, `${error}`]
  })
  const error = await call(() => {
    throw new FileNotFound('file')
  }).catch((error) => error)
  assert.ok(error instanceof FileNotFound && error instanceof NotFound, String(error))
  assert.equal(error.what, 'file')
})

feature('`extends` Array, Map, Set, Promise, typed arrays', () => {
  class Stack extends Array {
    peek() {
      return this.at(-1)
    }
  }
  class Counts extends Map {
    add(key) {
      return this.set(key, (this.get(key) ?? 0) + 1)
    }
  }
  class Lower extends Set {
    add(x) {
      return super.add(x.toLowerCase())
    }
  }
  class Bytes extends Uint8Array {
    sum() {
      return this.reduce((a, b) => a + b, 0)
    }
  }
  class Later extends Promise {}
  return same(async () => {
    const stack = Stack.from([1, 2])
    return [
      stack.peek(),
      stack.map((x) => x + 1) instanceof Stack,
      new Counts().add('a').add('a').get('a'),
      [...new Lower(['A', 'a'])],
      Bytes.of(1, 2).sum(),
      await Later.resolve(1),
    ]
  })
})

feature('`extends` what was imported', () => {
  class Point3 extends Point {
    constructor(x, y, z) {
      super(x, y)
      this.z = z
    }
    plus(other) {
      return Object.assign(super.plus(other), { z: this.z + other.z })
    }
  }
  class Bus extends EventEmitter {
    hear(what) {
      const heard = []
      this.on(what, (x) => heard.push(x * factor))
      this.emit(what, 5)
      return heard
    }
  }
  class Upper extends Transform {
    _transform(chunk, _encoding, done) {
      done(null, String(chunk).toUpperCase())
    }
  }
  return same(async () => {
    const upper = new Upper()
    upper.end('text')
    let text = ''
    for await (const chunk of upper) text += chunk
    const sum = new Point3(1, 2, 3).plus(new Point3(1, 1, 1))
    return [sum.x, sum.z, sum instanceof Point, new Bus().hear('x'), text]
  })
})

feature('`extends` a function, an expression', () => {
  function Old(x) {
    this.x = x
  }
  Old.prototype.show = function () {
    return this.x * factor
  }
  class New extends Old {
    show() {
      return super.show() + 1
    }
  }
  const pick = { Base: Shape }
  class Picked extends (factor > 2 ? pick.Base : Object) {}
  return same(() => [new New(2).show(), new Picked(3).area()])
})

feature('class expressions, with and without names', () => {
  const Anonymous = class {
    who() {
      return Anonymous.name
    }
  }
  const Outer = class Inner {
    make() {
      return new Inner()
    }
  }
  const list = [
    class {
      x = 1
    },
  ]
  return same(() => [new Anonymous().who(), new Outer().make() instanceof Outer, Outer.name, new list[0]().x])
})

feature('classes made by a function, with what each captures', () => {
  const make = (unit) =>
    class Length {
      constructor(n) {
        this.n = n
      }
      toString() {
        return `${this.n}${unit}`
      }
    }
  const Px = make('px')
  const Em = make('em')
  return same(() => [`${new Px(1)} ${new Em(2)}`, new Px(1) instanceof Em, Px === Em])
})

feature('classes that refer to each other', () => {
  class Node_ {
    constructor(tree) {
      this.tree = tree
    }
    root() {
      return this.tree instanceof Tree
    }
  }
  class Tree {
    node = new Node_(this)
    static Node = Node_
  }
  return same(() => [new Tree().node.root(), Tree.Node === Node_])
})

feature('a class that uses itself and the function that uses it', () => {
  class Chain {
    static empty = new Chain()
    next = null
    push() {
      const more = new Chain()
      more.next = this
      return wrap(more)
    }
  }
  const wrap = (chain) => ({ chain, depth: depthOf(chain) })
  const depthOf = (chain) => (chain === null ? 0 : 1 + depthOf(chain.next))
  return same(() => [new Chain().push().depth, Chain.empty instanceof Chain])
})

feature('ES5 prototypes', () => {
  function Animal(name) {
    if (!(this instanceof Animal)) return new Animal(name)
    this.name = name
  }
  Animal.prototype.speak = function () {
    return `${this.name} ${factor}`
  }
  Animal.kinds = ['cat']
  function Cat(name) {
    Animal.call(this, name)
  }
  Cat.prototype = Object.create(Animal.prototype, { constructor: { value: Cat, writable: true, configurable: true } })
  Cat.prototype.purr = () => 'purr'
  return same(() => {
    const cat = new Cat('tom')
    return [cat.speak(), cat.purr(), cat instanceof Animal, cat.constructor === Cat, Animal('x').speak(), Animal.kinds]
  })
})

feature('patched and decorated classes', () => {
  class Plain {
    hello() {
      return 'hello'
    }
    static make() {
      return new Plain()
    }
  }
  const before = Plain.prototype.hello
  Plain.prototype.hello = function () {
    return `${before.call(this)} patched ${factor}`
  }
  Plain.prototype.more = () => 'more'
  const decorate = (Class) => {
    const { make } = Class
    Class.make = () => Object.assign(make(), { decorated: true })
    return Class
  }
  const Decorated = decorate(Plain)
  return same(() => [Decorated.make().hello(), Decorated.make().decorated, new Plain().more()])
})

feature('odd classes are right or refused', async () => {
  class Bare extends null {
    static hello() {
      return 'bare'
    }
  }
  class Given {}
  Object.defineProperty(Given.prototype, 'level', { get: () => factor, configurable: true })
  class Less {
    gone() {}
  }
  delete Less.prototype.gone
  class Frozen {}
  Object.freeze(Frozen.prototype)
  await sameOrRefused(() => [Bare.hello(), Object.getPrototypeOf(Bare.prototype)])
  await sameOrRefused(() => new Given().level)
  await sameOrRefused(() => typeof new Less().gone)
  await sameOrRefused(() => Object.isFrozen(Frozen.prototype))
})

feature('frozen and sealed functions and classes', () => {
  const fn = Object.freeze(Object.assign((x) => x, { table: [1] }))
  class Frozen {
    static level = 1
    static list = Object.freeze([1])
    hello() {
      return 'hello'
    }
  }
  Object.freeze(Frozen)
  Object.freeze(Frozen.prototype)
  class Sealed extends Frozen {
    static level = 2
  }
  Object.seal(Sealed)
  const closed = Object.preventExtensions((x) => x)
  return same(() => [
    [fn, Frozen, Frozen.prototype, Frozen.list, Sealed, closed].map((one) => [Object.isFrozen(one), Object.isSealed(one), Object.isExtensible(one)]),
    [fn.table, Frozen.level, new Sealed().hello(), Sealed.level, fn.name, Frozen.name],
  ])
})

feature('computed keys', () => {
  class Keyed {
    ['literal']() {
      return 1
    }
    [Symbol.toPrimitive]() {
      return 2
    }
    static [`${'tem'}plate`] = 3
  }
  return same(() => [new Keyed().literal(), +new Keyed(), Keyed.template])
})

feature('computed keys from variables are right or refused', () => {
  const key = `key${factor}`
  const mark = Symbol('mark')
  class Keyed {
    [key]() {
      return 1
    }
    [mark] = 2
    static [key] = 3
  }
  return sameOrRefused(() => [new Keyed()[key](), new Keyed()[mark], Keyed[key]])
})

feature('computed keys from constants', () => {
  const fixedKey = `key${factor}`
  const fixedMark = Symbol('mark')
  const shared = Object.freeze({ inner: Object.freeze({ name: 'deep' }) })
  class Keyed {
    [fixedKey] = 1;
    [fixedMark] = 2;
    [shared.inner.name] = 3;
    [`a ${fixedKey} b`] = 4;
    [Symbol.for('shared')] = 5;
    [inspect.custom]() {
      return 'shown'
    }
    static async [fixedKey]() {
      return 6
    }
    get [`${shared.inner.name}er`]() {
      return 7
    }
  }
  return same(async () => {
    const one = new Keyed()
    return [
      one[fixedKey],
      one[fixedMark],
      one[shared.inner.name],
      one[`a ${fixedKey} b`],
      one[Symbol.for('shared')],
      inspect(one),
      await Keyed[fixedKey](),
      one.deeper,
    ]
  })
}, ['names'])

feature('computed keys from variables that keep their value', () => {
  let a = 'a'
  let key = 'written later'
  key = `${a}${a}`
  const keys = { one: 'one' }
  class Keyed {
    async [a]() {
      return 1
    }
    static *[key]() {
      yield 2
    }
    set [keys.one](x) {
      this.x = x
    }
  }
  return same(async () => {
    const one = new Keyed()
    one[keys.one] = 3
    return [await one[a](), [...Keyed[key]()], one.x]
  })
}, ['names'])

feature('computed keys that come to something else the second time are right or refused', async () => {
  const state = { n: 0, key: 'before' }
  let key = 'before'
  class Counted {
    [`key${++state.n}`]() {}
  }
  class Renamed {
    [key] = 1
  }
  class Member {
    [key]() {}
  }
  class Property {
    [state.key] = 1;
    [state.key]() {}
  }
  class Random {
    [`key${Math.random()}`] = 1;
    [String(Math.random())]() {}
  }
  class Own {
    static [`key${++state.n}`] = 1
  }
  key = 'after'
  state.key = 'after'
  const membersOf = (Class) => [...Object.getOwnPropertyNames(Class.prototype), ...Object.keys(new Class()), ...Object.getOwnPropertyNames(Class)]
  for (const Class of [Counted, Renamed, Member, Property, Random, Own]) await sameOrRefused(() => [membersOf(Class), key, state])
  assert.equal(state.n, 2)
})

feature('computed keys of an object are evaluated once, whatever stands in them', async () => {
  let n = 0
  const next = (...parts) => `${parts.join()}${++n}`
  const object = {
    [next('a', ']', '}')](x) {
      return [x, n]
    },
    async [next(`]${n}`)](x) {
      return [x]
    },
    get [next(/[\]]/.source)]() {
      return 'got'
    },
    [next([1, [2]])]: (x) => x,
    ['plain']() {
      return 'plain'
    },
  }
  await same(() => [Object.keys(object), object['a,],}1'](5), n])
  for (const { value, get } of Object.values(Object.getOwnPropertyDescriptors(object))) await same(value ?? get, 1)
  assert.equal(n, 4)
})

feature('`new.target`, `Symbol.species`, `Symbol.hasInstance`', () => {
  class Abstract {
    constructor() {
      this.made = new.target.name
    }
    static [Symbol.hasInstance](x) {
      return typeof x === 'object' && 'made' in x
    }
  }
  class Concrete extends Abstract {}
  class List extends Array {
    static get [Symbol.species]() {
      return Array
    }
  }
  return same(() => [new Concrete().made, { made: 1 } instanceof Abstract, List.of(1).map((x) => x) instanceof List])
})

feature('a class as a namespace of helpers, and one as an argument', async () => {
  class Maths {
    static square = (x) => x * x
    static cube(x) {
      return Maths.square(x) * x
    }
  }
  await same((x) => Maths.cube(x), 3)
  assert.equal(await call((Given, x) => Given.cube(x), Maths, 2), 8)
})

feature('the same class is one class there', () => {
  const make = () => new Shape(1)
  const holder = { Shape }
  return same(() => [make() instanceof Shape, holder.Shape === Shape, make().constructor === holder.Shape])
})
