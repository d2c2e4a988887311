/** Measures what it costs to ship functions by themselves: to take them apart, to submit them again, to make them on workers, and what is left of them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import workerpool from 'workerpool'
import { decode, encode, sourceOf } from '../src/codec/codec.ts'
import { regionOf } from '../src/codec/region.ts'
import { TaskParts } from '../src/functions/handle.ts'
import { type ObjectRef, type RemoteFunction, remote } from '../src/index.ts'
import { openText, type TextPool } from './compare/text.ts'
import { type Mobula, openMobula } from './mobula.ts'
import { spread } from './support/measure.ts'
import { captureProcess, ownProcess } from './support/own-process.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

const BATCH = 1000
const PAIRS = 40
/** Closures made in a loop. */
const LOOP = 50
/** Decodings that are timed together: one takes less than a clock tells. */
const DECODINGS = 500
/** So long a worker sleeps while so many closures are taken apart for it. */
const GATE_MS = 2000
const GATED = 150
const LEAK = process.env['MOBULA_BENCH_LONG'] === '1' ? 100_000 : 20_000
const ROUND_CALLS = 100

type Task = RemoteFunction<(value: number) => number>

const factor = 2
const offsets = { before: 1, after: [2, 3] }
const shift = (value: number): number => value + offsets.before

const constant: Task = remote((value: number): number => value * 2 + 3)
const captured: Task = remote((value: number): number => shift(value) * factor + (offsets.after[0] ?? 0))

const since = (start: number): number => performance.now() - start

/** The same closure, made anew each time. */
const closureOf = (k: number): ((value: number) => number) => {
  const data = { k, name: 'one of many' }
  return (value) => shift(value) * data.k + data.name.length
}

/** What the captured one costs more than the constant one, in nanoseconds per task: pairs of batches in turns. */
const surplus = async (perTask: (task: Task) => Promise<number>): Promise<number> => {
  const differences: number[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    const order = pair % 2 === 0 ? [constant, captured] : [captured, constant]
    const times = new Map<Task, number>()
    for (const task of order) times.set(task, await perTask(task))
    differences.push((times.get(captured) ?? 0) - (times.get(constant) ?? 0))
  }
  return spread(differences).median
}

const submitBatch = (task: Task): ObjectRef<number>[] => {
  const refs = new Array<ObjectRef<number>>(BATCH)
  for (let k = 0; k < BATCH; k++) refs[k] = task.remote(k)
  return refs
}

const submitting =
  ({ get }: Mobula) =>
  async (task: Task): Promise<number> => {
    const start = performance.now()
    const refs = submitBatch(task)
    const ms = since(start)
    await get(refs)
    return (ms * 1e6) / BATCH
  }

const toResults =
  ({ get }: Mobula) =>
  async (task: Task): Promise<number> => {
    const start = performance.now()
    await get(submitBatch(task))
    return (since(start) * 1e6) / BATCH
  }

const own = async (read: (figures: Readonly<Record<string, number>>) => number | undefined, ...args: readonly string[]): Promise<number> => {
  const figure = read(await captureProcess(...args))
  if (figure === undefined) throw new Error(`capture-process.mjs ${args.join(' ')} does not say what it was asked for`)
  return figure
}

const ownFigure = (who: string, name: string, ...args: readonly string[]): Rival => ({ who, run: () => own((figures) => figures[name], ...args) })

/** Several figures of one process: the first of them that is asked in a round starts it. */
const shared = (args: readonly string[], names: Readonly<Record<string, string>>): readonly Rival[] => {
  let running: Promise<Readonly<Record<string, number>>> | undefined
  let asked = 0
  const wanted = Object.keys(names).length
  return Object.entries(names).map(([who, name]) => ({
    who,
    run: async () => {
      running ??= captureProcess(...args)
      const figures = await running
      asked += 1
      if (asked % wanted === 0) running = undefined
      return figures[name] ?? Number.NaN
    },
  }))
}

/** What a program waits longer for its first result if that function captures. */
const firstSurplus = (name: string): Rival => {
  let round = 0
  return {
    who: 'mobula, captured less constant',
    run: async () => {
      const kinds = round++ % 2 === 0 ? ['constant', 'captures'] : ['captures', 'constant']
      const times: Record<string, number> = {}
      for (const kind of kinds) times[kind] = await own((figures) => figures[name], 'begin', kind)
      return (times['captures'] ?? 0) - (times['constant'] ?? 0)
    },
  }
}

/** Closures in a loop, in microseconds each. */
const inLoop = async ({ get }: Mobula, untilResults: boolean): Promise<number> => {
  const refs = new Array<ObjectRef<number>>(LOOP)
  const start = performance.now()
  for (let k = 0; k < LOOP; k++) refs[k] = remote(closureOf(k)).remote(k)
  const submitted = since(start)
  await get(refs)
  return ((untilResults ? since(start) : submitted) * 1000) / LOOP
}

