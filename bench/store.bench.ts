/** Measures the object store beside a plain copy of the same bytes, and beside other ways to bring bytes to another thread. */

import { mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { get, getSync, type InitOptions, init, type ObjectRef, put, remote, shutdown } from '../src/index.ts'
import { collectGarbage, stats } from '../src/testing.ts'
import { openChildProcess } from './compare/child-process.ts'
import { type Pool, poolRival } from './compare/pool.ts'
import { openPostMessage } from './compare/post-message.ts'
import { findRay, type Order, rayRival } from './compare/ray.ts'
import { type Held, held } from './support/held.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

/** Larger values are left out: for machines with less than 6 GiB to spare. */
const BYTES_MAX = Number(process.env['BENCH_BYTES_MAX'] ?? 1e9)
const STORE_BYTES = 2 * 2 ** 30
const PAGE = 4096
const SMALL = 20_000
const VIEWS = 100
/** Objects of 1 MB let go together, so that they outweigh the collection that finds them. */
const LET_GO = 500
const SHARED_BYTES = Math.min(256e6, BYTES_MAX)
const SPILL = { store: 64 * 2 ** 20, each: 16e6, count: 16 }

const label = (bytes: number): string => (bytes < 1e6 ? `${bytes / 1e3} KB` : bytes < 1e9 ? `${bytes / 1e6} MB` : `${bytes / 1e9} GB`)
const bytesOf = (length: number, seed: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(seed)
const bytesOfEach = (count: number, length: number): Uint8Array<ArrayBuffer>[] => Array.from({ length: count }, (_, k) => bytesOf(length, k + 1))

/** Milliseconds. */
const clock = (): (() => number) => {
  const start = performance.now()
  return () => performance.now() - start
}
const gbPerSecond = (bytes: number, ms: number): number => bytes / ms / 1e6

/** One page's worth of looking at each page, so that all of it is mapped. */
const glance = (bytes: Uint8Array): number => {
  let total = 0
  for (let at = 0; at < bytes.length; at += PAGE) total += bytes[at] ?? 0
  return total
}

/** Collects until no view is left. What was written to the store is performed by then, too. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) {
    // A collection asked for by a callback of the addon's would do nothing.
    await setImmediate()
    await collectGarbage()
    await setImmediate()
    if ((await stats()).store.pins === 0) return
  }
  throw new Error('views stay open although nobody has them')
}

/** How many rivals that are open use the one runtime of this process. */
let users = 0

interface Opened {
  readonly who: string
  readonly options?: InitOptions
  readonly open?: () => unknown
  readonly run: () => Promise<number> | number
  readonly close?: () => void
}

const withRuntime = ({ who, options, open, run, close }: Opened): Rival => ({
  who,
  open: async () => {
    if (users++ === 0) await init({ numCpus: 1, objectStoreMemory: STORE_BYTES, spillDirectory: false, ...options })
    await open?.()
  },
  run,
  close: async () => {
    close?.()
    if (--users === 0) await shutdown()
  },
})

const disposeAll = (refs: readonly ObjectRef[]): void => {
  for (const ref of refs) ref[Symbol.dispose]()
}

const ray = (python: string | undefined, order: Order, figure: (seconds: number) => number): Rival[] =>
  python === undefined ? [] : [rayRival(python, STORE_BYTES, order, figure)]

/** All go round the same number of sources and of destinations, so that caches help them alike. */
const putBenches = (python: string | undefined): Bench[] =>
  [
    { bytes: 1e6, ring: 64, count: 128 },
    { bytes: 1e8, ring: 3, count: 3 },
    { bytes: 1e9, ring: 1, count: 1 },
  ]
    .filter(({ bytes }) => bytes <= BYTES_MAX)
    .map(({ bytes, ring, count }) => {
      const sources = held(() => bytesOfEach(ring, bytes))
      const targets = held(() => bytesOfEach(ring, bytes))
      const refs = held(() => sources().map((source) => put(source)))
      let turn = 0
      return {
        bench: 'put into recycled memory',
        unit: 'GB/s',
        params: { size: label(bytes), rotation: ring },
        // Until what is called once for each megabyte has been compiled.
        ...(bytes < 1e7 ? { warmup: 20, runs: 21 } : { warmup: 2, runs: 9 }),
        rivals: [
          withRuntime({
            who: 'mobula put',
            open: refs,
            run: async () => {
              const time = clock()
              for (let k = 0; k < count; k++, turn++) {
                refs()[k % ring]?.[Symbol.dispose]()
                // The release is performed with the next microtask.
                await null
                refs()[k % ring] = put(sources()[turn % ring] as Uint8Array<ArrayBuffer>)
              }
              return gbPerSecond(bytes * count, time())
            },
            close: () => {
              disposeAll(refs())
              refs.drop()
              sources.drop()
            },
          }),
          {
            who: 'memcpy',
            open: () => void targets(),
            run: async () => {
              const time = clock()
              for (let k = 0; k < count; k++, turn++) {
                await null
                targets()[k % ring]?.set(sources()[turn % ring] as Uint8Array)
              }
              return gbPerSecond(bytes * count, time())
            },
            close: targets.drop,
          },
          ...ray(python, { what: 'put', bytes, ring, count }, (seconds) => gbPerSecond(bytes * count, seconds * 1000)),
        ],
      }
    })

/** Only where a second core has nothing else to do: beside other work there is nothing to gain, and the figure would be about that. */
const togetherBenches = (): Bench[] => {
  const load = loadavg()[0] ?? 0
  const idle = availableParallelism() - load
  if (idle < 1.5) {
    console.log(
      `Left out: put with several threads. It wants two idle cores, and of ${availableParallelism()} about ${idle.toFixed(1)} are (load ${load.toFixed(1)}).`,
    )
    return []
  }
  return [1e8, 1e9]
    .filter((bytes) => bytes <= BYTES_MAX)
    .map((bytes) => {
      const count = Math.round(1e9 / bytes)
      const source = held(() => bytesOf(bytes, 1))
      const target = held(() => bytesOf(bytes, 1))
      const measured = async (copy: () => void): Promise<number> => {
        copy()
        let ms = 0
        for (let k = 0; k < count; k++) {
          // The release of the last one is performed with the next microtask.
          await null
          const time = clock()
          copy()
          ms += time()
        }
        return gbPerSecond(bytes * count, ms)
      }
      const withThreads = (threads: number): Rival => ({
        who: `mobula put, ${threads} thread${threads > 1 ? 's' : ''}`,
        run: async () => {
          process.env['MOBULA_COPY_THREADS'] = `${threads}`
          try {
            await init({ numCpus: 1, objectStoreMemory: STORE_BYTES, spillDirectory: false })
            return await measured(() => put(source())[Symbol.dispose]())
          } finally {
            delete process.env['MOBULA_COPY_THREADS']
            await shutdown()
          }
        },
      })
      return {
        bench: 'put with several threads, recycled memory',
        unit: 'GB/s',
        params: { size: label(bytes) },
        runs: 5,
        rivals: [
          withThreads(2),
          withThreads(1),
          {
            who: 'memcpy',
            run: () => measured(() => target().set(source())),
            close: () => {
              source.drop()
              target.drop()
            },
          },
        ],
      }
    })
}

const freshBench = (): Bench => {
  const bytes = Math.min(1e8, BYTES_MAX)
  const sources = held(() => bytesOfEach(4, bytes))
  const targets = held(() => bytesOfEach(4, bytes))
  const total = bytes * 4
  return {
    bench: 'put into memory never used before',
    unit: 'GB/s',
    params: { size: label(bytes), objects: 4 },
    runs: 9,
    rivals: [
      {
        who: 'mobula put',
        run: async () => {
          await init({ numCpus: 1, objectStoreMemory: STORE_BYTES, spillDirectory: false })
          const time = clock()
          const refs = sources().map((source) => put(source))
          const ms = time()
          disposeAll(refs)
          await shutdown()
          return gbPerSecond(total, ms)
        },
      },
      {
        who: 'memcpy into used memory',
        run: () => {
          const time = clock()
          for (const [k, target] of targets().entries()) target.set(sources()[k] as Uint8Array)
          return gbPerSecond(total, time())
        },
        close: targets.drop,
      },
      {
        who: 'slice: memcpy into new memory',
        run: () => {
          const time = clock()
          const copies = sources().map((source) => source.slice())
          return copies.length === 0 ? 0 : gbPerSecond(total, time())
        },
        close: sources.drop,
      },
    ],
  }
}

/** The views of a round stay until its end. */
const viewsOf = async (object: ObjectRef<Uint8Array>, how: 'get' | 'getSync', count: number): Promise<number> => {
  const views = new Array<Uint8Array>(count)
  const time = clock()
  if (how === 'get') for (let k = 0; k < count; k++) views[k] = await get(object)
  else for (let k = 0; k < count; k++) views[k] = getSync(object)
  const us = (time() * 1000) / count
  views.length = 0
  await settle()
  return us
}

/** No async function: it would keep a view that it has had. */
const getBeside = (object: ObjectRef<Uint8Array>, count: number): number => {
  const views = [getSync(object)]
  for (const view of views) glance(view)
  const time = clock()
  for (let k = 0; k < count; k++) views.push(getSync(object))
  return (time() * 1000) / count
}

const getBenches = (python: string | undefined): Bench[] => {
  const benches: Bench[] = [1e3, 1e5, 1e6, 1e8, 1e9]
    .filter((bytes) => bytes <= BYTES_MAX)
    .map((bytes) => {
      const object = held(() => put(bytesOf(bytes, 1)))
      return {
        bench: 'get as a view',
        unit: 'µs',
        params: { size: label(bytes), views: VIEWS },
        runs: 9,
        rivals: [
          withRuntime({ who: 'mobula getSync', open: object, run: () => viewsOf(object(), 'getSync', VIEWS), close: object.drop }),
          withRuntime({ who: 'mobula await get', open: object, run: () => viewsOf(object(), 'get', VIEWS), close: object.drop }),
          ...ray(python, { what: 'get', bytes, count: VIEWS }, (seconds) => (seconds * 1e6) / VIEWS),
        ],
      }
    })
  const object = held(() => put(bytesOf(BYTES_MAX, 1)))
  benches.push({
    bench: 'get beside an open view that has been read',
    unit: 'µs',
    params: { size: label(BYTES_MAX), views: 5 },
    runs: 5,
    rivals: [
      withRuntime({
        who: 'mobula getSync',
        open: object,
        run: async () => {
          const us = getBeside(object(), 5)
          await settle()
          return us
        },
        close: object.drop,
      }),
    ],
  })
  return benches
}

const smallBenches = (): Bench[] => {
  const perSecond = async (work: () => unknown): Promise<number> => {
    const time = clock()
    await work()
    const rate = (SMALL * 1000) / time()
    await settle()
    return rate
  }
  const refs = held(() => Array.from({ length: SMALL }, (_, k) => put(k)))
  const close = (): void => refs.drop()
  const one = { id: 7 }
  return [
    {
      bench: 'small put',
      unit: 'ops/s',
      params: { count: SMALL },
      rivals: [
        withRuntime({
          who: 'mobula put',
          run: async () => {
            const made = new Array<ObjectRef>(SMALL)
            const rate = await perSecond(() => {
              for (let k = 0; k < SMALL; k++) made[k] = put(k)
            })
            disposeAll(made)
            return rate
          },
        }),
        withRuntime({
          who: 'mobula put, let go at once',
          run: () =>
            perSecond(() => {
              for (let k = 0; k < SMALL; k++) put(k)[Symbol.dispose]()
            }),
        }),
        {
          who: 'structuredClone of { id }',
          run: () => {
            const time = clock()
            for (let k = 0; k < SMALL; k++) structuredClone(one)
            return (SMALL * 1000) / time()
          },
        },
      ],
    },
    {
      bench: 'small get',
      unit: 'ops/s',
      params: { count: SMALL },
      rivals: [
        withRuntime({
          who: 'mobula await get',
          open: refs,
          run: () =>
            perSecond(async () => {
              for (const ref of refs()) await get(ref)
            }),
          close,
        }),
        withRuntime({
          who: 'mobula getSync',
          open: refs,
          run: () =>
            perSecond(() => {
              for (const ref of refs()) getSync(ref)
            }),
          close,
        }),
        withRuntime({ who: 'mobula get of a list', open: refs, run: () => perSecond(() => get(refs())), close }),
      ],
    },
  ]
}

const readAll = (refs: readonly ObjectRef<Uint8Array>[]): void => {
  const views = refs.map((ref) => getSync(ref))
  for (const view of views) glance(view)
}

/** Beyond a collection that has nothing to let go of, which is taken first. */
const letGo = async (refs: readonly ObjectRef<Uint8Array>[]): Promise<number> => {
  let ms = 0
  for (const objects of [[], refs]) {
    await settle()
    readAll(objects)
    await setImmediate()
    const time = clock()
    globalThis.gc?.()
    // Finalizers come in turns of the loop.
    do await setImmediate()
    while ((await stats()).store.pins > 0)
    ms = time() - ms
  }
  return (ms * 1000) / refs.length
}

const releaseBenches = (): Bench[] =>
  [
    { bytes: 1e6, count: Math.min(LET_GO, Math.floor(BYTES_MAX / 1e6)) },
    { bytes: BYTES_MAX, count: 1 },
  ].flatMap(({ bytes, count }) => {
    const source = held(() => bytesOf(bytes, 1))
    const refs = held(() => Array.from({ length: count }, () => put(source())))
    const params = { size: label(bytes), objects: count }
    const close = (): void => {
      source.drop()
      refs.drop()
    }
    return [
      {
        bench: 'a view that was read is let go',
        unit: 'µs',
        params,
        runs: 7,
        rivals: [withRuntime({ who: 'mobula, beyond the collection itself', open: refs, run: () => letGo(refs()), close })],
      },
      {
        bench: 'a ref is let go',
        unit: 'µs',
        params,
        runs: 7,
        rivals: [
          withRuntime({
            who: 'mobula',
            run: async () => {
              const made = Array.from({ length: count }, () => put(source()))
              await setImmediate()
              const time = clock()
              disposeAll(made)
              await null
              return (time() * 1000) / count
            },
            close: source.drop,
          }),
        ],
      },
    ]
  })

/** This process's share of resident memory, in megabytes; the tables that say where it lies (8 bytes a page) are not in it. */
const pss = (): number => Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1] ?? Number.NaN) / 976.5625

