/** What cannot be kept is an error that names the path and the way round; nothing becomes `{}`, nothing breaks the next value. */

import { execFileSync } from 'node:child_process'
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encode, encodeArgs } from '../src/codec/codec.ts'
import { SerializationError } from '../src/errors/errors.ts'
import { refNumber, thrownBy, trip } from './support/codec.ts'

class Point {
  x = 1
}

function argumentsOf(..._: unknown[]): unknown {
  // biome-ignore lint/complexity/noArguments: the object itself is the point.
  return arguments
}

/** For traps that must not run. */
const never = (): never => {
  throw new Error('a trap ran')
}

const symbol = Symbol('s')
const { port1, port2 } = new MessageChannel()

const refused: readonly (readonly [what: string, value: unknown, reason: RegExp])[] = [
  ['a named function', function work() {}, /is the function 'work'; this thread cannot take functions apart/],
  [
    'an anonymous function',
    (
      () => () =>
        1
    )(),
    /is a function; this thread cannot take functions apart/,
  ],
  ['a class', Point, /is the function 'Point'/],
  ['a symbol', symbol, /is a symbol/],
  ['a registered symbol', Symbol.for('x'), /is a symbol/],
  ['a boxed symbol', Object(symbol), /is a boxed symbol/],
  ['a Promise', Promise.resolve(1), /is a Promise; await it/],
  ['a Proxy of an object', new Proxy({ a: 1 }, {}), /is a Proxy/],
  ['a Proxy of an array', new Proxy([1], {}), /is a Proxy/],
  ['a Proxy that throws', new Proxy({}, { getPrototypeOf: never, ownKeys: never }), /is a Proxy/],
  ['a WeakMap', new WeakMap(), /weak references/],
  ['a WeakSet', new WeakSet(), /weak references/],
  ['a WeakRef', new WeakRef({}), /weak references/],
  ['a generator', (function* () {})(), /running generator/],
  ['a Map iterator', new Map().entries(), /iterator in use/],
  ['arguments', argumentsOf(1, 2), /arguments object/],
  ['no arguments', argumentsOf(), /arguments object/],
  ['Math', Math, /global namespace Math/],
  ['JSON', JSON, /global namespace JSON/],
  ['Intl', Intl, /global namespace Intl/],
  ['an Intl object', new Intl.NumberFormat('en'), /is a NumberFormat; make it inside/],
  ['an object in the image of Map', Object.create(Map.prototype), /has the prototype of Map without being one/],
  ['an object made from another', Object.create({ a: 1 }), /instance/],
  ['a Map made to look plain', Object.setPrototypeOf(new Map([[1, 2]]), Object.prototype), /is a builtin object whose prototype was taken away/],
  ['an error made to look plain', Object.setPrototypeOf(new Error('x'), Object.prototype), /is a builtin object whose prototype/],
  ['an array without prototype', Object.setPrototypeOf([1], null), /is a builtin object whose prototype/],
  ['a Blob', new Blob(['x']), /is a Blob; pass new Uint8Array/],
  ['a secret key', createSecretKey(Buffer.alloc(16)), /is a \w*Key\w*; pass key\.export/],
  ['a private key', generateKeyPairSync('ed25519').privateKey, /is a \w*Key\w*; pass key\.export/],
  ['a port', port1, /is a MessagePort; ports belong/],
  ['an AbortSignal', new AbortController().signal, /is an AbortSignal; cancel the task/],
  ['an emitter', new EventEmitter(), /is an EventEmitter; listeners/],
  ['WebAssembly', (globalThis as { WebAssembly?: unknown }).WebAssembly, /function 'compile'/],
  ['a module', await import('node:path').then(({ posix: _, ...rest }) => rest.default ?? rest), /function/],
]

for (const [what, value, reason] of refused) {
  test(`${what} is refused, alone and deep inside`, () => {
    const alone = thrownBy(() => encode(value, 'value'))
    assert.instance(alone, SerializationError)
    assert.is(alone.code, 'ERR_SERIALIZATION')
    assert.match(alone.message, reason)
    assert.match(alone.message, /^value/)
    const deep = thrownBy(() => encodeArgs([0, { items: [1, 2, { 'a b': new Map([['k', new Set([value])]]) }] }], 'load'))
    assert.match(deep.message, /^task 'load': args\[1\]\.items\[2\]\["a b"\]\.get\("k"\)\.values\(\)\[0\]/)
    assert.equal(trip({ fine: [1] }), { fine: [1] })
  })
}

test('the path says where, however the value is held', () => {
  const bad = Symbol('bad')
  const at = (value: unknown): string => thrownBy(() => encode(value, 'result')).message.split(' is a symbol')[0] as string
  assert.is(at(bad), 'result')
  assert.is(at([1, 2, 3, 4, bad]), 'result[4]')
  assert.is(at([1.5, 2, 3, 4, 5, bad]), 'result[5]')
  const holey: unknown[] = ['x']
  holey[2] = bad
  assert.is(at(holey), 'result[2]')
  assert.is(at({ 'not-a-name': bad }), 'result["not-a-name"]')
  assert.is(at({ 5: bad }), 'result[5]')
  assert.is(at(new Map([[bad, 1]])), 'result.keys()[0]')
  assert.is(at(new Map([[{}, bad]])), 'result.values()[0]')
  assert.is(at(Object.assign([1], { extra: bad })), 'result.extra')
  assert.is(at(Object.assign(Object.create(null), { k: bad })), 'result.k')
  assert.is(at(new Error('e', { cause: { deep: bad } })), 'result.cause.deep')
  for (let round = 0; round < 20; round++) assert.is(at({ one: 1, two: { three: 3, four: bad }, five: 5 }), 'result.two.four')
})

