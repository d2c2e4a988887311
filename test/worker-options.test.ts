/** What `init` passes to every worker: environment, Node's options, V8's limits, and how many there may be. */

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, getSync, init, type ObjectRef, OutOfMemoryError, remote, shutdown, WorkerSetupError } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

const variable = remote((name: string) => process.env[name])

process.env.MOBULA_TEST_KEPT = 'kept'
process.env.MOBULA_TEST_REMOVED = 'there'

test(
  'env is added to the environment of this process; undefined removes; workers keep their own',
  withRuntime({ numCpus: 1, env: { MOBULA_TEST_ADDED: 'added', MOBULA_TEST_REMOVED: undefined } }, async () => {
    const names = ['MOBULA_TEST_ADDED', 'MOBULA_TEST_KEPT', 'MOBULA_TEST_REMOVED']
    assert.equal(await get(names.map((name) => variable.remote(name))), ['added', 'kept', undefined])
    const set = remote((name: string, value: string) => {
      process.env[name] = value
    })
    await get(set.remote('MOBULA_TEST_KEPT', 'changed'))
    assert.equal(
      names.map((name) => process.env[name]),
      [undefined, 'kept', 'there'],
    )
  }),
)

const nodeOptions = remote(() => ({ execArgv: process.execArgv, noDeprecation: (process as { noDeprecation?: boolean }).noDeprecation === true }))

test(
  'execArgv are the options of workers, instead of those of this process',
  withRuntime({ numCpus: 1, execArgv: ['--no-deprecation'] }, async () => {
    assert.equal(await get(nodeOptions.remote()), { execArgv: ['--no-deprecation'], noDeprecation: true })
    // Modules in TypeScript are still loaded by what this program loads them with.
    assert.is(await get(remote.module<typeof tasks.double>(new URL('./fixtures/tasks/tasks.ts', import.meta.url), 'double').remote(4)), 8)
  }),
)

test('without execArgv they are those of this process', () => {
  const program = `
    const { get, remote, shutdown } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
    console.log(JSON.stringify(await get(remote(() => process.execArgv.includes('--no-deprecation')).remote())))
    await shutdown()`
  const args = ['--no-deprecation', '--import', 'tsx', '--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  assert.is(stdout, 'true\n', stderr)
})

test('an option that threads cannot have fails the work, by name', async () => {
  await init({ numCpus: 1, execArgv: ['--title=mine'] })
  const error = await rejection(get(variable.remote('PATH')))
  assert.instance(error, WorkerSetupError)
  assert.match(error.message, /--title=mine/)
  await shutdown()
})

const once = { maxRetries: 0 }

const eat = remote(function eat() {
  const all: unknown[] = []
  for (;;) all.push(new Array(1000).fill(Math.random()))
}, once)

test(
  'resourceLimits are those of each worker: a task that outgrows its heap is an OutOfMemoryError, and the next has a new worker',
  withRuntime({ numCpus: 1, maxWorkers: 1, resourceLimits: { maxOldGenerationSizeMb: 64 } }, async () => {
    const limit = remote(async () => (await import('node:worker_threads')).resourceLimits.maxOldGenerationSizeMb)
    assert.is(await get(limit.remote()), 64)
    const neighbour = remote(async () => {
      Object.assign(globalThis, { neighbourBegan: true })
      await new Promise(() => {})
    }, once).remote()
    // Async calls and others do not wait for each other's turn.
    const began = remote(async () => {
      while (!('neighbourBegan' in globalThis)) await new Promise((resolve) => setTimeout(resolve, 1))
    })
    await get(began.remote())
    const ref = eat.remote()
    const dependant = variable.remote(ref as never)
    const lost: readonly ObjectRef<unknown>[] = [ref, neighbour, dependant]
    for (const one of lost) {
      const error = await rejection(get(one))
      assert.instance(error, OutOfMemoryError)
      assert.is(error.code, 'ERR_OUT_OF_MEMORY')
      assert.match(error.message, one === neighbour ? /limit of its heap/ : /task 'eat'.*resourceLimits/)
    }
    assert.instance(
      thrown(() => getSync(eat.remote())),
      OutOfMemoryError,
    )
    assert.is(await get(limit.remote()), 64)
  }),
)

test('a setup module that outgrows the heap is told', async () => {
  const setup = 'data:text/javascript,const all = []; for (;;) all.push(new Array(1000).fill(Math.random()))'
  await init({ numCpus: 1, resourceLimits: { maxOldGenerationSizeMb: 32 }, setup })
  const error = await rejection(get(variable.remote('PATH')))
  assert.instance(error, WorkerSetupError)
  assert.match(error.message, /limit of its heap/)
  await shutdown()
})

test('maxWorkers bounds the threads, and what init tells of them', async () => {
  const { workers } = await init({ numCpus: 4, maxWorkers: 2 })
  assert.is(workers, 2)
  const nap = remote((ms: number) => {
    const end = Date.now() + ms
    while (Date.now() < end);
  })
  let most = 0
  const end = Date.now() + 20_000
  // Work for four: threads come up one after another, on a busy machine slowly.
  for (let round = 0; round < 10 || (most < 2 && Date.now() < end); round++) {
    await get(Array.from({ length: 8 }, () => nap.remote(5)))
    most = Math.max(most, figures().workers as number)
  }
  assert.is(most, 2)
  await shutdown()
})

test.run()
