/** A fresh process that captures functions, and prints what its bench asks for as JSON: `warm`, `first`, `begin <kind>` or `leak <closures> <kind>`. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { threadId } from 'node:worker_threads'
import { get, init, remote } from '../../dist/index.js'
import { collectGarbage, stats } from '../../dist/testing.js'

const WORKERS = 2
const PER_FILE = 50
const FILES_BEFORE = 6
const FILES = 6
const [, , what, ...args] = process.argv

const folder = mkdtempSync(join(tmpdir(), 'mobula-capture-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
writeFileSync(join(folder, 'scale.mjs'), 'export const scale = (x) => x * 3\n')

/** @typedef {(of: typeof remote) => { remote: (x: number) => import('../../dist/index.js').ObjectRef<number> }} Make what calls `remote` in a file of its own */

/**
 * A file of functions of which no two are alike: each has a helper of its own, an import and some data.
 * @param {number} number @returns {Promise<readonly Make[]>}
 */
const freshFile = async (number) => {
  const file = join(folder, `${number}.mjs`)
  const one = (/** @type {number} */ k) => `
const helper_${k} = (x) => {
  const twice = x + x
  return twice > ${k} ? twice - ${k} : twice
}
const make_${k} = (remote) => {
  const data = { id: ${k}, names: ['Ada', 'Grace', 'Barbara'], weights: [0.5, 1.5, ${k}], at: new Date(0) }
  const bias = ${k} / 3
  return remote((x) => {
    const { weights } = data
    let sum = bias
    for (const weight of weights) sum += weight * scale(x)
    return sum + helper_${k}(x) + data.names.length
  })
}
`
  const numbers = Array.from({ length: PER_FILE }, (_, k) => number * PER_FILE + k)
  writeFileSync(file, `import { scale } from './scale.mjs'\n${numbers.map(one).join('')}\nexport const all = [${numbers.map((k) => `make_${k}`).join(', ')}]\n`)
  return (await import(pathToFileURL(file).href)).all
}

const startRuntime = async () => {
  await init({ numCpus: WORKERS })
  const identity = remote((x) => x)
  await get(Array.from({ length: WORKERS * 4 }, (_, k) => identity.remote(k)))
}

/** Milliseconds that a function's `remote` and its first `.remote()` take. @param {Make} make @param {object[]} refs */
const capture = (make, refs) => {
  const start = performance.now()
  refs.push(make(remote).remote(1))
  return performance.now() - start
}

/** @param {readonly number[]} times @param {number} share */
const placed = (times, share) => [...times].sort((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN

/** Fresh functions when many were captured before. The first of each file is told apart: its file is read for it. */
const warm = async () => {
  await startRuntime()
  const firsts = []
  const others = []
  for (let file = 0; file < FILES_BEFORE + FILES; file++) {
    const [first, ...rest] = await freshFile(file)
    /** @type {import('../../dist/index.js').ObjectRef<number>[]} */
    const refs = []
    const firstMs = capture(/** @type {Make} */ (first), refs)
    const restMs = rest.map((make) => capture(make, refs))
    await get(refs)
    if (file < FILES_BEFORE) continue
    firsts.push(firstMs)
    others.push(...restMs)
  }
  return { median: placed(others, 0.5), p90: placed(others, 0.9), p99: placed(others, 0.99), ofFile: placed(firsts, 0.5) }
}

/** The very first of a process, which runs tasks of functions that take nothing along. */
const first = async () => {
  await startRuntime()
  const [make] = await freshFile(0)
  return { first: capture(/** @type {Make} */ (make), []) }
}

/** What a program waits for: the runtime, and the result of its first task. @param {string | undefined} kind */
const begin = async (kind) => {
  const makers = await freshFile(0)
  const start = performance.now()
  init({ numCpus: WORKERS })
  const fn = kind === 'constant' ? remote((x) => x * 3 + 1) : /** @type {Make} */ (makers[0])(remote)
  const ref = fn.remote(1)
  const submitted = performance.now() - start
  await get(ref)
  return { first: performance.now() - start, submitted }
}

/** What is left of so many closures that came and went. @param {number} count @param {string | undefined} kind */
const leak = async (count, kind) => {
  await startRuntime()
  const BATCH = 500
  const helper = (/** @type {number} */ x) => x + 1
  const closure = (/** @type {number} */ k) => {
    const data = { k, name: `closure ${k}` }
    return (/** @type {number} */ x) => helper(x) + data.k
  }
  const text = (/** @type {number} */ k) => /** @type {(x: number) => number} */ (new Function('x', `return x + ${k}`))
  const heapOf = remote((/** @type {number} */ ms) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    return [threadId, process.memoryUsage().heapUsed]
  })
  const batch = async (/** @type {number} */ from) => {
    const refs = []
    for (let k = from; k < from + BATCH; k++) {
      const fn = kind === 'texts' ? text(k) : closure(k)
      refs.push(remote(fn).remote(1))
    }
    await get(refs)
  }
  const look = async () => {
    await collectGarbage()
    await collectGarbage()
    const { store, refs, tables } = await stats()
    const workers = new Map(/** @type {[number, number][]} */ (await get(Array.from({ length: WORKERS }, () => heapOf.remote(50)))))
    const { rss, heapUsed } = process.memoryUsage()
    return {
      rss,
      heap: heapUsed,
      workers: [...workers.values()].reduce((a, b) => a + b, 0),
      objects: store.objects,
      storeBytes: store.bytes,
      refs,
      slots: tables['slots'] ?? 0,
    }
  }
  const before = 4 * BATCH
  let made = 0
  for (; made < before; made += BATCH) await batch(made)
  const start = await look()
  const began = performance.now()
  for (; made < before + count; made += BATCH) await batch(made)
  const ms = performance.now() - began
  const end = await look()
  const each = Object.fromEntries(Object.entries(end).map(([name, value]) => [name, (value - start[/** @type {keyof typeof start} */ (name)]) / count]))
  return { ...each, start, end, msEach: ms / count }
}

/** @type {Record<string, () => Promise<object>>} */
const all = { warm, first, begin: () => begin(args[0]), leak: () => leak(Number(args[0]), args[1]) }

console.log(JSON.stringify(await all[what ?? '']?.()))
process.exit(0)