/** What the bytes of a function take to be one again, where its template is known, in microseconds. */
const revive = (): number => {
  const encoded = encode(new TaskParts(closureOf(7), undefined), 'a function')
  const bytes = new Uint8Array(encoded.byteLength)
  encoded.writeTo(regionOf(bytes), 0)
  const source = sourceOf(bytes, [])
  const start = performance.now()
  for (let k = 0; k < DECODINGS; k++) decode(source, { alias: false, onUnknownClass: () => undefined })
  return (since(start) * 1000) / DECODINGS
}

/** When its worker ran it, in milliseconds. */
const stampOf = (k: number): (() => number) => {
  const data = { k, name: 'one of many' }
  return () => performance.now() + 0 * (shift(1) + data.k + data.name.length)
}
const knownStamp = remote(stampOf(1))
const gate = remote((ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms))

/** Microseconds from one task to the next on the only worker, by its own clock: all tasks are there when it begins. */
const perTaskThere = async ({ get }: Mobula, submit: (k: number) => ObjectRef<number>): Promise<number> => {
  const closed = gate.remote(GATE_MS)
  const refs = Array.from({ length: GATED }, (_, k) => submit(k))
  await get(closed)
  const stamps = (await get(refs)).sort((a, b) => a - b)
  return spread(stamps.slice(1).map((stamp, k) => (stamp - (stamps[k] ?? 0)) * 1000)).median
}

const reviveThere = async (mobula: Mobula): Promise<number> => {
  const known = await perTaskThere(mobula, () => knownStamp.remote())
  return (await perTaskThere(mobula, (k) => remote(stampOf(k)).remote())) - known
}

/** The median of single calls, each awaited before the next, in microseconds. */
const oneByOne = async (call: (k: number) => Promise<unknown>): Promise<number> => {
  const times = new Float64Array(ROUND_CALLS)
  for (let k = 0; k < ROUND_CALLS; k++) {
    const start = performance.now()
    await call(k)
    times[k] = since(start) * 1000
  }
  return spread([...times]).median
}

/** No closure: its text says all, as the others need it. A text that was never seen, as a program that writes functions has them. */
let texts = 0
const freshText = (): ((value: number) => number) => new Function('value', `return value * ${texts++} + 11`) as (value: number) => number
const text = freshText()
const again = remote(text)
const closureAgain = remote(closureOf(3))

const byText = (who: string, run: (pool: TextPool) => Promise<number>): Rival => {
  let pool: TextPool | undefined
  return {
    who,
    open: async () => {
      pool = await openText()
    },
    run: () => run(pool as TextPool),
    close: () => (pool as TextPool).close(),
  }
}

const byWorkerpool = (who: string, run: (pool: workerpool.Pool) => Promise<number>): Rival => {
  let pool: workerpool.Pool | undefined
  return {
    who,
    open: async () => {
      pool = workerpool.pool({ minWorkers: 1, maxWorkers: 1, workerType: 'thread' })
      await pool.exec(() => 1, [])
    },
    run: () => run(pool as workerpool.Pool),
    close: async () => {
      await pool?.terminate(true)
    },
  }
}

const byPiscina = (who: string, run: (pool: Piscina) => Promise<number>): Rival => {
  let pool: Piscina | undefined
  return {
    who,
    open: async () => {
      pool = new Piscina({
        filename: fileURLToPath(new URL('./compare/work.mjs', import.meta.url)),
        minThreads: 1,
        maxThreads: 1,
        idleTimeout: Number.POSITIVE_INFINITY,
      })
      await pool.run(1, { name: 'identity' })
    },
    run: () => run(pool as Piscina),
    close: async () => pool?.destroy(),
  }
}

