/** Long runs: ten million tasks with random gaps, hundreds of deaths and restarts, and what the process looks like afterwards. */
// Time limit: 900 s

import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../../src/binding.ts'
import { get, init, type ObjectRef, put, remote, shutdown, WorkerCrashedError, wait } from '../../src/index.ts'
import { collectGarbage as collectEverywhere } from '../../src/testing.ts'
import { collectGarbage, eventually, rejection, turn, withRuntime } from '../support/with-runtime.ts'

const SEED = 20261121

/** A small generator with a seed: a run that fails can be repeated. */
const random = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const echo = remote((x: unknown) => x)
const add = remote((a: number, b: number) => a + b)

const linux = process.platform === 'linux'
const maps = (): number => readFileSync('/proc/self/maps', 'utf8').split('\n').length
const pssKiB = (): number => Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1] ?? 0)
const threads = (): number => readdirSync('/proc/self/task').length

test(
  'ten million tasks in bursts of random length with random gaps: none is lost, none is answered twice',
  withRuntime({}, async () => {
    const next = random(SEED)
    let done = 0
    while (done < 10_000_000) {
      const count = 1 + Math.floor(next() ** 3 * 3000)
      const refs: ObjectRef<unknown>[] = []
      for (let k = 0; k < count; k++) refs.push(echo.remote(done + k))
      if (next() < 0.3) await new Promise((resolve) => setTimeout(resolve, next() * 3))
      const values = await get(refs)
      for (let k = 0; k < count; k++) if (values[k] !== done + k) assert.unreachable(`task ${done + k} gave ${String(values[k])}`)
      for (const ref of refs) ref[Symbol.dispose]()
      done += count
    }
    await eventually('edges are gone', () => figures().edges === 0)
  }),
)

test(
  'random graphs of 200,000 tasks come to what one thread comes to',
  withRuntime({}, async () => {
    const next = random(SEED + 1)
    for (let round = 0; round < 100; round++) {
      const values: number[] = [1, 2]
      const refs: ObjectRef<number>[] = [put(1), put(2)]
      for (let k = 0; k < 2000; k++) {
        const a = Math.floor(next() * refs.length)
        const b = Math.floor(next() * refs.length)
        values.push(((values[a] as number) + (values[b] as number)) % 1_000_003)
        refs.push(
          k % 10 === 0 ? put(values.at(-1) as number) : modulo.remote(add.remote(refs[a] as ObjectRef<number>, refs[b] as ObjectRef<number>), 1_000_003),
        )
      }
      assert.equal(await get(refs), values)
    }
  }),
)

const modulo = remote((x: number, m: number) => x % m)

test('200 starts and shutdowns leave maps, threads and memory flat', async () => {
  if (!linux) return
  const cycle = async (): Promise<void> => {
    await init({ numCpus: 2, objectStoreMemory: 64 * 2 ** 20 })
    const ref = put(new Uint8Array(2_000_000).fill(3))
    assert.is(((await get(echo.remote(ref))) as Uint8Array)[1_999_999], 3)
    await shutdown()
    collectGarbage()
    await turn()
  }
  for (let k = 0; k < 20; k++) await cycle()
  const before = { maps: maps(), pss: pssKiB(), threads: threads() }
  for (let k = 0; k < 200; k++) await cycle()
  const after = { maps: maps(), pss: pssKiB(), threads: threads() }
  assert.ok(after.maps <= before.maps * 1.2 + 50, `maps ${before.maps} → ${after.maps}`)
  assert.ok(after.pss <= before.pss + 64 * 1024, `PSS ${before.pss} → ${after.pss} KiB`)
  assert.ok(after.threads <= before.threads + 2, `threads ${before.threads} → ${after.threads}`)
})

test(
  '500 deaths, in every state, lose nothing but what ran',
  withRuntime({ numCpus: 2 }, async () => {
    const next = random(SEED + 2)
    const big = put(new Float64Array(50_000).fill(1))
    const die = remote(
      async (how: number, array: Float64Array) => {
        array.fill(how)
        if (how === 0) process.exit(1)
        if (how === 1) throw Object.assign(new Error('not a death'), { how })
        if (how === 2) {
          setTimeout(() => {
            throw new Error('uncaught')
          })
          await new Promise(() => {})
        }
        await new Promise((resolve) => setTimeout(resolve, 1))
        process.exit(0)
      },
      { maxRetries: 0 },
    )
    let deaths = 0
    const state = (): { maps: number; pss: number } => (linux ? { maps: maps(), pss: pssKiB() } : { maps: 0, pss: 0 })
    let before = state()
    while (deaths < 500) {
      // Pools of memory and threads have their size by then.
      if (deaths === 50) before = state()
      const how = Math.floor(next() * 4)
      const doomed = die.remote(how, big)
      const fine = Array.from({ length: Math.floor(next() * 40) }, (_, k) => echo.remote(k))
      const error = await rejection(get(doomed))
      assert.is(error instanceof WorkerCrashedError, how !== 1, `${how}: ${error.message}`)
      if (how !== 1) deaths++
      // An innocent async neighbour may have died with the thread; a synchronous task never does.
      assert.equal(
        await get(fine),
        fine.map((_, k) => k),
      )
    }
    assert.ok((await get(big)).every((x) => x === 1))
    const after = state()
    assert.ok(after.maps <= before.maps * 1.2 + 50, `maps ${before.maps} → ${after.maps}`)
    assert.ok(after.pss <= before.pss + 64 * 1024, `PSS ${before.pss} → ${after.pss} KiB`)
    // Workers that did not die keep views of what they were given until they collect.
    for (let round = 0; round < 5; round++) await collectEverywhere()
    await eventually(
      () => `threads and pins are back: ${threads()} threads, ${JSON.stringify(figures())}`,
      () => {
        collectGarbage()
        return threads() < 40 && (figures().storePins as number) <= 1 && figures().edges === 0
      },
    )
  }),
)

test(
  'idle workers use no CPU',
  withRuntime({ numCpus: 2 }, async () => {
    await get([echo.remote(1), echo.remote(2)])
    await new Promise((resolve) => setTimeout(resolve, 500))
    const before = process.cpuUsage()
    const start = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const { user, system } = process.cpuUsage(before)
    const share = (user + system) / 1000 / (performance.now() - start)
    // A busy wait in any thread would be 1; this asks for the absence of one, not for a figure.
    assert.ok(share < 0.2, `an idle runtime used ${(100 * share).toFixed(2)} % of a core`)
  }),
)

test(
  'waits that time out leave nothing behind',
  withRuntime({}, async () => {
    const gate = remote(() => new Promise((resolve) => setTimeout(resolve, 3000, 'open')))
    const ref = gate.remote()
    for (let k = 0; k < 50; k++) {
      const waits = Array.from({ length: 100 }, () => get(ref, { timeout: 1 }).catch((error) => error.code))
      assert.ok((await Promise.all(waits)).every((code) => code === 'ERR_GET_TIMEOUT' || code === 'open'))
      await wait([ref], { timeout: 1 })
    }
    assert.is(await get(ref), 'open')
    await eventually('edges are gone', () => figures().edges === 0)
  }),
)

test.run()
