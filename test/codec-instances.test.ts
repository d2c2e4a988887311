/** Instances of users' classes: by their properties and the key of their class, or by a codec. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, encode, registerClass, sourceOf } from '../src/codec/codec.ts'
import { registerCodec, SerializationError } from '../src/index.ts'
import { Euro, Feet, local, Metres, Money, made, OldPoint, Point, Point3, Registry, Renamed, Secret, Stack, Tags } from './fixtures/classes/shapes.ts'
import { bytesOf, thrownBy, trip } from './support/codec.ts'

test('an instance comes back as one of its class, and no constructor runs', () => {
  const before = made.count
  const point = new Point(3, 4)
  const back = trip(point) as Point
  assert.instance(back, Point)
  assert.is.not(back, point)
  assert.is(back.length, 5)
  assert.equal(Object.keys(back), ['x', 'y'])
  assert.is(made.count, before + 1)
  assert.is(trip([point, point, new Point(1, 1)].map((p) => (p as Point).constructor === Point).length), 3)
})

test('classes below, cycles and identity', () => {
  const point = Object.assign(new Point3(1, 2), { z: 3 })
  point.self = point
  const [a, b, list] = trip([point, point, [point]]) as [Point3, Point3, Point3[]]
  assert.instance(a, Point3)
  assert.instance(a, Point)
  assert.is(a, b)
  assert.is(a.self, a)
  assert.is(list[0], a)
})

test('a class that extends a builtin one is both', () => {
  const stack = Object.assign(Stack.from([1, 2, 3]) as Stack, { label: 'top' })
  const [s, r, t] = trip([stack, new Registry([['a', stack]]), new Tags(['x', 'y'])]) as [Stack, Registry, Tags]
  assert.instance(s, Stack)
  assert.ok(Array.isArray(s))
  assert.is(s.peek(), 3)
  assert.is(s.label, 'top')
  assert.instance(r, Registry)
  assert.is(r.get('a'), s)
  assert.is(r.kind, 'registry')
  assert.instance(t, Tags)
  assert.equal([...t], ['x', 'y'])
})

test('many instances name their class once', () => {
  const points = Array.from({ length: 1_000 }, (_, k) => new Point(k, -k))
  const one = encode([points[0]], 'value').byteLength
  const bytes = encode(points, 'value').byteLength
  assert.ok(bytes < one + 1_000 * 20, `${bytes} bytes`)
  const back = trip(points) as Point[]
  assert.ok(back.every((point, k) => point instanceof Point && point.x === k && point.y === -k))
})

test('two classes of one name are two, also where their texts are the same', () => {
  const [a, b] = trip([new Point(1, 2), new OldPoint()]) as [Point, InstanceType<typeof OldPoint>]
  assert.instance(a, Point)
  assert.instance(b, OldPoint)
  assert.not.instance(b, Point)
  const [metres, feet] = trip([new Metres(), new Feet()]) as [object, object]
  assert.instance(metres, Metres)
  assert.not.instance(metres, Feet)
  assert.instance(feet, Feet)
})

test('a class under another export name', () => {
  assert.instance(trip(new Renamed()), Renamed)
})

test('what an instance hides is refused, with the way round', () => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [new Secret(), /^value is an instance of Secret, and Secret keeps state in #private fields.*registerCodec\(Secret, /],
    [Object.assign(new Point(1, 2), { [Symbol('k')]: 1 }), /state under the symbol Symbol\(k\)/],
    [Object.defineProperty(new Point(1, 2), 'cache', { value: 1 }), /the hidden property 'cache'/],
    [Object.create({ x: 1 }) as object, /prototype that is no class/],
    [Object.create(Map.prototype) as object, /has the prototype of Map without being one/],
    [new (class Late extends Promise<number> {})(() => {}), /is a Promise/],
    [new (class Wave extends Float64Array {})(3), /extends a builtin class in a way that does not travel/],
    [new (class Bus extends EventTarget {})(), /Bus/],
  ]
  for (const [value, expected] of refused) {
    const error = thrownBy(() => encode(value, 'value'))
    assert.instance(error, SerializationError)
    assert.match(error.message, expected)
  }
  // Not the comment and the text: #this, '#that'.
  class Talks {
    text = '#nothing'
  }
  const forget = registerClass('test#Talks', Talks)
  assert.instance(trip(new Talks()), Talks)
  forget()
})

test('a class that the other side does not know is an error that names it, and asks first', () => {
  class Far {
    n = 1
  }
  const forget = registerClass('file:///far.js#Far', Far)
  const bytes = bytesOf(encode({ list: [new Far()] }, 'value'))
  forget()
  const asked: string[] = []
  const error = thrownBy(() => decode(sourceOf(bytes, []), { alias: false, onUnknownClass: (key) => void asked.push(key) }))
  assert.instance(error, SerializationError)
  assert.match(error.message, /file:\/\/\/far\.js#Far/)
  assert.equal(asked, ['file:///far.js#Far'])
  const [back] = (decode(sourceOf(bytes, []), { alias: false, onUnknownClass: () => Far }) as { list: Far[] }).list
  assert.instance(back, Far)
  assert.ok(encode(local(), 'value').byteLength > 0, 'whether somebody can import it is for the reader to say')
})

test('a codec carries what cannot be seen, also for classes below', () => {
  const [money, euro, same] = trip([new Money(5), new Euro(250), 0]) as [Money, Euro, unknown]
  assert.instance(money, Money)
  assert.is(money.cents, 5)
  assert.instance(euro, Euro)
  assert.is(euro.text, '2.50 €')
  assert.is(same, 0)
  const shared = new Money(1)
  const [a, b] = trip([shared, { shared }]) as [Money, { shared: Money }]
  assert.is(a, b.shared)
})

test('a codec is taken back, and the one before it is in force again', () => {
  class Version {
    v = 0
  }
  const forgetClass = registerClass('test#Version', Version)
  const codec = (v: number) => ({ encode: () => v, decode: (data: number) => Object.assign(new Version(), { v: data }) })
  const undoFirst = registerCodec(Version, codec(1))
  const undoSecond = registerCodec(Version, codec(2))
  const sent = (): number => (trip(new Version()) as Version).v
  assert.is(sent(), 2)
  undoSecond()
  undoSecond()
  assert.is(sent(), 1)
  undoFirst()
  assert.is(sent(), 0)
  forgetClass()
})

test('a codec that fails is named, with what it threw as the cause; nothing of it stays', () => {
  class Bad {}
  const cases: readonly (readonly [{ encode(value: Bad): unknown; decode(data: unknown): Bad }, RegExp])[] = [
    [
      {
        encode: () => {
          throw new RangeError('out')
        },
        decode: () => new Bad(),
      },
      /value\.bad could not be encoded: the codec of Bad threw/,
    ],
    [{ encode: (bad) => ({ bad }), decode: () => new Bad() }, /contains the instance itself/],
    [{ encode: (bad) => bad, decode: () => new Bad() }, /contains the instance itself/],
    [{ encode: () => ({ cb: new WeakMap() }), decode: () => new Bad() }, /value\.bad \(as its codec gave it\)\.cb is a WeakMap/],
    [
      {
        encode: () => 1,
        decode: () => {
          throw new RangeError('in')
        },
      },
      /the codec of Bad threw while it decoded/,
    ],
    [{ encode: () => 1, decode: () => ({}) as Bad }, /decoded {}, which is no instance/],
  ]
  for (const [codec, expected] of cases) {
    // An empty class looks like any object to TypeScript, not to us.
    const undo = registerCodec(Bad, codec)
    const error = thrownBy(() => trip({ bad: new Bad() }))
    undo()
    assert.instance(error, SerializationError)
    assert.match(error.message, expected)
    if (/threw/.test(error.message)) assert.instance(error.cause, RangeError)
  }
  assert.equal(trip({ a: 1 }), { a: 1 })
})

test('wrong arguments are told', () => {
  const loose = registerCodec as (...args: unknown[]) => unknown
  const codec = { encode: () => 1, decode: () => new Point(1, 1) }
  const cases: readonly (readonly [unknown[], RegExp])[] = [
    [[], /^Class: expected a class, got undefined/],
    [[{}, codec], /^Class: expected a class, got an object/],
    [[() => 1, codec], /^Class: expected a class/],
    [[Map, codec], /^Class: expected a class of your own, got the function 'Map'/],
    [[Point], /^codec: expected an object with encode and decode, got undefined/],
    [[Point, { encode: codec.encode }], /^codec\.decode: expected a function, got undefined/],
    [[Point, { ...codec, encode: 3 }], /^codec\.encode: expected a function, got 3/],
  ]
  for (const [args, expected] of cases) {
    const error = thrownBy(() => loose(...args))
    assert.instance(error, TypeError)
    assert.match(error.message, expected)
  }
})

test.run()