/** Says which thread has looked at the bytes. They stay readable there. */
const hold = remote(async (bytes: Uint8Array): Promise<number> => {
  const { threadId } = await import('node:worker_threads')
  const end = performance.now() + 20
  let total = 0
  // Long enough that the others come to take theirs.
  do for (let at = 0; at < bytes.length; at += 4096) total += bytes[at] ?? 0
  while (performance.now() < end)
  Object.assign(globalThis, { heldBytes: bytes })
  return total < 0 ? 0 : threadId
})

const onAll = async (workers: number, bytes: ObjectRef<Uint8Array>): Promise<void> => {
  const threads = new Set<number>()
  while (threads.size < workers) for (const id of await get(Array.from({ length: workers * 2 }, () => hold.remote(bytes)))) threads.add(id)
}

/** Collected before each look, since what is garbage counts as well. */
const pssNow = async (): Promise<number> => {
  await setImmediate()
  await collectGarbage()
  await setImmediate()
  return pss()
}

/** Beyond the object itself, which this thread has read before, and what threads take for themselves with their first tasks. */
const growthOf = async (workers: number): Promise<number> => {
  await init({ numCpus: workers, objectStoreMemory: STORE_BYTES, spillDirectory: false })
  try {
    const small = put(bytesOf(1e6, 1))
    const large = put(bytesOf(SHARED_BYTES, 1))
    const own = getSync(large)
    glance(own)
    for (let k = 0; k < 3; k++) await onAll(workers, small)
    const before = await pssNow()
    await onAll(workers, large)
    const after = await pssNow()
    return own.length > 0 ? after - before : 0
  } finally {
    await shutdown()
  }
}

