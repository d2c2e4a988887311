/** Values nested too deeply, and encoders that throw: an error with the path, on the driver and on workers, and nothing is left behind. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, put, remote, SerializationError, TaskError } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/tasks.ts'
import { collectGarbage, eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'

const threadId = remote.module<typeof tasks.threadId>(new URL('./fixtures/tasks/tasks.ts', import.meta.url), 'threadId')

/** Functions of a task stand by themselves, so each has the loop. */
const nestedArrays = (levels: number): unknown => {
  let value: unknown[] = []
  for (let level = 0; level < levels; level++) value = [value]
  return value
}
const nestedErrors = (levels: number): Error => {
  let error = new Error('first')
  Error.stackTraceLimit = 0
  for (let level = 0; level < levels; level++) error = new Error('link', { cause: error })
  Error.stackTraceLimit = 10
  return error
}

const levels = 1_000_000

test(
  'an argument or a value to put, a million levels deep, is refused at once; nothing is queued and nothing kept',
  withRuntime({ numCpus: 1 }, async () => {
    const echo = remote((x: unknown, _?: unknown) => x)
    await get(echo.remote(1))
    const before = figures()
    for (const deep of [nestedArrays(levels), nestedErrors(levels), { map: new Map([['k', nestedArrays(levels)]]) }]) {
      const argument = thrown(() => echo.options({ name: 'load' }).remote(0, deep))
      assert.instance(argument, SerializationError)
      assert.match(argument.message, /^task 'load': args\[1\].*is nested more than 1000 levels deep/)
      const value = thrown(() => put(deep))
      assert.instance(value, SerializationError)
      assert.match(value.message, /^value.*is nested more than 1000 levels deep/)
      assert.ok(value.message.length < 1_000)
    }
    assert.equal(figures(), before)
    assert.is(await get(echo.remote(2)), 2)
  }),
)

test(
  'a result a million levels deep is refused, and the same worker does the next task',
  withRuntime({ numCpus: 1 }, async () => {
    const make = remote(nestedArrays as (levels: number) => unknown)
    const thread = await get(threadId.remote())
    for (let round = 0; round < 5; round++) {
      const error = await rejection(get(make.remote(levels)))
      assert.instance(error, SerializationError)
      assert.match(error.message, /result\[0\].*is nested more than 1000 levels deep/)
      assert.is(await get(threadId.remote()), thread)
    }
  }),
)

test(
  'an error with a million causes is an error, as result and thrown, and the same worker does the next task',
  withRuntime({ numCpus: 1 }, async () => {
    const make = remote(nestedErrors as (levels: number) => unknown)
    const thread = await get(threadId.remote())
    const refused = await rejection(get(make.remote(levels)))
    assert.instance(refused, SerializationError)
    assert.match(refused.message, /result\.cause\.cause.*is nested more than 1000 levels deep/)
    const fail = remote((count: number) => {
      Error.stackTraceLimit = 0
      let error = new Error('first')
      for (let level = 0; level < count; level++) error = new Error('link', { cause: error })
      throw error
    })
    const described = await rejection(get(fail.remote(levels)))
    assert.instance(described, TaskError)
    assert.is(described.message, 'link')
    assert.is(((described.cause as Error).cause as Error).message, 'link')
    assert.is(await get(threadId.remote()), thread)
  }),
)

test(
  'a worker that passes such a value on is told so itself',
  withRuntime({ numCpus: 1 }, async () => {
    const submits = remote.module<typeof tasks.submitsNested>(new URL('./fixtures/tasks/tasks.ts', import.meta.url), 'submitsNested')
    const [argument, value, thread] = await get(submits.remote(levels))
    assert.match(argument, /^ERR_SERIALIZATION task 'double': args\[0\]\[0\].*1000 levels deep/)
    assert.match(value, /^ERR_SERIALIZATION value\[0\].*1000 levels deep/)
    assert.is(await get(threadId.remote()), thread)
  }),
)

test(
  'a getter that throws behind megabytes of buffers leaves nothing in the store, and the next value is whole',
  withRuntime({ numCpus: 1 }, async () => {
    const length = remote((x: { bytes: Uint8Array }) => x.bytes.length)
    await get(length.remote({ bytes: new Uint8Array(10) }))
    const boom = new Error('boom')
    const hostile = () => ({
      bytes: new Uint8Array(2_000_000).fill(7),
      rows: Array.from({ length: 5_000 }, (_, id) => ({ id, name: `n${id}`, part: new Float64Array(40) })),
      deep: {
        get trap(): never {
          throw boom
        },
      },
    })
    const before = figures()
    for (let round = 0; round < 50; round++) {
      for (const [act, path] of [
        [() => put(hostile()), 'value.deep.trap'],
        [() => length.remote(hostile() as never), 'args[0].deep.trap'],
      ] as const) {
        const error = thrown(act)
        assert.instance(error, SerializationError)
        assert.ok(error.message.includes(`${path} threw while it was read`), error.message)
        assert.is(error.cause, boom)
      }
    }
    assert.equal(figures(), before)
    const kept = { bytes: new Uint8Array(3_000).fill(9) }
    using ref = put(kept)
    assert.equal((await get(ref)).bytes, kept.bytes)
    assert.is(await get(length.remote(kept)), 3_000)
  }),
)

test(
  'a result whose getter throws leaves nothing either',
  withRuntime({ numCpus: 1 }, async () => {
    const trap = remote(() => ({
      bytes: new Uint8Array(2_000_000),
      get trap(): never {
        throw new RangeError('boom')
      },
    }))
    const thread = await get(threadId.remote())
    const before = figures()
    for (let round = 0; round < 20; round++) {
      using ref = trap.remote()
      const error = await rejection(get(ref))
      assert.instance(error, SerializationError)
      assert.match(error.message, /result\.trap threw while it was read/)
    }
    assert.is(await get(threadId.remote()), thread)
    await eventually('the store holds what it held', () => {
      collectGarbage()
      return (figures().storeObjects as number) <= (before.storeObjects as number)
    })
  }),
)

test(
  'the value is taken at the call: what happens to it on the next line is not seen',
  withRuntime({ numCpus: 1 }, async () => {
    const first = remote((x: { list: number[]; bytes: Uint8Array }) => [x.list[0], x.bytes[0], x.bytes.length])
    for (const size of [10, 200, 200_000]) {
      for (let round = 0; round < (size > 1_000 ? 20 : 300); round++) {
        const value = { list: [1], bytes: new Uint8Array(size).fill(1) }
        using ref = put(value)
        const result = first.remote(value)
        value.list[0] = 2
        value.bytes.fill(2)
        assert.equal(await get(result), [1, 1, size])
        const kept = await get(ref)
        assert.equal([kept.list[0], kept.bytes[0]], [1, 1])
      }
    }
  }),
)

test(
  'what a task does to its argument, the caller does not see',
  withRuntime({ numCpus: 1 }, async () => {
    const meddle = remote((x: { list: number[]; bytes: Uint8Array }) => {
      x.list.push(5)
      x.bytes.fill(5)
      return x.bytes[0]
    })
    for (const size of [10, 200, 200_000]) {
      const value = { list: [1], bytes: new Uint8Array(size).fill(1) }
      using ref = put(value)
      assert.is(await get(meddle.remote(value)), 5)
      assert.is(await get(meddle.remote(ref)), 5)
      assert.equal([value.list, value.bytes[0]], [[1], 1])
      const kept = await get(ref)
      assert.equal([kept.list, kept.bytes[0]], [[1], 1])
    }
  }),
)

test.run()
