/** What a remote function takes along: how much, how long, and what its user says about it. Which functions ship at all is what test/capture is about. */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { keepThing, thingOf } from '../src/functions/origins.ts'
import { CaptureError, checkCapture, get, init, type ObjectRef, put, remote, shutdown, TaskError } from '../src/index.ts'
import { collectGarbage as collectEverywhere, stats } from '../src/testing.ts'
import { counter, Meter, settings } from './fixtures/captures/settings.ts'
import { collectGarbage, eventually, rejection, thrown, turn, withRuntime } from './support/with-runtime.ts'

const MB = 1_000_000

test(
  'captured variables are read at the first call; what changes later stays here',
  withRuntime({}, async () => {
    let rate = 1
    const list = [1]
    const taxed = remote((x: number) => [x * rate, list.length])
    rate = 2
    assert.equal(await get(taxed.remote(10)), [20, 1])
    rate = 3
    list.push(2)
    assert.equal(await get(taxed.remote(10)), [20, 1])
    assert.equal(await get(remote((x: number) => [x * rate, list.length]).remote(10)), [30, 2])
  }),
)

test(
  'what a worker changes stays there, and lives on between calls',
  withRuntime({ numCpus: 1 }, async () => {
    let calls = 0
    const memo = new Map<number, number>()
    const count = remote((x: number) => {
      calls += 1
      memo.set(x, calls)
      return [calls, memo.size]
    })
    assert.equal(await get([count.remote(1), count.remote(1), count.remote(2)]), [
      [1, 1],
      [2, 1],
      [3, 2],
    ])
    assert.is(calls, 0)
    assert.is(memo.size, 0)
  }),
)

test(
  'options of one function share what it takes along; functions of one name and text do not',
  withRuntime({ numCpus: 1 }, async () => {
    const make = (k: number) => {
      let calls = 0
      return remote(function same() {
        calls += 1
        return [k, calls]
      })
    }
    const one = make(1)
    const two = make(2)
    assert.equal(await get([one.remote(), two.remote(), one.remote()]), [
      [1, 1],
      [2, 1],
      [1, 2],
    ])
  }),
)

test(
  'the object that calls bring along is kept by pending calls, and goes with the function',
  withRuntime({ numCpus: 1 }, async () => {
    const base = figures().storeObjects as number
    const submit = (): ObjectRef<number>[] => {
      const data = new Uint8Array(3_000_000).fill(7)
      const at = remote((k: number) => data[k] as number)
      return Array.from({ length: 20 }, (_, k) => at.remote(k))
    }
    const refs = submit()
    collectGarbage()
    assert.equal(new Set(await get(refs)), new Set([7]))
    for (const ref of refs) ref[Symbol.dispose]()
    // A worker looks for functions that nobody can call any more when it meets new ones.
    for (let k = 0; k < 100; k++) await get(remote(() => k).remote())
    await eventually(
      () => `${figures().storeObjects} objects, ${base} before`,
      () => {
        collectEverywhere()
        collectGarbage()
        return (figures().storeObjects as number) <= base + 40
      },
    )
  }),
)

test(
  'large captured arrays are shared by the workers, not copied',
  withRuntime({ numCpus: 2 }, async () => {
    const data = new Float64Array(1_000_000).fill(2)
    const sum = remote((from: number, to: number) => data.subarray(from, to).reduce((a, b) => a + b, 0))
    const before = (await stats()).store.bytes
    assert.equal(await get([0, 1, 2, 3].map((k) => sum.remote(k * 250_000, (k + 1) * 250_000))), [500_000, 500_000, 500_000, 500_000])
    const taken = (await stats()).store.bytes - before
    assert.ok(taken >= 8 * MB && taken < 10 * MB, `${taken} bytes`)
  }),
)

