/** What cannot be taken along: each is refused at once, by a text that says which variable, on which way, at which place, and what to do instead. */

import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { Script } from 'node:vm'
import { MessageChannel, Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CaptureError, checkCapture, get, init, remote, shutdown } from '../src/index.ts'
import { thrown } from './support/with-runtime.ts'

type AnyFunction = (...args: never[]) => unknown

const capturing = (it: unknown): AnyFunction => {
  return () => it
}

const PLACE = String.raw`\(test/capture-refusals\.test\.ts:\d+:\d+\)`

const weak = 'whose weak references mean nothing in another thread; pass a Map, a Set or the value itself'
const outerThis = 'uses `this` of the function or class around it; copy what it needs into a const before, and use that'
const make = 'make it inside of the function, or in a module that it imports'

type Made = new (from: object) => object
const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: { readonly Module: Made; readonly Instance: Made } }
const wasm = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))
const { port1, port2 } = new MessageChannel()
port1.close()
const thread = new Worker('', { eval: true })
const timer = setTimeout(() => {}, 0)

/** Captured as `it`. */
const values: readonly (readonly [what: string, it: unknown, text: string])[] = [
  ['a socket', new Socket(), 'is a Socket; pass the address and connect in the task'],
  ['a server', createServer(), 'is a Server; pass the address and listen in the task'],
  ['a server of HTTP', createHttpServer(), 'is a Server; pass the address and listen in the task'],
  ['a stream', new PassThrough(), 'is an instance of PassThrough, which extends Stream; open it in the task'],
  ['a port', port2, 'is a MessagePort; ports belong to their thread; return results instead of posting them'],
  ['a thread', thread, 'is a Worker; threads belong to their process; pass the data'],
  ['a timer', timer, 'is a Timeout; timers belong to their thread; start one in the task'],
  ['a Proxy', new Proxy({}, {}), 'is a Proxy, whose traps stay behind; pass a plain copy of what it shows'],
  ['a Proxy of a function', new Proxy(() => 1, {}), 'is a Proxy of a function, whose traps stay behind; pass the function itself'],
  ['a Promise', Promise.resolve(1), 'is a Promise; await it first, or pass an ObjectRef'],
  ['a WeakMap', new WeakMap(), `is a WeakMap, ${weak}`],
  ['a WeakSet', new WeakSet(), `is a WeakSet, ${weak}`],
  ['a WeakRef', new WeakRef({}), `is a WeakRef, ${weak}`],
  ['a running generator', (function* () {})(), 'is a running generator; pass an array of what it yields'],
  ['a running async generator', (async function* () {})(), 'is a running generator; pass an array of what it yields'],
  ['an iterator of a Map', new Map().entries(), 'is an iterator in use; pass an array of what it yields'],
  [
    'a native function',
    new Intl.NumberFormat('de').format,
    'is a native function, which has no text to send; call it inside of a function of your own, which imports what it comes from',
  ],
  ['an EventEmitter', new EventEmitter(), 'is an EventEmitter; listeners belong to their thread; pass the data'],
  ['an AbortSignal', new AbortController().signal, 'is an AbortSignal; cancel the task instead'],
  ['an AbortController', new AbortController(), 'is an AbortController; cancel the task instead'],
  ['an AsyncLocalStorage', new AsyncLocalStorage(), 'is an AsyncLocalStorage; what it holds belongs to its thread; pass the value'],
  ['an Intl object', new Intl.NumberFormat('de'), `is a NumberFormat; ${make}`],
  ['a TextEncoder', new TextEncoder(), `is a TextEncoder; ${make}`],
  ['a module of WebAssembly', wasm, 'is a Module; pass the bytes and compile them in the task'],
  ['an instance of WebAssembly', new WebAssembly.Instance(wasm), 'is an Instance; pass the bytes and instantiate them in the task'],
  [
    'bare shared memory',
    new SharedArrayBuffer(8),
    'is a bare SharedArrayBuffer: shared mutable memory is no value; pass a typed array over it, which is taken by value',
  ],
  [
    'a function of another context',
    new Script('(x) => x').runInNewContext(),
    'is a function of another context (node:vm), whose globals are others; make it here',
  ],
  [
    'a remote function with a signal',
    remote(() => 1, { signal: new AbortController().signal, name: 'load' }),
    "is the remote function 'load' with the option signal, which belongs to this thread; leave it out, and use cancel",
  ],
]

class Wallet {
  #coins = 5
  show(): number {
    return this.#coins
  }
}