/** A file for each function: what is left to who has a pool that takes files, and a function that no file has. */
const byFiles = async (pool: Piscina): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), 'mobula-bench-'))
  try {
    return await oneByOne((k) => {
      const filename = join(folder, `${k}.mjs`)
      writeFileSync(filename, `export default ${freshText().toString()}`)
      return pool.run(k, { filename })
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const suite: Suite = {
  question: 'What does it cost to ship functions by themselves, the first time, again and again, and on workers?',
  notEvidenceOf: 'functions that take much data along: that is the time of a put; nor how fast small tasks are otherwise: that is the suite tasks',
  benches: (): readonly Bench[] => [
    {
      bench: 'first capture of a function with a helper, an import and data, in a warm process',
      unit: 'ms',
      params: { functions: 294 },
      rivals: shared(['warm'], { 'mobula, median': 'median', 'mobula, p90': 'p90', 'mobula, p99': 'p99', 'mobula, the first of a file': 'ofFile' }),
    },
    { bench: 'the very first capture of a process that runs tasks', unit: 'ms', params: {}, rivals: [ownFigure('mobula', 'first', 'first')] },
    {
      bench: 'init and first result of a fresh process',
      unit: 'ms',
      params: { workers: 2 },
      rivals: [
        ownFigure('mobula, constant', 'first', 'begin', 'constant'),
        ownFigure('mobula, captured', 'first', 'begin', 'captures'),
        ownProcess('piscina, function in a file, with its import', 'first', 'piscina'),
      ],
    },
    { bench: 'init and first result, more if it is captured', unit: 'ms', params: { workers: 2 }, runs: 20, rivals: [firstSurplus('first')] },
    {
      bench: 'submission of a captured function, more than of a constant one',
      unit: 'ns',
      params: { batch: BATCH, pairs: PAIRS, threads: 2 },
      rivals: [openMobula('mobula', 2, (mobula) => surplus(submitting(mobula)))],
    },
    {
      bench: 'task of a captured function, more than of a constant one',
      unit: 'ns',
      params: { batch: BATCH, pairs: PAIRS, threads: 2 },
      rivals: [openMobula('mobula', 2, (mobula) => surplus(toResults(mobula)))],
    },
    {
      bench: 'tasks of one function, each',
      unit: 'ns',
      params: { batch: BATCH, threads: 2 },
      rivals: [
        openMobula('mobula, constant, submitted', 2, (mobula) => submitting(mobula)(constant)),
        openMobula('mobula, captured, submitted', 2, (mobula) => submitting(mobula)(captured)),
        openMobula('mobula, constant, to results', 2, (mobula) => toResults(mobula)(constant)),
        openMobula('mobula, captured, to results', 2, (mobula) => toResults(mobula)(captured)),
      ],
    },
    {
      bench: 'a closure made anew in a loop, one call each',
      unit: 'µs',
      params: { closures: LOOP, threads: 2 },
      rivals: [
        openMobula('mobula, to be submitted', 2, (mobula) => inLoop(mobula, false)),
        openMobula('mobula, to results', 2, (mobula) => inLoop(mobula, true)),
      ],
    },
    { bench: 'a function of bytes, its template known', unit: 'µs', params: { decodings: DECODINGS }, rivals: [{ who: 'mobula', run: revive }] },
    {
      bench: 'on a worker, a task with a new closure of a known template, more than with a known one',
      unit: 'µs',
      params: { tasks: GATED, threads: 1 },
      warmup: 1,
      rivals: [openMobula('mobula', 1, reviveThere)],
    },
    {
      bench: 'a new function and its result, one by one',
      unit: 'µs',
      params: { threads: 1, calls: ROUND_CALLS },
      rivals: [
        openMobula('mobula (a closure, with what it captures)', 1, ({ get }) => oneByOne((k) => get(remote(closureOf(k)).remote(k)))),
        openMobula('mobula (a text without captures)', 1, ({ get }) => oneByOne((k) => get(remote(freshText()).remote(k)))),
        byWorkerpool('workerpool (exec: text, no captures)', (pool) => oneByOne((k) => Promise.resolve(pool.exec(freshText(), [k])))),
        byText('postMessage, new Function (text, no captures)', (pool) => oneByOne((k) => pool.run(freshText(), k))),
        byPiscina('piscina (a file written for each, no captures)', byFiles),
      ],
    },
    {
      bench: 'the same function again, one by one',
      unit: 'µs',
      params: { threads: 1, calls: ROUND_CALLS },
      rivals: [
        openMobula('mobula (a closure, with what it captures)', 1, ({ get }) => oneByOne((k) => get(closureAgain.remote(k)))),
        openMobula('mobula (a text without captures)', 1, ({ get }) => oneByOne((k) => get(again.remote(k)))),
        byWorkerpool('workerpool (exec: text, no captures)', (pool) => oneByOne((k) => Promise.resolve(pool.exec(text, [k])))),
        byText('postMessage, new Function (text, no captures)', (pool) => oneByOne((k) => pool.run(text, k))),
        byPiscina('piscina (an export of a file, no captures)', (pool) => oneByOne((k) => pool.run(k, { name: 'identity' }))),
      ],
    },
    ...(['closures', 'texts'] as const).map(
      (kind): Bench => ({
        bench: kind === 'closures' ? 'left of a closure that is gone' : 'left of a function of a text of its own that is gone',
        unit: 'bytes',
        params: { functions: kind === 'closures' ? LEAK : LEAK / 5, workers: 2 },
        runs: 1,
        warmup: 0,
        rivals: shared(['leak', String(kind === 'closures' ? LEAK : LEAK / 5), kind], {
          'mobula, all memory (RSS)': 'rss',
          'mobula, heap of the driver': 'heap',
          'mobula, heaps of the workers': 'workers',
          'mobula, object store': 'storeBytes',
        }),
      }),
    ),
  ],
}