const growthOfPool = async (workers: number, makeShared: boolean): Promise<number> => {
  const pool = await openPostMessage({ threads: workers })
  try {
    const onEach = (bytes: Uint8Array): Promise<unknown> => Promise.all(Array.from({ length: workers }, () => pool.run('keep', bytes)))
    for (let k = 0; k < 3; k++) await onEach(bytesOf(1e6, 1))
    const large = makeShared ? new Uint8Array(new SharedArrayBuffer(SHARED_BYTES)).fill(1) : bytesOf(SHARED_BYTES, 1)
    const before = await pssNow()
    await onEach(large)
    const after = await pssNow()
    return large.length > 0 ? after - before : 0
  } finally {
    await pool.close()
  }
}

const memoryBenches = (): Bench[] =>
  process.platform !== 'linux'
    ? []
    : [1, 4].map((workers) => ({
        bench: 'memory (PSS) that workers take to read one object',
        unit: 'MB',
        params: { size: label(SHARED_BYTES), workers },
        runs: 3,
        warmup: 0,
        rivals: [
          { who: 'mobula', run: () => growthOf(workers) },
          { who: 'postMessage', run: () => growthOfPool(workers, false) },
          { who: 'SharedArrayBuffer', run: () => growthOfPool(workers, true) },
        ],
      }))

