/**
 * A run of mixed tasks over the compiled package, with a death every few hundred of them: `node run.mjs tasks seed`. Every outcome is
 * compared with what one thread comes to, and in the end everything is back where it was. Prints what it saw as JSON.
 */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as mobula from '../../dist/index.js'
import { availableResources, clusterResources } from '../../dist/state.js'
import { collectGarbage, faults, stats } from '../../dist/testing.js'

const { cancel, get, init, put, remote, shutdown, wait } = mobula
const [total = 100_000, seed = 1] = process.argv.slice(2).map(Number)
const BATCH = 500
/** One in so many passes of each of three points ends its thread: a death every 300 tasks. */
const NTH = 900
/** What the heaps of threads may grow by, at most 24 of them. That deaths leave nothing in memory is what test/long/stress looks at closely. */
const RSS_MORE_MIB = 400

let state = seed >>> 0
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}
const below = (/** @type {number} */ n) => Math.floor(random() * n)

/** @type {Record<string, number>} */
const seen = {}
const saw = (/** @type {string} */ what) => {
  seen[what] = (seen[what] ?? 0) + 1
}

const linux = process.platform === 'linux'
const entries = (/** @type {string} */ folder) => (linux ? readdirSync(folder).length : 0)
const rssMiB = () => (linux ? Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024 : 0)

await init({ numCpus: 2, numGpus: 2, resources: { db: 3 }, objectStoreMemory: 256 * 2 ** 20, logToDriver: false })
const task = (/** @type {string} */ name, options = {}) => remote.module(new URL('./tasks.mjs', import.meta.url), name).options({ maxRetries: -1, ...options })
const add = task('add')
const urgent = task('add', { priority: 1 })
const fragile = task('add', { maxRetries: 0 })
const later = task('later')
const hurried = task('later', { timeout: 15 })
const fill = task('fill', { numGpus: 0.5 })
const sum = task('sum', { resources: { db: 1 } })
const throws = task('throws')
const pair = task('pair', { numReturns: 2 })
const spin = task('spin', { numCpus: 0.5 })
const nests = task('nests')
const blocks = task('blocks')

/** @typedef {{ ref: any, value?: unknown, errors?: readonly (new (...args: never[]) => Error)[], tasks: number }} Expected */

/** Adds some tasks, and what they have to come to. @type {((k: number) => Expected)[]} */
const kinds = [
  (k) => ({ ref: add.remote(k, 1), value: k + 1, tasks: 1 }),
  (k) => ({ ref: urgent.remote(add.remote(k, 1), add.remote(k, 2)), value: 2 * k + 3, tasks: 3 }),
  (k) => ({ ref: fragile.remote(k, 1), value: k + 1, errors: [mobula.WorkerCrashedError], tasks: 1 }),
  (k) => ({ ref: later.remote(k, below(4)), value: k, tasks: 1 }),
  (k) => ({ ref: hurried.remote(k, below(30)), value: k, errors: [mobula.TaskTimeoutError], tasks: 1 }),
  (k) => ({ ref: sum.remote(fill.remote(200 + below(3000), 0)), value: 0, tasks: 2 + k * 0 }),
  (k) => ({ ref: sum.remote(put(new Float64Array(300).fill(k))), value: 300 * k, tasks: 1 }),
  (k) => ({ ref: add.remote(throws.remote(`no ${k}`), 1), errors: [RangeError], tasks: 2 }),
  (k) => ({ ref: /** @type {any} */ (pair.remote(k, -k))[1], value: -k, tasks: 1 }),
  (k) => ({ ref: spin.remote(random(), k), value: k, tasks: 1 }),
  (k) => ({ ref: nests.remote(k), value: 2 * k + 3, tasks: 3 }),
  (k) => ({ ref: blocks.remote(k), value: 2 * k + 3, tasks: 2 }),
  (k) => {
    const ref = later.remote(k, below(20))
    cancel(ref, { force: k % 2 === 0 })
    return { ref, value: k, errors: [mobula.TaskCancelledError], tasks: 1 }
  },
]

/** Few of what costs milliseconds. */
const weights = [30, 10, 8, 4, 2, 6, 3, 3, 5, 6, 3, 3, 1]
const wheel = weights.flatMap((weight, kind) => Array.from({ length: weight }, () => kind))

const check = async (/** @type {Expected} */ { ref, value, errors = [] }) => {
  let got
  try {
    got = await get(ref)
  } catch (error) {
    assert.ok(
      errors.some((Class) => error instanceof Class),
      `unexpected: ${/** @type {Error} */ (error).stack}`,
    )
    saw(/** @type {Error} */ (error).name)
    return
  }
  assert.deepEqual(got, value)
  saw('value')
}

/** @param {number} count @returns {Promise<number>} how many tasks there were */
async function batch(count) {
  /** @type {Expected[]} */
  const expected = []
  let tasks = 0
  while (tasks < count) {
    const one = /** @type {(k: number) => Expected} */ (kinds[/** @type {number} */ (wheel[below(wheel.length)])])(below(1000))
    expected.push(one)
    tasks += one.tasks
  }
  if (random() < 0.3) {
    const refs = expected.map(({ ref }) => ref)
    const [ready, others] = await wait(refs, { numReturns: 1 + below(refs.length) })
    assert.equal(ready.length + others.length, refs.length)
  }
  await Promise.all(expected.map(check))
  return tasks
}

/** Everything that could be left behind. */
async function census() {
  await collectGarbage()
  const { store, tables } = await stats()
  return {
    objects: store.objects,
    pins: store.pins,
    edges: tables['edges'],
    queued: tables['queued'],
    files: entries('/proc/self/fd'),
    threads: entries('/proc/self/task'),
  }
}

/** Until nothing is left that was not there before: threads end in their own time. @param {Awaited<ReturnType<typeof census>>} before */
async function isBack(before) {
  let now = await census()
  const over = () => Object.entries(before).filter(([name, value]) => Number(now[/** @type {keyof typeof now} */ (name)]) > Number(value))
  for (let k = 0; k < 100 && over().length > 0; k++) {
    await sleep(200)
    now = await census()
  }
  assert.deepEqual(over(), [], `left behind: ${JSON.stringify({ before, now })}`)
  assert.deepEqual(await availableResources(), await clusterResources())
}

process.on('unhandledRejection', (error) => {
  throw error
})
/** The number of the last thread that was started. */
const lastThread = async () => Number(await get(remote(async () => (await import('node:worker_threads')).threadId).remote()))

await batch(4 * BATCH)
const before = await census()
const rssBefore = rssMiB()
for (const [k, point] of ['task.beforeRun', 'task.afterRun', 'result.beforeSeal'].entries())
  faults.set(point, { action: 'kill', nth: NTH, times: Number.POSITIVE_INFINITY, seed: seed + k })
faults.set('completion', { action: 'delay', nth: 500, times: Number.POSITIVE_INFINITY, seed, ms: 3 })
faults.set('wake', { action: 'delay', nth: 500, times: Number.POSITIVE_INFINITY, seed, ms: 3 })
for (let done = 0; done < total; ) done += await batch(BATCH)
faults.clear()
// The one that is asked may be an old one.
const threads = Math.max(await lastThread(), await lastThread())
await isBack(before)
const rssAfter = rssMiB()
assert.ok(threads > total / NTH, `${threads} threads were started: too few died`)
assert.ok(rssAfter < rssBefore + RSS_MORE_MIB, `RSS was ${rssBefore} MiB, and is ${rssAfter} MiB with as many threads`)
await shutdown()
console.log(JSON.stringify({ node: process.version, threads, rssBefore, rssAfter, ...seen }))
