/** Errors as values, and what a task throws: class, fields and causes are kept where they can be, and nothing breaks the encoder. */

import { readFileSync } from 'node:fs'
import { inspect, types } from 'node:util'
import vm from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decode, encodeThrown, registerClass, setClassFinder, sourceOf } from '../src/codec/codec.ts'
import { ObjectLostError, SerializationError, TaskError, WorkerCrashedError } from '../src/errors/errors.ts'
import { taskError } from '../src/errors/task-error.ts'
import { bytesOf, thrownBy, trip } from './support/codec.ts'

const thrown = (value: unknown): unknown => {
  const encoded = encodeThrown(value)
  return decode(sourceOf(bytesOf(encoded), encoded.refs), { alias: false })
}

class QuotaError extends RangeError {
  readonly code = 'E_QUOTA'
  readonly limit: number
  constructor(message: string, limit: number) {
    super(message)
    this.name = 'QuotaError'
    this.limit = limit
  }
}

test('where a class comes from is looked up once, and a class that becomes known later travels by its key', () => {
  let lookedUp = 0
  setClassFinder(
    () => {
      lookedUp += 1
      return { reason: 'it is defined nowhere' }
    },
    () => false,
  )
  class NowhereError extends Error {}
  for (let k = 0; k < 5; k++) assert.is((thrown(new NowhereError('x')) as Error).constructor.name, 'NowhereError')
  assert.is(lookedUp, 1)
  assert.not.instance(thrown(new NowhereError('x')), NowhereError)
  const takeBack = registerClass('file:///nowhere.js#NowhereError', NowhereError)
  assert.instance(thrown(new NowhereError('x')), NowhereError)
  takeBack()
  setClassFinder(
    () => ({ reason: 'nobody said where its class comes from' }),
    () => undefined,
  )
})

test('builtin errors come back as themselves', () => {
  for (const Class of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    const error = new Class('what happened')
    const back = trip(error) as Error
    assert.is(Object.getPrototypeOf(back), Class.prototype)
    assert.ok(types.isNativeError(back))
    assert.is(back.message, 'what happened')
    assert.is(back.stack, error.stack)
    assert.is(back.name, Class.name)
    assert.equal(Object.keys(back), [])
    assert.is(inspect(back), inspect(error))
  }
})

test('causes, also circular ones, and AggregateError', () => {
  const root = new Error('root')
  const top = new TypeError('top', { cause: new Error('middle', { cause: root }) })
  root.cause = top
  const back = trip(top) as Error
  const middle = back.cause as Error
  assert.is((middle.cause as Error).message, 'root')
  assert.is((middle.cause as Error).cause, back)
  assert.not(Object.keys(back).includes('cause'))
  assert.not('cause' in (trip(new Error('none')) as Error))
  assert.ok(Object.hasOwn(trip(new Error('undefined', { cause: undefined })) as Error, 'cause'))
  const many = trip(new AggregateError([new RangeError('one'), 'two', top], 'many')) as AggregateError
  assert.instance(many, AggregateError)
  assert.instance(many.errors[0], RangeError)
  assert.is(many.errors[1], 'two')
  assert.is(many.message, 'many')
})

test('fields of system errors', () => {
  const error = thrownBy(() => readFileSync('/no/such/file')) as NodeJS.ErrnoException
  const back = trip(error) as NodeJS.ErrnoException
  assert.equal({ ...back }, { ...error })
  assert.is(back.code, 'ENOENT')
  const typed = thrownBy(() => Buffer.alloc(-1))
  const again = trip(typed) as NodeJS.ErrnoException
  assert.instance(again, RangeError)
  assert.is(again.code, 'ERR_OUT_OF_RANGE')
  assert.is(again.message, typed.message)
})

test('DOMException', () => {
  const error = new DOMException('too slow', 'TimeoutError')
  const back = trip([error, error]) as DOMException[]
  assert.instance(back[0], DOMException)
  assert.is(back[0], back[1])
  assert.is(back[0]?.name, 'TimeoutError')
  assert.is(back[0]?.code, error.code)
  assert.is(back[0]?.message, 'too slow')
  const aborted = trip(AbortSignal.abort().reason) as DOMException
  assert.is(aborted.name, 'AbortError')
})