const glanceThere = remote((bytes: Uint8Array): number => {
  let total = 0
  for (let at = 0; at < bytes.length; at += 4096) total += bytes[at] ?? 0
  return total
})

/** How long another worker takes to look at each page of an object that it has not seen, in milliseconds; memory is new each time. */
const firstReads = async (pages: 'huge' | 'small'): Promise<number> => {
  process.env['MOBULA_HUGE_PAGES'] = pages === 'huge' ? '1' : '0'
  try {
    await init({ numCpus: 1, objectStoreMemory: STORE_BYTES, spillDirectory: false })
    using ref = put(bytesOf(SHARED_BYTES, 1))
    // The thread is there, and has the function.
    await get(timeToGlance.remote(new Uint8Array(0)))
    return await get(timeToGlance.remote(ref))
  } finally {
    delete process.env['MOBULA_HUGE_PAGES']
    await shutdown()
  }
}

const timeToGlance = remote((bytes: Uint8Array): number => {
  const start = performance.now()
  let total = 0
  for (let at = 0; at < bytes.length; at += 4096) total += bytes[at] ?? 0
  return total < 0 ? 0 : performance.now() - start
})

const hugePageBench = (): Bench => ({
  bench: 'first read of an object by another worker',
  unit: 'ms',
  params: { size: label(SHARED_BYTES) },
  runs: 7,
  rivals: [
    { who: 'mobula, huge pages', run: () => firstReads('huge') },
    { who: 'mobula, MOBULA_HUGE_PAGES=0', run: () => firstReads('small') },
  ],
})

