/** What cannot travel: each is refused when it is submitted, by a `CaptureError` that says which variable it was, by which path. */
// @ts-nocheck: what users write in JavaScript, odd on purpose

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import { createServer, Socket } from 'node:net'
import { MessageChannel } from 'node:worker_threads'
import * as mobula from 'mobula'
import { call, feature, refuses } from '../case.mjs'

const dbOfModule = { pool: [{ conn: new Socket() }] }

refuses('a socket, deep in a constant of the module', () => () => dbOfModule.pool[0], ['dbOfModule.pool[0].conn', 'Socket'])

refuses('a socket, through a helper', () => {
  const db = { pool: [new Socket()] }
  const queryDb = () => db.pool[0]
  return () => queryDb()
}, ['queryDb', 'db.pool[0]'])

refuses('a server', () => {
  const theServer = createServer()
  return () => theServer.address()
}, ['theServer', 'Server'])

refuses('a Proxy', () => {
  const proxied = { inner: new Proxy({}, {}) }
  return () => proxied.inner.x
}, ['proxied.inner', 'Proxy'])

refuses('a Proxy of a function', () => {
  const proxiedCall = new Proxy(() => 1, {})
  return () => proxiedCall()
}, ['proxiedCall', 'Proxy'])

refuses('a Promise', () => {
  const pendingValue = { result: Promise.resolve(1) }
  return async () => pendingValue.result
}, ['pendingValue.result', 'Promise'])

refuses('a WeakMap', () => {
  const weakCache = new WeakMap()
  return () => weakCache.has({})
}, ['weakCache', 'weak'])

refuses('a WeakSet and a WeakRef, in a Map', () => {
  const byName = new Map([['seen', new WeakSet()]])
  return () => byName.size
}, ['byName', 'weak'])

refuses('a generator that runs', () => {
  const running = (function* () {
    yield 1
  })()
  return () => running.next()
}, ['running', 'enerator'])

refuses('an async generator that runs', () => {
  const runningLater = (async function* () {
    yield 1
  })()
  return () => runningLater.next()
}, ['runningLater', 'enerator'])

refuses('an iterator of a Map', () => {
  const cursor = { at: new Map([[1, 2]]).entries() }
  return () => cursor.at.next()
}, ['cursor.at'])

refuses('a native function without a name to find it by', () => {
  let settle
  new Promise((resolve) => {
    settle = resolve
  })
  return () => settle(1)
}, ['settle', 'native'])

refuses('a bound native function that holds state', () => {
  const said = { out: Promise.prototype.then.bind(Promise.resolve(1)) }
  return () => typeof said.out
}, ['said.out'])

refuses('an instance with #private state', () => {
  class Wallet {
    #coins = 5
    show() {
      return this.#coins
    }
  }
  const holder = { wallets: [new Wallet()] }
  return () => holder.wallets[0].show()
}, ['holder.wallets[0]', 'Wallet'])

refuses('an instance of a class below one with #private state', () => {
  class Base {
    #hidden = 5
    show() {
      return this.#hidden
    }
  }
  class Derived extends Base {}
  const derivedOne = new Derived()
  return () => derivedOne.show()
}, ['derivedOne', 'Derived'])

refuses('`this` of the function around it', () => {
  class Service {
    factor = 2
    job() {
      return (x) => x * this.factor
    }
  }
  return new Service().job()
}, ['this'])

refuses('`this` of the function around it, in a helper', () => {
  class Service {
    factor = 2
    job() {
      const helperOfThis = () => this.factor
      return () => helperOfThis()
    }
  }
  return new Service().job()
}, ['this', 'helperOfThis'])

refuses('`arguments` of the function around it', () => {
  function outer() {
    return () => arguments[0]
  }
  return outer(1)
}, ['arguments'])

refuses('`super` in a bare method', () => {
  const parent = {
    hello() {
      return 1
    },
  }
  const child = {
    __proto__: parent,
    hello() {
      return super.hello()
    },
  }
  return child.hello
}, ['super', 'hello'])

refuses('direct eval', () => {
  const secret = 5
  return () => eval('secret') + secret
}, ['eval'])

refuses('an EventEmitter', () => {
  const emitter = { bus: new EventEmitter() }
  return () => emitter.bus.emit('x')
}, ['emitter.bus', 'EventEmitter'])

refuses('an AbortSignal and its controller', () => {
  const aborting = { signal: new AbortController().signal }
  return () => aborting.signal.aborted
}, ['aborting.signal', 'AbortSignal'])

refuses('an AsyncLocalStorage', () => {
  const requestStorage = new AsyncLocalStorage()
  return () => requestStorage.getStore()
}, ['requestStorage', 'AsyncLocalStorage'])

