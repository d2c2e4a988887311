/** The error classes: codes, brands, the two natures of a task's error, and the wording of bad input. */

import { readFileSync } from 'node:fs'
import { types } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { badRange, badType, nearest, notSupported, shown, unknownOption } from '../src/errors/bad-input.ts'
import { ERROR_CODES } from '../src/errors/codes.ts'
import * as errors from '../src/errors/errors.ts'
import { taskError } from '../src/errors/task-error.ts'

const { MobulaError, TaskError, GetTimeoutError, WorkerCrashedError } = errors

test('every class has its name and a code of the list, keeps its cause, and is a MobulaError', () => {
  const seen = new Set<string>()
  for (const [name, Class] of Object.entries(errors)) {
    if (typeof Class !== 'function' || !(Class.prototype instanceof Error)) continue
    const cause = new Error('why')
    const error = new (Class as new (message: string, options: object) => errors.MobulaError)('what', { cause, taskName: 'f' })
    assert.instance(error, Class)
    assert.instance(error, MobulaError)
    assert.instance(error, Error)
    assert.is(error.name, name)
    assert.is(error.message, 'what')
    assert.is(error.cause, cause)
    assert.ok(error.code in ERROR_CODES, `${name}: ${error.code}`)
    assert.match(String(error.stack), new RegExp(`^${name}: what\n.*errors\\.test\\.ts`))
    if (Class !== MobulaError) assert.not(seen.has(error.code))
    seen.add(error.code)
    if (Class !== GetTimeoutError) assert.not(error instanceof GetTimeoutError)
  }
  assert.ok(seen.size >= 11)
})

test('instanceof goes by brand, so that another copy of the package agrees', async () => {
  const other = (await import(`../src/errors/errors.ts?copy=${process.pid}`)) as typeof errors
  assert.is.not(other.GetTimeoutError, GetTimeoutError)
  const theirs = new other.GetTimeoutError('late')
  assert.instance(theirs, GetTimeoutError)
  assert.instance(theirs, MobulaError)
  assert.not(theirs instanceof WorkerCrashedError)
  assert.instance(new GetTimeoutError('late'), other.MobulaError)
})

test('instanceof is true for errors alone', () => {
  for (const value of [undefined, null, 1, 'x', {}, () => 1, new Error('x'), { code: 'ERR_TASK' }, Object.create(null)])
    assert.not((value as unknown) instanceof MobulaError)
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('trap')
      },
    },
  )
  assert.not(hostile instanceof MobulaError)
})

test("a user's subclass is tested as an ordinary class", () => {
  class Mine extends GetTimeoutError {}
  assert.instance(new Mine('x'), Mine)
  assert.instance(new Mine('x'), GetTimeoutError)
  assert.not(new GetTimeoutError('x') instanceof Mine)
})

class UserError extends RangeError {
  code = 'E_USER'
  details = { a: 1 }
}

test('the error of a task is a TaskError and what was thrown', () => {
  const cause = new UserError('too far')
  const stack = 'RangeError: too far\n    at work (/app/tasks.ts:3:9)'
  const error = taskError(cause, { taskName: 'work', stack })
  for (const Class of [TaskError, MobulaError, UserError, RangeError, Error]) assert.instance(error, Class as typeof Error)
  assert.not((error as Error) instanceof TypeError)
  assert.not(error instanceof GetTimeoutError)
  assert.ok(types.isNativeError(error))
  assert.is(error.constructor, UserError)
  assert.is(error.message, 'too far')
  assert.is(error.name, 'RangeError')
  assert.is(error.stack, stack)
  assert.is(error.code, 'E_USER')
  assert.is(error.taskCode, 'ERR_TASK')
  assert.is(error.taskName, 'work')
  assert.is(error.cause, cause)
  assert.equal((error as unknown as UserError).details, { a: 1 })
  assert.is(taskError(new Error('plain'), { taskName: 'work' }).code, 'ERR_TASK')
})

test('its own properties are those of what was thrown, without stack and cause', () => {
  const inner = new Error('inner')
  const cause = Object.assign(new Error('outer', { cause: inner }), { one: 1, [Symbol.for('two')]: 2 })
  const error = taskError(cause, { taskName: 'work' }) as unknown as Record<PropertyKey, unknown>
  assert.is(error['one'], 1)
  assert.is(error[Symbol.for('two')], 2)
  assert.is(error['cause'], cause)
  assert.equal(Object.keys(error), ['one', 'code'])
  const many = taskError(new AggregateError([inner], 'many'), { taskName: 'work' })
  assert.is((many as unknown as AggregateError).errors[0], inner)
  cause.one = 5
  assert.is(error['one'], 1)
})