test(
  'more than 10 MB warn once, more than 100 MB are refused, and nothing is queued',
  withRuntime({ objectStoreMemory: 512 * MB }, async () => {
    const warnings: string[] = []
    const listen = (warning: Error): void => {
      warnings.push(warning.message)
    }
    process.on('warning', listen)
    const big = new Uint8Array(11 * MB)
    const lengthOf = remote(() => big.length, { name: 'lengthOf' })
    assert.is(await get(lengthOf.remote()), 11 * MB)
    assert.is(await get(lengthOf.options({ priority: 1 }).remote()), 11 * MB)
    await eventually('the warning is there', () => warnings.length > 0)
    process.off('warning', listen)
    assert.is(warnings.length, 1)
    assert.match(warnings[0] ?? '', /task 'lengthOf' \(.*captures\.test\.ts:\d+:\d+\) takes 11\.0 MB of captured data along; put large data/)
    const huge = new Uint8Array(101 * MB)
    const error = thrown(() => remote(() => huge.length, { name: 'hugeOf' }).remote())
    assert.instance(error, CaptureError)
    assert.match(error.message, /cannot ship 'hugeOf' \(.*captures\.test\.ts:\d+:\d+\), which takes 101\.0 MB of captured data along, more than 100 MB; put/)
    const ref = put(huge)
    assert.is(await get(remote(async () => (await get(ref)).length).remote()), 101 * MB)
  }),
)

test(
  '`captures` says what names mean, for a function and its variants',
  withRuntime({}, async () => {
    const rate = 2
    const scale = remote((x: number) => x * rate, { captures: { rate: 3 } })
    assert.is(await get(scale.remote(5)), 15)
    assert.is(await get(scale.options({ captures: { rate: 4 } }).remote(5)), 20)
    assert.is(rate, 2)
    assert.match(thrown(() => remote((x: number) => x, { captures: [] as never })).message, /options\.captures: expected an object of values by name/)
    const bad = thrown(() => remote((x: number) => x * rate, { captures: { rate: Promise.resolve(1) } }).remote(1))
    assert.instance(bad, CaptureError)
    assert.match(bad.message, /which captures rate, which is a Promise/)
  }),
)

test(
  'bindings of imports are the worker’s own; `byValue` takes them along as they are here',
  withRuntime({ numCpus: 1 }, async () => {
    settings.level = 9
    const read = (): unknown[] => [settings.level, counter()]
    assert.equal(await get(remote(read).remote()), [1, 1])
    assert.equal(await get(remote(read).remote()), [1, 2])
    const [level] = (await get(remote(read, { byValue: ['./fixtures/captures/settings.ts'] }).remote())) as [number]
    assert.is(level, 9)
    assert.match(thrown(() => remote(read, { byValue: 'x' as never })).message, /options\.byValue: expected a list of strings/)
    assert.match(thrown(() => remote(read, { byReference: [1] as never })).message, /options\.byReference\[0\]: expected a string/)
  }),
)

test(
  '`byReference` imports what a file exports, instead of taking it along',
  withRuntime({ numCpus: 1 }, async () => {
    const { byValue, byReference } = await import('./fixtures/captures/own-module.ts')
    assert.equal(await get(byValue.remote()), ['state of the driver', 'state of the driver'])
    assert.equal(await get(byReference.remote()), ['state of the module', 'state of the module'])
  }),
)

test('checkCapture reports names, how they travel and how large they are; and what is wrong', () => {
  const table = new Float64Array(1000)
  const ref = 5
  const maths = Math
  const { isArray } = Array
  const digest = createHash
  const own = (): number => ref
  const report = checkCapture((x: number) => [createHash('md5'), table[x], Math.max(x, ref), Meter, maths, isArray, digest, own])
  assert.ok(report.ok)
  const { names } = report
  assert.equal(
    names.map(({ name, how }) => `${name}: ${how}`),
    [
      'createHash: reference',
      'table: value',
      'Math: global',
      'ref: value',
      'Meter: reference',
      'maths: global',
      'isArray: global',
      'digest: reference',
      'own: value',
    ],
  )
  assert.ok((names.find(({ name }) => name === 'table')?.bytes ?? 0) >= 8000)
  const pending = { deep: [Promise.resolve(1)] }
  const broken = checkCapture(() => pending)
  assert.not(broken.ok)
  assert.instance(broken.error, CaptureError)
  assert.match(broken.error?.message ?? '', /captures\.test\.ts:\d+:\d+\), which captures pending\.deep\[0\], which is a Promise/)
  assert.equal(
    broken.names.map(({ name }) => name),
    ['pending'],
  )
  const ofItsOwn = checkCapture(function (this: unknown) {
    return [1].map(() => this)
  })
  assert.ok(ofItsOwn.ok)
  // biome-ignore lint/security/noGlobalEval: that is what this is about
  assert.not(checkCapture(() => eval('1')).ok)
  assert.ok(checkCapture(Meter).ok)
  assert.throws(() => checkCapture(5 as never), /fn: expected a function/)
})