test('a class that is not known here gives an error of its name, below the builtin class', () => {
  const error = new QuotaError('too much', 5)
  const back = trip(error) as QuotaError
  assert.instance(back, RangeError)
  assert.is.not(back instanceof QuotaError, true)
  assert.is(back.constructor.name, 'QuotaError')
  assert.is(back.name, 'QuotaError')
  assert.is(back.code, 'E_QUOTA')
  assert.is(back.limit, 5)
  assert.is(back.stack, error.stack)
  const again = trip(back) as QuotaError
  assert.is(again.constructor, back.constructor, 'the stand-in is the same class each time')
  class Nameless extends Error {}
  assert.is((trip(new Nameless('x')) as Error).constructor.name, 'Nameless')
})

test('a registered class is revived without calling its constructor', () => {
  let made = 0
  class Counted extends Error {
    constructor(message: string) {
      super(message)
      made++
    }
    override get name(): string {
      return 'Counted'
    }
    get code(): string {
      return 'E_COUNTED'
    }
  }
  const forget = registerClass('file:///tasks.ts#Counted', Counted)
  const back = trip(new Counted('x')) as Counted
  assert.instance(back, Counted)
  assert.is(made, 1)
  assert.is(back.code, 'E_COUNTED')
  assert.not(Object.hasOwn(back, 'name'))
  forget()
  assert.not(trip(new Counted('x')) instanceof Counted)
})

test('decode asks for a class that it does not know by its key', () => {
  class Remote extends Error {}
  const forget = registerClass('file:///remote.ts#Remote', Remote)
  const encoded = encodeThrown([new Remote('a'), new Error('b')])
  const bytes = bytesOf(encoded)
  forget()
  const keys: string[] = []
  const [stood] = decode(sourceOf(bytes, []), {
    alias: false,
    onUnknownClass: (key) => {
      keys.push(key)
      return undefined
    },
  }) as Error[]
  assert.equal(keys, ['file:///remote.ts#Remote'])
  assert.is(stood?.constructor.name, 'Remote')
  class Found extends Error {}
  const [found] = decode(sourceOf(bytes, []), { alias: false, onUnknownClass: () => Found }) as Error[]
  assert.instance(found, Found)
})

test('errors of this package come back as themselves', () => {
  const crashed = trip(new WorkerCrashedError('gone', { exitCode: 3, signal: null })) as WorkerCrashedError
  assert.instance(crashed, WorkerCrashedError)
  assert.is(crashed.exitCode, 3)
  assert.is(crashed.signal, null)
  assert.is(crashed.code, 'ERR_WORKER_CRASHED')
  assert.instance(trip(new ObjectLostError('lost', { cause: 'why' })), ObjectLostError)
})

test('the error of a task, thrown on by another, is still both classes and names the first task', () => {
  const error = taskError(new QuotaError('too much', 5), { taskName: 'inner', stack: 'QuotaError: too much\n    at user.ts:3:1' })
  const back = trip([error, error]) as (TaskError & QuotaError)[]
  assert.is(back[0], back[1])
  assert.instance(back[0], TaskError)
  assert.instance(back[0], RangeError)
  assert.is(back[0]?.taskName, 'inner')
  assert.is(back[0]?.code, 'E_QUOTA')
  assert.is(back[0]?.stack, error.stack)
  assert.is((back[0]?.cause as QuotaError | undefined)?.limit, 5)
  const odd = trip(taskError(undefined, { taskName: 'odd' })) as TaskError
  assert.is(odd.cause, undefined)
  assert.match(odd.message, /task 'odd' threw undefined/)
  const loop = new Error('loop') as Error & { failure?: unknown }
  const around = taskError(loop, { taskName: 'loop' })
  loop.failure = around
  const looped = trip(around) as TaskError
  assert.is((looped.cause as { failure?: unknown }).failure, looped)
})

