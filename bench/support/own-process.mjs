/** A fresh process that starts a pool, and prints what its bench asks for: `first <who>`, `death <who>`, `idle <seconds>` or `queued <tasks>`. */

import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { setEnvironmentData } from 'node:worker_threads'

const WORKERS = 2
/** So many deaths count, after one that does not. */
const DEATHS = 5
const [, , what, argument] = process.argv
const work = new URL('../compare/work.mjs', import.meta.url)

const startMobula = async () => {
  const { get, init, remote } = await import('../../dist/index.js')
  init({ numCpus: WORKERS })
  const identity = remote((x) => x)
  await get(identity.remote(1))
  return { run: (/** @type {number} */ count) => get(Array.from({ length: count }, (_, k) => identity.remote(k))) }
}

const startPiscina = async () => {
  const { Piscina } = await import('piscina')
  const pool = new Piscina({ filename: work.href, minThreads: WORKERS, maxThreads: WORKERS })
  await pool.run(1, { name: 'identity' })
  return pool
}

/** Nanoseconds on a CPU, by thread. */
const cpuTimes = () =>
  new Map(readdirSync('/proc/self/task').map((thread) => [thread, Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ')[0])]))

/**
 * Percent of a core that each worker takes while nobody asks for anything; what came up with the workers counts as theirs.
 * @param {number} seconds
 */
const idle = async (seconds) => {
  const before = cpuTimes()
  const { run } = await startMobula()
  await run(1000)
  // What the tasks left to do is done: collections, compilers.
  await setTimeout(2000)
  const start = cpuTimes()
  await setTimeout(seconds * 1000)
  const workers = [...cpuTimes()].filter(([thread]) => !before.has(thread))
  if (workers.length < WORKERS) throw new Error(`${WORKERS} workers were expected, and ${workers.length} threads came up`)
  const spent = workers.reduce((sum, [thread, time]) => sum + time - (start.get(thread) ?? 0), 0)
  return (100 * spent) / (seconds * 1e9) / WORKERS
}

/**
 * Bytes that a task takes while it is queued, beside what JavaScript has: all workers are busy with something else.
 * @param {number} count
 */
const queued = async (count) => {
  const { get, init, remote } = await import('../../dist/index.js')
  init({ numCpus: WORKERS })
  const nap = remote((/** @type {number} */ ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms))
  const identity = remote((x) => x)
  await get(Array.from({ length: WORKERS }, () => nap.remote(10)))
  const naps = Array.from({ length: WORKERS }, () => nap.remote(10_000))
  await setTimeout(200)
  const bytes = () => {
    globalThis.gc?.()
    const { rss, heapTotal } = process.memoryUsage()
    return rss - heapTotal
  }
  const before = bytes()
  const refs = Array.from({ length: count }, (_, k) => identity.remote(k))
  const each = (bytes() - before) / count
  if (refs.length + naps.length !== count + WORKERS) throw new Error('some refs are missing')
  return each
}

/** @param {string | undefined} who */
const first = async (who) => {
  const start = performance.now()
  await (who === 'piscina' ? startPiscina() : startMobula())
  return performance.now() - start
}

/** @typedef {{ exit: () => Promise<unknown>, meet: (round: number) => Promise<unknown> }} Mortal what ends a thread, and what all threads have to take part in */

/** @returns {Promise<Mortal>} */
const mortalMobula = async () => {
  await startMobula()
  const { get, remote } = await import('../../dist/index.js')
  const exit = remote.module(work, 'exit').options({ maxRetries: 0 })
  const meet = remote.module(work, 'meet')
  return { exit: () => get(exit.remote()), meet: (round) => get(Array.from({ length: WORKERS }, () => meet.remote({ round, count: WORKERS }))) }
}

/** @returns {Promise<Mortal>} */
const mortalPiscina = async () => {
  const pool = await startPiscina()
  pool.on('error', () => {})
  return {
    exit: () => pool.run(undefined, { name: 'exit' }),
    meet: (round) => Promise.all(Array.from({ length: WORKERS }, () => pool.run({ round, count: WORKERS }, { name: 'meet' }))),
  }
}

/**
 * Milliseconds from the call that ends a thread until all threads have taken part in something again; the median of several.
 * @param {string | undefined} who
 */
const death = async (who) => {
  setEnvironmentData('words', new Int32Array(new SharedArrayBuffer(4 * (2 + DEATHS))))
  const { exit, meet } = await (who === 'piscina' ? mortalPiscina() : mortalMobula())
  await meet(0)
  const times = []
  for (let round = 1; round <= 1 + DEATHS; round++) {
    const start = performance.now()
    await exit().catch(() => {})
    await meet(round)
    times.push(performance.now() - start)
  }
  return Number(times.slice(1).sort((a, b) => a - b)[DEATHS >> 1])
}

/** @type {Record<string, (argument: string | undefined) => Promise<number>>} */
const figures = { death, idle: (seconds) => idle(Number(seconds)), first: (who) => first(who), queued: (count) => queued(Number(count)) }

console.log(String(await figures[what ?? '']?.(argument)))
process.exit(0)