test('whatever is thrown becomes an error that says so', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [undefined, "task 'f' threw undefined"],
    [null, "task 'f' threw null"],
    [0, "task 'f' threw 0"],
    ['', "task 'f' threw ''"],
    ['boom', "task 'f' threw 'boom'"],
    [{ a: 1 }, "task 'f' threw { a: 1 }"],
    [Symbol('s'), "task 'f' threw Symbol(s)"],
  ]
  for (const [cause, message] of cases) {
    const error = taskError(cause, { taskName: 'f' })
    assert.instance(error, TaskError)
    assert.is(error.message, message)
    assert.is(error.name, 'TaskError')
    assert.is(error.cause, cause)
    assert.ok(Object.hasOwn(error, 'cause'))
    assert.is(error.code, 'ERR_TASK')
  }
  assert.ok(taskError('x'.repeat(1_000_000), { taskName: 'f' }).message.length < 300)
})

test('errors that fight back', () => {
  const hostile = new Error('hidden')
  for (const key of ['message', 'name', 'code', 'extra'])
    Object.defineProperty(hostile, key, {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    })
  const error = taskError(hostile, { taskName: 'f' })
  assert.instance(error, TaskError)
  assert.is(error.cause, hostile)
  assert.is(error.message, '')
  const dom = taskError(new DOMException('late', 'TimeoutError'), { taskName: 'f' })
  assert.instance(dom, DOMException)
  assert.is(dom.name, 'TimeoutError')
  assert.is(dom.message, 'late')
  assert.ok(String(dom).includes('late'))
  assert.instance(taskError(Object.freeze(new TypeError('frozen')), { taskName: 'f' }), TypeError)
  assert.instance(taskError(Object.setPrototypeOf(new Error('bare'), null), { taskName: 'f' }), TaskError)
  const again = taskError(taskError(new UserError('x'), { taskName: 'inner' }), { taskName: 'outer' })
  assert.instance(again, UserError)
  assert.is(again.taskName, 'outer')
  assert.is((again.cause as errors.TaskError).taskName, 'inner')
})

test('bad input names the argument, what was expected and what was got', () => {
  assert.is(badType('numCpus', 'a number', '2').message, "numCpus: expected a number, got '2' (string)")
  assert.instance(badType('x', 'y', 1), TypeError)
  assert.is(badRange('timeout', 'at least 0', -1).message, 'timeout: expected at least 0, got -1 (number)')
  assert.instance(badRange('x', 'y', 1), RangeError)
  assert.is(notSupported('init({ dashboard })').message, 'init({ dashboard }) is not supported in this version')
  assert.is(notSupported('x').code, 'ERR_NOT_SUPPORTED')
  assert.is(shown(new Map()), 'an instance of Map')
  assert.is(shown([1, 2]), 'an array of length 2')
  assert.is(shown({}), 'an object')
  assert.is(
    shown(function f() {}),
    "the function 'f'",
  )
  assert.is(shown(Object.create(null)), 'an object')
  assert.is(shown(null), 'null')
  assert.ok(shown('x'.repeat(1_000)).length < 120)
  assert.is(
    shown(
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('trap')
          },
        },
      ),
    ),
    'an object',
  )
})

test('unknown options come with the nearest known one', () => {
  const known = ['numCpus', 'numGpus', 'objectStoreMemory', 'namespace']
  assert.is(nearest('numCpu', known), 'numCpus')
  assert.is(nearest('NUMCPUS', known), 'numCpus')
  assert.is(nearest('objectStoreMemroy', known), 'objectStoreMemory')
  assert.is(nearest('zzzzzz', known), undefined)
  assert.is(unknownOption('numCpu', known, 'init').message, "init: unknown option 'numCpu', did you mean 'numCpus'?")
  assert.match(unknownOption('zzzzzz', known, 'init').message, /known are numCpus, numGpus/)
})

test('docs/errors.md has every code, and no other', () => {
  const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
  const documented = [...text.matchAll(/^## `(ERR_\w+)`/gm)].map((match) => match[1] as string)
  assert.equal(documented.toSorted(), Object.keys(ERROR_CODES).toSorted())
})

test.run()
