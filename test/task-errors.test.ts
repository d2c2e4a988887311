/** Errors of tasks: the user's class, message, stack and fields; results that cannot travel; failures that spread. */

import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, getSync, put, remote, SerializationError, TaskError } from '../src/index.ts'
import { type fails, QuotaError } from './fixtures/tasks/tasks.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/tasks.ts', import.meta.url)
const lineOf = (text: string): number => {
  const before = readFileSync(module, 'utf8').split(text)[0] as string
  return before.split('\n').length
}
const quota = remote.module<typeof fails>(module, 'fails')

test(
  'a builtin error comes back as its class, as a TaskError, and with the stack of the worker',
  withRuntime({}, async () => {
    const parse = remote((text: string) => JSON.parse(text))
    const error = await rejection(get(parse.remote('{')))
    assert.instance(error, SyntaxError)
    assert.instance(error, TaskError)
    assert.is(error.taskCode, 'ERR_TASK')
    assert.is(error.code, 'ERR_TASK')
    assert.match(String(error.stack), /task-errors\.test\.ts/)
    assert.instance(error.cause, SyntaxError)
  }),
)

test(
  'an error of a class that the task module exports comes back as that class',
  withRuntime({}, async () => {
    const error = await rejection(get(quota.remote(3)))
    assert.instance(error, QuotaError)
    assert.instance(error, TaskError)
    assert.is(error.message, 'only 3 left')
    assert.is(error.code, 'E_QUOTA')
    assert.is(error.left, 3)
    assert.is(error.name, 'QuotaError')
    // The line of the file as its author sees it, not of what it was compiled to.
    assert.match(String(error.stack), new RegExp(`tasks\\.ts:${lineOf('throw new QuotaError')}:`))
    assert.instance(
      thrown(() => getSync(quota.remote(2))),
      QuotaError,
    )
  }),
)

test(
  'an error of a class that nobody here knows keeps its name, message and fields',
  withRuntime({}, async () => {
    const odd = remote(() => {
      class OddError extends RangeError {
        override name = 'OddError'
        detail = { deep: [1, 2] }
      }
      throw new OddError('odd', { cause: new Error('inner') })
    })
    const error = await rejection(get(odd.remote()))
    assert.is(error.name, 'OddError')
    assert.is(error.message, 'odd')
    assert.equal(error.detail, { deep: [1, 2] })
    assert.is(((error.cause as Error).cause as Error).message, 'inner')
  }),
)

test(
  'a failed task fails all that depend on it, with the same cause, without running them',
  withRuntime({}, async () => {
    const add = remote((a: number, b: number) => a + b)
    let ref = add.remote(quota.remote(1), 1)
    for (let k = 0; k < 5000; k++) ref = add.remote(ref, 1)
    const error = await rejection(get(ref))
    assert.instance(error, QuotaError)
    assert.is(error.taskName, 'fails')
  }),
)

test(
  'a dependency that failed before the task was submitted',
  withRuntime({}, async () => {
    const failed = quota.remote(1)
    await rejection(get(failed))
    const add = remote((a: number, b: number) => a + b)
    assert.instance(await rejection(get(add.remote(put(1), failed))), QuotaError)
  }),
)

test(
  'each get decodes a fresh error',
  withRuntime({}, async () => {
    const ref = quota.remote(1)
    assert.is.not(await rejection(get(ref)), await rejection(get(ref)))
  }),
)

test(
  'a result that cannot travel is a SerializationError; 20 of them leave the worker as it was',
  withRuntime({ numCpus: 1 }, async () => {
    const bad = remote(() => ({ items: [1, { cb: new WeakMap() }] }) as unknown)
    const echo = remote((x: number) => x)
    for (let k = 0; k < 20; k++) {
      const error = await rejection(get(bad.remote()))
      assert.instance(error, SerializationError)
      assert.match(error.message, /result\.items\[1\]\.cb/)
      assert.is(await get(echo.remote(k)), k)
    }
  }),
)

test(
  'a module without that function says what it has',
  withRuntime({}, async () => {
    const missing = await rejection(get(remote.module(module, 'absent').remote()))
    assert.match(missing.message, /has no function 'absent'; it exports .*double/)
    assert.match((await rejection(get(remote.module(module, 'nothing').remote()))).message, /'nothing'/)
    const lost = await rejection(get(remote.module(new URL('./no-such-module.ts', import.meta.url), 'f').remote()))
    assert.is(lost.code, 'ERR_MODULE_NOT_FOUND')
  }),
)

test(
  'failures that nobody gets are silent',
  withRuntime({}, async () => {
    quota.remote(1)
    quota.remote(2)
    await get(remote(() => 1).remote())
  }),
)

test.run()
