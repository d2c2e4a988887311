/** Wrong arguments to any function of the API: a synchronous error that names the argument, and nothing else happens. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CaptureError, get, getSync, init, isInitialized, MobulaError, ObjectRef, put, remote, SerializationError, shutdown, wait } from '../src/index.ts'
import { thrown, withRuntime } from './support/with-runtime.ts'

type Case = readonly [what: string, call: () => unknown, class_: new (...args: never[]) => Error, message: RegExp]

// The API is called as JavaScript would: types that forbid it are the point.
const loose = { get, getSync, init, put, remote, wait } as unknown as Record<string, (...args: unknown[]) => unknown>
const call =
  (name: string, ...args: unknown[]) =>
  () =>
    loose[name]?.(...args)

const initCases: readonly Case[] = [
  ['options no object', call('init', 7), TypeError, /^init: options: expected an object, got 7/],
  ['unknown option', call('init', { numCPUs: 2 }), TypeError, /unknown option 'numCPUs', did you mean 'numCpus'/],
  ['option of a later version', call('init', { dashboard: true }), MobulaError, /'dashboard' is not supported in this version/],
  ['numCpus no number', call('init', { numCpus: '2' }), TypeError, /^options\.numCpus: expected a number, got '2'/],
  ['numCpus negative', call('init', { numCpus: -1 }), RangeError, /^options\.numCpus: expected/],
  ['numCpus NaN', call('init', { numCpus: Number.NaN }), RangeError, /^options\.numCpus/],
  ['store too small', call('init', { objectStoreMemory: 1000 }), RangeError, /^options\.objectStoreMemory: expected a number from 1048576/],
  ['store larger than memory', call('init', { objectStoreMemory: 2 ** 50 }), RangeError, /^options\.objectStoreMemory/],
  ['store no integer', call('init', { objectStoreMemory: 2 ** 21 + 0.5 }), RangeError, /^options\.objectStoreMemory: expected an integer/],
  ['maxWorkers zero', call('init', { maxWorkers: 0 }), RangeError, /^options\.maxWorkers/],
  ['maxWorkers no integer', call('init', { maxWorkers: 1.5 }), RangeError, /^options\.maxWorkers: expected an integer/],
  ['maxWorkers no number', call('init', { maxWorkers: '4' }), TypeError, /^options\.maxWorkers/],
  ['logToDriver no boolean', call('init', { logToDriver: 'yes' }), TypeError, /^options\.logToDriver/],
  ['env no object', call('init', { env: ['A=1'] }), TypeError, /^options\.env/],
  ['env of numbers', call('init', { env: { A: 1 } }), TypeError, /^options\.env\.A/],
  ['env null', call('init', { env: null }), TypeError, /^options\.env/],
  ['execArgv no array', call('init', { execArgv: '--flag' }), TypeError, /^options\.execArgv/],
  ['execArgv of numbers', call('init', { execArgv: [1] }), TypeError, /^options\.execArgv\[0\]/],
  ['resourceLimits no object', call('init', { resourceLimits: 64 }), TypeError, /^options\.resourceLimits: expected an object, got 64/],
  ['resourceLimits negative', call('init', { resourceLimits: { stackSizeMb: -1 } }), RangeError, /^options\.resourceLimits\.stackSizeMb/],
  ['resourceLimits no number', call('init', { resourceLimits: { stackSizeMb: '1' } }), TypeError, /^options\.resourceLimits\.stackSizeMb/],
  ['resourceLimits misspelt', call('init', { resourceLimits: { maxOldGenerationSizeMB: 1 } }), TypeError, /did you mean 'maxOldGenerationSizeMb'/],
  ['namespace no string', call('init', { namespace: 1 }), TypeError, /^options\.namespace/],
]

for (const [what, act, class_, message] of initCases) {
  test(`init: ${what}`, () => {
    const error = thrown(act)
    assert.instance(error, class_)
    assert.match(error.message, message)
    assert.not(isInitialized())
  })
}

const fn = remote((x: unknown) => x)

/** What resolves a promise is a native function that nothing has a name for. */
let nameless: (value: number) => void = () => {}
void new Promise<number>((resolve) => {
  nameless = resolve
})