/** What one journey takes, in microseconds; `prepare` is not counted. */
const journeys = async <T>(count: number, prepare: () => T, go: (prepared: T) => Promise<unknown> | unknown): Promise<number> => {
  let ms = 0
  for (let k = 0; k < count; k++) {
    const prepared = prepare()
    const time = clock()
    await go(prepared)
    ms += time()
  }
  return (ms * 1000) / count
}

/** Once to another thread or process, which looks at a byte of each page and answers. */
const journeyBenches = (): Bench[] =>
  [1e6, 1e8]
    .filter((bytes) => bytes <= BYTES_MAX)
    .map((bytes) => {
      const count = bytes > 1e7 ? 2 : 20
      const source = held(() => bytesOf(bytes, 1))
      const shared = held(() => new Uint8Array(new SharedArrayBuffer(bytes)).fill(1))
      const folder = held(() => mkdtempSync(join(tmpdir(), 'mobula-bench-')))
      const nothing = (): void => {}
      const thread = (): Promise<Pool> => openPostMessage({ threads: 1 })
      return {
        bench: 'bytes once to another thread',
        unit: 'µs',
        params: { size: label(bytes) },
        runs: 7,
        rivals: [
          withRuntime({
            who: 'mobula put and a task',
            open: () => get(glanceThere.remote(new Uint8Array(0))),
            run: () =>
              journeys(count, nothing, async () => {
                using ref = put(source())
                await get(glanceThere.remote(ref))
              }),
            close: source.drop,
          }),
          { who: 'structuredClone, in the same thread', run: () => journeys(count, nothing, () => glance(structuredClone(source()))) },
          poolRival('postMessage', thread, (pool) => journeys(count, nothing, () => pool.run('glance', source()))),
          poolRival('postMessage with transfer', thread, (pool) =>
            journeys(
              count,
              () => source().slice(),
              (bytes) => pool.run('glance', bytes, [bytes.buffer]),
            ),
          ),
          poolRival(
            'SharedArrayBuffer, copied into and posted',
            thread,
            (pool) =>
              journeys(count, nothing, () => {
                shared().set(source())
                return pool.run('glance', shared())
              }),
            shared.drop,
          ),
          poolRival('child_process, advanced', openChildProcess, (pool) => journeys(count, nothing, () => pool.run('glance', source()))),
          poolRival(
            'a file, written and read',
            thread,
            (pool) =>
              journeys(count, nothing, () => {
                const path = join(folder(), 'bytes')
                writeFileSync(path, source())
                return pool.run('glanceAtFile', path)
              }),
            () => {
              rmSync(folder(), { recursive: true })
              folder.drop()
            },
          ),
        ],
      }
    })