test('an error whose getters throw travels with what can be read', () => {
  const error = new Error('hidden')
  Object.defineProperty(error, 'message', {
    get: () => {
      throw new Error('no message')
    },
  })
  Object.defineProperty(error, 'code', {
    enumerable: true,
    get: () => {
      throw new Error('no code')
    },
  })
  const back = trip({ error }) as { error: Error }
  assert.instance(back.error, Error)
  assert.is(back.error.message, '')
  const odd = new Error('odd stack')
  odd.stack = { not: 'text' } as never
  assert.equal((trip(odd) as { stack: unknown }).stack, { not: 'text' })
})

test('an error of another realm', () => {
  const back = trip(vm.runInNewContext('new TypeError("far", { cause: new RangeError("inner") })')) as Error
  assert.instance(back, TypeError)
  assert.instance(back.cause, RangeError)
})

test('what no error is, is thrown as the value it is', () => {
  for (const value of [undefined, null, 0, '', false, Number.NaN, 5n, 'text', { code: 1 }, [1]]) assert.equal(thrown(value), value)
  assert.is((thrown(new Error('x'.repeat(1_000_000))) as Error).message.length, 1_000_000)
  assert.equal(thrown(Object.freeze({ frozen: true })), { frozen: true })
})

test('encodeThrown never throws: what cannot be kept is described', () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [Symbol('sym'), /Symbol\(sym\)/],
    [() => 1, /the task threw \[Function/],
    [new Proxy({ a: 1 }, { get: () => assert.unreachable() }), /the task threw/],
    [
      new (class Odd {
        x = 1
      })(),
      /Odd/,
    ],
    [Promise.resolve(3), /Promise/],
    [
      {
        get a() {
          throw new Error('inside')
        },
      },
      /the task threw/,
    ],
    [
      Object.create(null, {
        a: {
          enumerable: true,
          get: () => {
            throw 1
          },
        },
      }),
      /the task threw/,
    ],
  ]
  for (const [value, message] of cases) {
    const back = thrown(value) as Error
    assert.instance(back, SerializationError)
    assert.match(back.message, message)
  }
})

test('an error that holds what cannot travel keeps the rest, and says what is missing', () => {
  const error = new QuotaError('too much', 5) as QuotaError & { lock?: unknown; fine?: unknown }
  error.lock = () => 1
  error.fine = { a: [1] }
  error.cause = Object.assign(new TypeError('inner'), { handle: Symbol('h'), kept: 2 })
  const back = thrown(error) as typeof error & { notKept: string[] }
  assert.instance(back, RangeError)
  assert.is(back.constructor.name, 'QuotaError')
  assert.is(back.message, 'too much')
  assert.is(back.name, 'QuotaError')
  assert.is(back.code, 'E_QUOTA')
  assert.is(back.stack, error.stack)
  assert.equal(back.fine, { a: [1] })
  assert.not('lock' in back)
  assert.match(back.notKept.join('\n'), /^lock: is a function/m)
  const cause = back.cause as TypeError & { kept: number; notKept: string[] }
  assert.instance(cause, TypeError)
  assert.is(cause.message, 'inner')
  assert.is(cause.kept, 2)
  assert.match(cause.notKept.join(), /^handle: is a symbol/)
  const many = thrown(new AggregateError([Object.assign(new RangeError('one'), { f() {} }), new TypeError('two')], 'many')) as AggregateError
  assert.instance(many, AggregateError)
  assert.is((many.errors[0] as Error).message, 'one')
  assert.instance(many.errors[1], TypeError)
})

test('errors made to break encoders do not', () => {
  const chain = Array.from({ length: 3_000 }).reduce<Error>((cause) => new Error('link', { cause }), new Error('first'))
  assert.match((thrown(chain) as Error).message, /link/)
  const circular = Object.assign(new Error('circular'), { f() {} }) as Error
  circular.cause = circular
  assert.is((thrown(circular) as Error).message, 'circular')
  const bare = Object.setPrototypeOf(new Error('bare'), null) as Error
  assert.is((thrown(bare) as Error).message, 'bare')
  const strange = Object.create(Error.prototype, {
    constructor: {
      get: () => {
        throw new Error('no class')
      },
    },
  }) as Error
  assert.instance(thrown(strange), Error)
  const proxied = Object.assign(new Error('with proxy'), { cause: new Proxy(new Error('x'), {}) })
  assert.is((thrown(proxied) as Error).message, 'with proxy')
})

test.run()