refuses('an Intl object', () => {
  const numbers = { format: new Intl.NumberFormat('de') }
  return () => numbers.format.format(1)
}, ['numbers.format', 'NumberFormat'])

const wasm = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)

refuses('a WebAssembly module', () => {
  const wasmModule = new WebAssembly.Module(wasm)
  return () => WebAssembly.Module.exports(wasmModule)
}, ['wasmModule', 'Module'])

refuses('a WebAssembly instance', () => {
  const wasmInstance = { it: new WebAssembly.Instance(new WebAssembly.Module(wasm)) }
  return () => wasmInstance.it.exports
}, ['wasmInstance.it', 'Instance'])

refuses('a MessagePort', () => {
  const channel = new MessageChannel()
  channel.port1.close()
  const ports = [channel.port2]
  return () => ports[0].postMessage(1)
}, ['ports[0]', 'MessagePort'])

// V8 of Node 20 shows such a name as one that is undefined.
if (!process.version.startsWith('v20.'))
  refuses('a name that has no value yet', () => {
    const fn = () => notYet
    // Not known to whoever takes out what is never reached.
    if (Date.now() > 0) return fn
    const notYet = 1
    return () => notYet
  }, ['notYet'])

refuses('a timer', () => {
  const timer = setTimeout(() => {}, 0)
  return () => timer.ref()
}, ['timer', 'Timeout'])

refuses('what a getter would throw on is not asked', () => {
  const trap = {
    get fine() {
      return trap.socket
    },
    socket: new Socket(),
  }
  return () => trap.fine
}, ['trap.socket'])

refuses('a key of a Map', () => {
  const byKey = new Map([[{ promised: Promise.resolve() }, 1]])
  return () => byKey.size
}, ['byKey', 'Promise'])

refuses('a member whose name was computed once', () => {
  const counter = { n: 0 }
  class Numbered {
    [`id${++counter.n}`] = 1
  }
  return () => [new Numbered(), counter.n]
}, ['Numbered', 'computed from `id${++counter.n}`', 'keep the name in a const of its own'])

refuses('a member whose name was computed from what is gone', () => {
  const made = []
  for (const prefix of ['user', 'group']) {
    class Prefixed {
      [`${prefix}Id`] = 1
    }
    made.push(() => new Prefixed())
  }
  return made[1]
}, ['Prefixed', 'computed from prefix, which cannot be seen any more'])

refuses('a property of a function, and a static field', () => {
  class Registry {
    static pending = Promise.resolve(1)
  }
  return () => Registry.name
}, ['Registry', 'pending', 'Promise'])

refuses('a field of an instance', () => {
  class Repository {
    constructor() {
      this.connection = new Socket()
    }
  }
  const repository = new Repository()
  return () => repository
}, ['repository.connection', 'Socket'])

refuses('an arrow in a field that uses `this`', () => {
  class Pressed {
    label = 'ok'
    onClick = () => this.label
  }
  const pressed = new Pressed()
  return () => pressed.onClick()
}, ['pressed.onClick', 'this'])

refuses('more than 100 MB', () => {
  const hugeText = 'x'.repeat(101 * 2 ** 20)
  return () => hugeText.length
}, ['MB'])

feature('refused: a function that cannot travel as an argument, deep in it', async () => {
  const { CaptureError, SerializationError } = mobula
  const held = Promise.resolve(1)
  const fn = mobula.remote((x) => x)
  for (const attempt of [() => fn.remote({ cb: () => held }), () => mobula.put([() => held])]) {
    let error
    try {
      attempt()
    } catch (thrown) {
      error = thrown
    }
    assert.ok(error instanceof CaptureError || error instanceof SerializationError, String(error))
    assert.match(error.message, /held/)
  }
  assert.equal(await call((x) => x, 1), 1)
}, ['there', 'names'])

feature('refused: what is no function', () => {
  for (const wrong of [undefined, null, 5, 'text', {}, Symbol('s')]) assert.throws(() => mobula.remote(wrong), TypeError)
}, ['there'])

feature('`checkCapture` tells what would be taken along', () => {
  const number_ = 5
  const helper_ = (x) => x * number_
  const report = mobula.checkCapture((x) => helper_(Math.max(x, number_)))
  assert.equal(report.ok, true)
  const byName = new Map(report.names.map(({ name, how }) => [name, how]))
  assert.equal(byName.get('helper_'), 'value')
  assert.equal(byName.get('number_'), 'value')
  assert.equal(report.error, undefined)
}, ['there', 'names'])