/** A store that holds a quarter of what is put into it; the others are files in the same folder, which nobody flushes either. */
const spillBenches = (): Bench[] => {
  const { store, each, count } = SPILL
  const source = held(() => bytesOf(each, 1))
  const folder = held(() => mkdtempSync(join(tmpdir(), 'mobula-bench-')))
  const total = each * count
  const mbPerSecond = (ms: number): number => total / ms / 1e3
  const inStore = async (what: 'out' | 'back'): Promise<number> => {
    await init({ numCpus: 1, objectStoreMemory: store, spillDirectory: folder() })
    try {
      const out = clock()
      const refs = Array.from({ length: count }, () => put(source()))
      const msOut = out()
      const back = clock()
      if (what === 'back') for (const ref of refs) glance(getSync(ref, { copy: true }))
      const msBack = back()
      disposeAll(refs)
      return mbPerSecond(what === 'out' ? msOut : msBack)
    } finally {
      await shutdown()
    }
  }
  const inFiles = (what: 'out' | 'back'): number => {
    const paths = Array.from({ length: count }, (_, k) => join(folder(), `${k}`))
    const out = clock()
    for (const path of paths) writeFileSync(path, source())
    const msOut = out()
    const back = clock()
    if (what === 'back') for (const path of paths) glance(readFileSync(path))
    const msBack = back()
    for (const path of paths) unlinkSync(path)
    return mbPerSecond(what === 'out' ? msOut : msBack)
  }
  const close = (drop: readonly Held<unknown>[]): void => {
    rmSync(folder(), { recursive: true, force: true })
    for (const one of drop) one.drop()
  }
  const params = { size: label(each), objects: count, 'store MiB': store / 2 ** 20 }
  return (['out', 'back'] as const).map((what) => ({
    bench: what === 'out' ? 'values put beyond the store' : 'values brought back from disk',
    unit: 'MB/s',
    params,
    runs: 5,
    rivals: [
      { who: 'mobula', run: () => inStore(what) },
      { who: what === 'out' ? 'files written' : 'files read', run: () => inFiles(what), close: () => close([source, folder]) },
    ],
  }))
}

export const suite: Suite = {
  question: 'How fast is the object store beside a plain copy, and beside other ways for bytes to travel?',
  notEvidenceOf:
    'what workers compute with the bytes, a disk that is flushed, mapped files (Node has none), Ray between processes (it is asked in the one that has the bytes); BENCH_BYTES_MAX=100000000 leaves larger values out',
  benches: () => {
    const python = findRay()
    return [
      ...putBenches(python),
      ...togetherBenches(),
      freshBench(),
      ...getBenches(python),
      ...smallBenches(),
      ...releaseBenches(),
      ...memoryBenches(),
      hugePageBench(),
      ...journeyBenches(),
      ...spillBenches(),
    ]
  },
}