test(
  'nothing is stored or kept for a check',
  withRuntime({}, async () => {
    const before = figures().storeObjects as number
    const data = new Uint8Array(100_000)
    const inner = remote(() => data.length)
    assert.ok(checkCapture(() => [data, inner]).ok)
    assert.is(figures().storeObjects, before)
    assert.is(await get(inner.remote()), 100_000)
  }),
)

test(
  'a module that throws when it is imported fails each call with its error, and other work goes on',
  withRuntime({ numCpus: 1 }, async () => {
    const { callsBroken } = await import('./fixtures/captures/calls-broken.ts')
    const fine = remote((x: number) => x + 1)
    for (let k = 0; k < 3; k++) {
      const error = await rejection(get(callsBroken.remote()))
      assert.instance(error, TaskError)
      assert.match(error.message, /not on a worker/)
      assert.is(await get(fine.remote(k)), k + 1)
    }
  }),
)

test(
  'a worker in the place of another knows what functions take along',
  withRuntime({ numCpus: 1, maxWorkers: 1 }, async () => {
    class Named {
      readonly name = createHash('md5').update(prefix).digest('hex').slice(0, 4)
    }
    const prefix = 'a'
    const made = new Named()
    const fn = remote(() => [threadId, made instanceof Named, new Named().name, made] as const, { maxCalls: 1 })
    const threads = new Set<number>()
    for (let k = 0; k < 3; k++) {
      const [thread, isNamed, name, back] = await get(fn.remote())
      threads.add(thread)
      assert.equal([isNamed, name], [true, made.name])
      assert.instance(back, Named)
    }
    assert.is(threads.size, 3)
  }),
)

test('a class that came again before the end of the one before was told is the one that is known', async () => {
  const keep = (): void => keepThing('test.1', class {})
  keep()
  await turn()
  collectGarbage()
  assert.is(thingOf('test.1'), undefined)
  const again = class {}
  keepThing('test.1', again)
  await turn()
  await turn()
  assert.is(thingOf('test.1'), again)
})

test('a runtime that was started later reads the variables anew', async () => {
  let value = 'first'
  const read = remote(() => value)
  for (const expected of ['first', 'second']) {
    value = expected
    await init({ numCpus: 1 })
    assert.is(await get(read.remote()), expected)
    await shutdown()
  }
})

test(
  'a predicate of retryExceptions, and classes of one’s own in it, take along what they need',
  withRuntime({ numCpus: 1 }, async () => {
    const codes = new Set(['AGAIN'])
    let runs = 0
    const flaky = remote(
      () => {
        runs += 1
        throw Object.assign(new Error('x'), { code: runs < 3 ? 'AGAIN' : 'ENOUGH' })
      },
      { retryExceptions: (error: { code?: string }) => codes.has(error.code ?? ''), maxRetries: 9 },
    )
    assert.is((await rejection(get(flaky.remote()))).code, 'ENOUGH')
    class Local extends Error {}
    let tries = 0
    const local = remote(
      () => {
        tries += 1
        if (tries < 3) throw new Local('again')
        return tries
      },
      { retryExceptions: [Local, TypeError] },
    )
    assert.is(await get(local.remote()), 3)
  }),
)

test('a module that imports the program’s own file back does not make workers run it', () => {
  const program = fileURLToPath(new URL('./fixtures/programs/circular/main.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 60_000 })
  assert.is(status, 0, stderr)
  // Node 20 has no hooks for that.
  if (!('registerHooks' in nodeModule)) return
  assert.is(stdout, "level.mjs imports main.mjs, the program's own file, which workers never run; move what both need to a module of its own\n3\n")
})

test('the debugger, the profiler and the coverage of a program see nothing of what is asked while functions are captured', () => {
  const program = fileURLToPath(new URL('./fixtures/programs/inspected.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 60_000 })
  assert.is(status, 0, stderr)
  const { problems, stops, expected } = JSON.parse(stdout) as Record<'problems' | 'stops' | 'expected', string[]>
  assert.equal(problems, [])
  assert.equal(stops, expected)
})

test('a debugger that is attached to a worker stops at the line where the function was written; what a loop makes is compiled once', () => {
  const program = fileURLToPath(new URL('./fixtures/programs/debugged.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 60_000 })
  assert.is(status, 0, stderr)
  assert.is(stdout, 'at its line 16\ncompiled 3 texts\n')
})

test.run()