test('a ref of another copy of the package is refused by name', () => {
  class ObjectRef {
    get [Symbol.for('mobula.ObjectRef')](): true {
      return true
    }
  }
  assert.match(thrownBy(() => encode([new ObjectRef()], 'value')).message, /^value\[0\] is an ObjectRef of another copy of mobula/)
  assert.is(trip(refNumber(1)) instanceof ObjectRef, false)
})

test('what a getter throws is the cause, even undefined', () => {
  const cause = new Error('from the getter')
  const error = thrownBy(() =>
    encode(
      {
        a: {
          get b() {
            throw cause
          },
        },
      },
      'value',
    ),
  )
  assert.instance(error, SerializationError)
  assert.match(error.message, /^value\.a\.b threw while it was read/)
  assert.is(error.cause, cause)
  const empty = thrownBy(() =>
    encode(
      {
        get b() {
          throw undefined
        },
      },
      'value',
    ),
  )
  assert.ok(Object.hasOwn(empty, 'cause'))
  assert.is(empty.cause, undefined)
})

test('nesting: a thousand levels travel, more are an error that names the limit', () => {
  const nested = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
    let value: unknown = 1
    for (let level = 0; level < levels; level++) value = wrap(value)
    return value
  }
  const depthOf = (value: unknown, inner: (outer: never) => unknown): number => {
    let depth = 0
    for (let at = value; typeof at === 'object' && at !== null; at = inner(at as never)) depth++
    return depth
  }
  assert.is(
    depthOf(trip(nested(1_000, (x) => [x])), ([x]: [unknown]) => x),
    1_000,
  )
  assert.is(
    depthOf(trip(nested(1_000, (a) => ({ a }))), ({ a }: { a: unknown }) => a),
    1_000,
  )
  assert.is(
    depthOf(trip(nested(500, (x) => new Map([['k', x]]))), (map: Map<string, unknown>) => map.get('k')),
    500,
  )
  assert.is(
    depthOf(trip(nested(500, (cause) => new Error('e', { cause }))), (error: Error) => error.cause),
    500,
  )
  for (const levels of [1_001, 5_000, 1_000_000]) {
    const error = thrownBy(() =>
      encode(
        nested(levels, (x) => [x]),
        'value',
      ),
    )
    assert.instance(error, SerializationError)
    assert.match(error.message, /^value\[0\]\[0\].* more than 1000 levels deep/)
    assert.ok(error.message.length < 500)
  }
  assert.equal(trip([1]), [1])
})

test('too little stack is an error of ours too, and leaves nothing behind', () => {
  let value: unknown = 1
  for (let level = 0; level < 900; level++) value = { value }
  const failures = new Set<string>()
  const dive = (): void => {
    try {
      trip(value)
    } catch (error) {
      if (error instanceof SerializationError) failures.add(error.message.slice(-120))
    }
    dive()
  }
  assert.instance(thrownBy(dive), RangeError)
  assert.ok(failures.size > 0)
  for (const message of failures) assert.match(message, /stack/)
  for (let round = 0; round < 20; round++) assert.equal(trip({ a: round, b: [{ c: 'x' }] }), { a: round, b: [{ c: 'x' }] })
})

test('a worker thread on its default stack holds a thousand levels too', async () => {
  const program = `
    const { decode, encode, regionOf, sourceOf } = await import(${JSON.stringify(new URL('../src/codec/codec.ts', import.meta.url).href)})
    const { parentPort } = await import('node:worker_threads')
    let value = 1
    for (let i = 0; i < 1000; i++) value = [value]
    const e = encode(value, 'v'), b = new Uint8Array(e.byteLength)
    e.writeTo(regionOf(b), 0)
    decode(sourceOf(b, []), { alias: false })
    try { encode([value], 'v'); parentPort.postMessage('no error') } catch (error) { parentPort.postMessage(error.code) }
  `
  const boot = `import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))}; register(); await import('data:text/javascript,' + encodeURIComponent(${JSON.stringify(program)}))`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot)}`))
  const answer = await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  assert.is(answer, 'ERR_SERIALIZATION')
})

test('a refused value is not kept alive by the encoder', () => {
  const program = `
    import { encode } from ${JSON.stringify(new URL('../src/codec/codec.ts', import.meta.url).href)}
    const weak = (() => { const big = { list: Array.from({ length: 50 }, () => ({})), bad: Symbol('x') }; try { encode(big, 'v') } catch {} return new WeakRef(big) })()
    const kept = (() => { const big = { list: Array.from({ length: 50 }, () => ({})), bytes: new Uint8Array(1000) }; encode(big, 'v'); return new WeakRef(big) })()
    await new Promise(setImmediate)
    globalThis.gc()
    console.log(weak.deref() === undefined, kept.deref() === undefined)
  `
  const args = ['--import', 'tsx', '--expose-gc', '--input-type=module', '--eval', program]
  assert.is(execFileSync(process.execPath, args, { encoding: 'utf8' }), 'true true\n')
})

test.after(() => {
  port1.close()
  port2.close()
})

test.run()