const cases: readonly Case[] = [
  ['remote(undefined)', call('remote'), TypeError, /^fn: expected a function, got undefined/],
  ['remote(class): later option', call('remote', class A {}, { resourceLimits: {} }), MobulaError, /'resourceLimits' is not supported/],
  ['remote(Proxy)', call('remote', new Proxy(() => 1, {})), CaptureError, /^cannot ship '.*', which is a Proxy of a function/],
  ['native function', () => remote(nameless).remote(1), CaptureError, /^cannot ship 'anonymous', which is a native function/],
  ['remote: unknown option', call('remote', () => 1, { nam: 'x' }), TypeError, /did you mean 'name'/],
  ['remote: later option', call('remote', () => 1, { isolation: 'thread' }), MobulaError, /'isolation' is not supported/],
  ['remote: backpressure 0', call('remote', function* () {}, { backpressure: 0 }), RangeError, /^options\.backpressure: expected a number from 1/],
  ['remote: backpressure NaN', call('remote', function* () {}, { backpressure: Number.NaN }), RangeError, /^options\.backpressure/],
  ['remote: backpressure no number', call('remote', function* () {}, { backpressure: '2' }), TypeError, /^options\.backpressure: expected a number/],
  ['remote: name no string', call('remote', () => 1, { name: 1 }), TypeError, /^options\.name/],
  ['options(): later option', () => fn.options({ isolation: 'thread' } as never), MobulaError, /'isolation' is not supported/],
  ['options(): negative backpressure', () => fn.options({ backpressure: -1 }), RangeError, /^options\.backpressure/],
  ['remote.module: url no URL', () => remote.module('./tasks.ts', 'x'), TypeError, /^url: expected/],
  ['remote.module: name no string', () => remote.module('node:path', 1 as never), TypeError, /^name: expected/],
  ['get(undefined)', call('get'), TypeError, /^ref: expected an ObjectRef, got undefined/],
  ['get(promise)', call('get', Promise.resolve(1)), TypeError, /^ref: expected an ObjectRef/],
  ['get of a list with another thing', () => loose.get?.([put(1), 2]), TypeError, /^refs\[1\]: expected an ObjectRef, got 2/],
  ['get: sparse list', () => loose.get?.(new Array(2)), TypeError, /^refs\[0\]/],
  ['get: negative timeout', () => get(put(1), { timeout: -1 }), RangeError, /^options\.timeout/],
  ['get: timeout no number', () => loose.get?.(put(1), { timeout: '1' }), TypeError, /^options\.timeout/],
  ['get: signal no signal', () => loose.get?.(put(1), { signal: {} }), TypeError, /^options\.signal/],
  ['get: unknown option', () => loose.get?.(put(1), { timout: 1 }), TypeError, /did you mean 'timeout'/],
  ['get(a, b)', () => loose.get?.(put(1), put(2)), TypeError, /^get: options: expected an object of options \(several refs go in as a list/],
  ['get: options a date', () => loose.get?.(put(1), new Date()), TypeError, /^get: options: expected an object, got an instance of Date/],
  ['get of an object in the image of a ref', () => loose.get?.(Object.create(ObjectRef.prototype)), TypeError, /^ref: expected an ObjectRef/],
  ['getSync(null)', call('getSync', null), TypeError, /^ref: expected an ObjectRef, got null/],
  ['wait(ref)', () => loose.wait?.(put(1)), TypeError, /^refs: expected an array/],
  ['wait: repeated ref', () => wait([twice, twice]), RangeError, /distinct/],
  ['wait: numReturns too large', () => wait([put(1)], { numReturns: 2 }), RangeError, /^options\.numReturns/],
  ['wait: numReturns zero', () => wait([put(1)], { numReturns: 0 }), RangeError, /^options\.numReturns/],
  ['put(Proxy of a function)', call('put', new Proxy(() => 1, {})), CaptureError, /^value, which is a Proxy of a function/],
  ['put(symbol)', call('put', Symbol('s')), SerializationError, /value/],
  ['put: deep path', call('put', { items: [0, { cb: new WeakMap() }] }), SerializationError, /value\.items\[1\]\.cb/],
  ['argument that cannot travel', () => fn.remote({ socket: new WeakMap() }), SerializationError, /args\[0\]\.socket/],
  ['disposed ref', () => get(disposed()), TypeError, /^ref: expected an ObjectRef that was not disposed/],
  ['disposed ref as argument', () => fn.remote(disposed()), TypeError, /not disposed/],
]

let twice: ReturnType<typeof put>

const disposed = (): ReturnType<typeof put> => {
  const ref = put(1)
  ref[Symbol.dispose]()
  return ref
}

test(
  'each is a synchronous error that names the argument, and the runtime goes on',
  withRuntime({ numCpus: 1 }, async () => {
    twice = put(2)
    for (const [what, act, class_, message] of cases) {
      const error = thrown(act)
      assert.instance(error, class_, `${what}: ${error.name} ${error.message}`)
      assert.match(error.message, message, what)
      assert.is(await get(fn.remote(what)), what)
    }
  }),
)

test('a wrong variable of the environment is a synchronous error, too', async () => {
  for (const name of ['MOBULA_COPY_THREADS', 'MOBULA_HUGE_PAGES', 'MOBULA_VIEWS']) {
    process.env[name] = 'perhaps'
    try {
      const error = thrown(() => init({ numCpus: 1 }))
      assert.instance(error, RangeError, name)
      assert.match(error.message, new RegExp(`^${name}: expected .*, got 'perhaps'`))
    } finally {
      delete process.env[name]
    }
    assert.is(isInitialized(), false)
  }
  process.env['MOBULA_HUGE_PAGES'] = '0'
  try {
    await init({ numCpus: 1 })
    using ref = put(new Uint8Array(3e6).fill(7))
    assert.is(getSync(ref)[2_999_999], 7)
  } finally {
    delete process.env['MOBULA_HUGE_PAGES']
    await shutdown()
  }
})

test('a second init throws at once, or keeps the running runtime', async () => {
  const first = await init({ numCpus: 1 })
  const error = thrown(() => init())
  assert.instance(error, MobulaError)
  assert.is(error.code, 'ERR_ALREADY_INITIALIZED')
  assert.is(await init({ ignoreReinitError: true }), first)
  await shutdown()
})

test('refs of a runtime that was shut down say so', async () => {
  await init({ numCpus: 1 })
  const ref = put(1)
  await shutdown()
  await init({ numCpus: 1 })
  for (const act of [() => getSync(ref), () => fn.remote(ref), () => fn.remote([ref]), () => put({ ref })]) assert.is(thrown(act).code, 'ERR_SHUTDOWN')
  for (const promise of [get(ref), wait([ref])]) {
    assert.is(
      await promise.then(
        () => 'resolved',
        (error) => error.code,
      ),
      'ERR_SHUTDOWN',
    )
  }
  await shutdown()
})

test.run()