class Service {
  readonly factor = 2
  keep = (): number => this.factor
  job(): AnyFunction {
    return () => this.factor
  }
}

const child = {
  __proto__: { hello: (): number => 1 },
  hello(): unknown {
    return (super.hello as AnyFunction)()
  },
}

const withArguments = function (..._all: unknown[]): AnyFunction {
  // biome-ignore lint/complexity/noArguments: that is what this is about
  return () => arguments[0]
}

const Target = function (this: { fn: AnyFunction }) {
  this.fn = () => new.target
} as unknown as new () => { readonly fn: AnyFunction }

const makeLate = (): AnyFunction => {
  const fn = () => late
  // Not known to whoever takes out what is never reached.
  if (Date.now() > 0) return fn
  const late = 1
  return fn
}

const deep = { pool: [{ socket: new Socket() }] }
const query = (): unknown => deep.pool[0]

/** The texts of others, whole: `@` is a place. */
const functions: readonly (readonly [what: string, fn: AnyFunction, text: string])[] = [
  ['`this` of the function around it', new Service().job(), `@, which ${outerThis}`],
  ['`this` of an arrow in an instance', capturing(new Service()), `@, which captures it.keep @, which ${outerThis}`],
  ['`arguments` of the function around it', withArguments(1), '@, which uses `arguments` of the function around it; use (...args) =>'],
  ['`super` of the object around it', child.hello, '@, which uses super of the class or object around it; ship the class, or call the method by its name'],
  ['`new.target` of the function around it', new Target().fn, '@, which uses new.target of the function around it; copy it into a const before'],
  [
    'direct eval',
    // biome-ignore lint/security/noGlobalEval: that is what this is about
    () => eval('1'),
    '@, which calls eval directly, which may use any variable around it; use (0, eval)(…), or new Function(…)',
  ],
  [
    'an instance with #private fields, deep in data',
    () => wallets.get('mine'),
    '@, which captures wallets.get("mine")[0], which is an instance of Wallet, and Wallet keeps state in #private fields, which nobody else can read; registerCodec(Wallet, { encode, decode })',
  ],
  [
    'a way of several functions',
    () => query(),
    '@, which captures query @, which captures deep.pool[0].socket, which is a Socket; pass the address and connect in the task',
  ],
  // V8 of Node 20 shows such a variable as one that is undefined.
  ...(process.version.startsWith('v20.')
    ? []
    : [['a variable without a value', makeLate(), '@, which captures late, which has no value yet; call .remote() below the line that gives it one'] as const]),
]
const wallets = new Map([['mine', [new Wallet()]]])

const refuses = async (fn: AnyFunction, text: string): Promise<void> => {
  const whole = new RegExp(`^cannot ship '\\w+' ${text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('@', PLACE)}$`)
  // Each time, and nothing is queued.
  for (let k = 0; k < 2; k++) {
    const error = thrown(() => remote(fn).remote())
    assert.instance(error, CaptureError)
    assert.is(error.code, 'ERR_CAPTURE')
    assert.match(error.message, whole)
  }
  const { ok, error } = checkCapture(fn)
  assert.not(ok)
  assert.match(error?.message ?? '', whole)
  assert.is(await get(remote(() => 1).remote()), 1)
}

test.before(async () => {
  await init({ numCpus: 1 })
})
test.after(async () => {
  await shutdown()
  port2.close()
})

for (const [what, it, text] of values) test(`${what} is refused, and what to do is said`, () => refuses(capturing(it), `@, which captures it, which ${text}`))
for (const [what, fn, text] of functions) test(`${what} is refused, and what to do is said`, () => refuses(fn, text))

test('what is wrong with the function itself is said by `remote` already', () => {
  for (const fn of [new Service().job(), child.hello, withArguments(1), new Target().fn])
    assert.instance(
      thrown(() => remote(fn)),
      CaptureError,
    )
})

test('classes of users’ own travel, whatever they are called', async () => {
  class Server {
    readonly port = 80
  }
  class Module {
    readonly id = 1
  }
  class Timeout extends Module {
    readonly ms = 5
  }
  const all = [new Server(), new Module(), new Timeout()] as const
  const back = await get(remote(() => [all, all[2] instanceof Timeout && all[2] instanceof Module] as const).remote())
  assert.equal(back, [all, true])
  assert.instance(back[0][0], Server)
  assert.instance(back[0][2], Timeout)
})

test.run()
