/**
 * Fuzz target: damaged encoded values. Each is decoded in the middle of memory full of a pattern, and has to be a value or a
 * `SerializationError`, in time and memory in proportion to its bytes, that shows nothing of the pattern. `npm run fuzz -- codec`.
 */

import { types } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import * as arrow from 'apache-arrow'
import fc from 'fast-check'
import { decode, decodeArgs, type Encoded, encode, encodeArgs, sourceOf } from '../../src/codec/codec.ts'
import { SerializationError, TaskError } from '../../src/errors/errors.ts'
import { taskError } from '../../src/errors/task-error.ts'
import { ObjectRef } from '../../src/refs/object-ref.ts'
import { make, recipe } from '../support/arbitrary-value.ts'
import { refNumber, seeded, writeInto } from '../support/codec.ts'
import { mutate, pick } from './mutate.ts'

export interface FuzzOptions {
  readonly seconds: number
  readonly seed: number
  /** One input, to look at a finding again. */
  readonly input?: Uint8Array
}

export interface FuzzReport {
  readonly rounds: number
  readonly decoded: number
  readonly refused: number
  /** Inputs kept because they were answered in a new way. */
  readonly corpus: number
  readonly slowestMs: number
  /** What is wrong, with the input that shows it; `undefined` if nothing is. */
  readonly finding: string | undefined
}

const INPUT_BYTES_MAX = 1 << 16
const CORPUS_MAX = 4_000
/** An input that takes this long does not end. */
const HANG_MS = 20_000
/** Fills what lies around the input. Nothing of it may be seen; inputs hold no four of it in a row. */
const PATTERN = 0xc7
const PATTERN_BYTES = Buffer.alloc(4, PATTERN)
const AROUND_BYTES = 1 << 16

/** Shared with the thread that watches: how many inputs were begun, and which one is at work. */
interface Watched {
  readonly begun: Int32Array
  readonly input: Uint8Array
}

/** Runs in a thread, so that an input without end, or without bound, ends that thread and is told. */
export const fuzz = async ({ seconds, seed, input }: FuzzOptions): Promise<FuzzReport> => {
  const shared: Watched = { begun: new Int32Array(new SharedArrayBuffer(8)), input: new Uint8Array(new SharedArrayBuffer(INPUT_BYTES_MAX)) }
  // A thread does not inherit what `--import tsx` registered.
  const boot = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))}).then(({ register }) => (register(), import(${JSON.stringify(import.meta.url)})))`
  const worker = new Worker(boot, {
    eval: true,
    workerData: { fuzz: { seconds, seed, input }, shared },
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  })
  const current = (): string => Buffer.from(shared.input.slice(0, shared.begun[1])).toString('hex')
  const nothing = { rounds: 0, decoded: 0, refused: 0, corpus: 0, slowestMs: 0 }
  return new Promise((resolve) => {
    let seen = -1
    let waited = 0
    const watch = setInterval(() => {
      const begun = Atomics.load(shared.begun, 0)
      waited = begun === seen ? waited + 1_000 : 0
      seen = begun
      if (waited < HANG_MS) return
      end({ ...nothing, rounds: begun, finding: `an input took more than ${HANG_MS / 1_000} s: ${current()}` })
    }, 1_000)
    const end = (report: FuzzReport): void => {
      clearInterval(watch)
      void worker.terminate().then(() => resolve(report))
    }
    worker.on('message', end)
    worker.on('error', (error: Error) => end({ ...nothing, rounds: seen, finding: `the thread ended (${error.message}) at: ${current()}` }))
  })
}

const refs = [refNumber(1), refNumber(2), refNumber(3), refNumber(4)]
const dependencies = ['a dependency', { of: 'dependencies' }]

/** What is wrong with how an input was answered. */
class Finding extends Error {}

/** Bytes asked of `ArrayBuffer` while one input is decoded. Address space that a resizable one may grow into is not memory. */
let allocated = 0
const countAllocations = (): void => {
  globalThis.ArrayBuffer = new Proxy(ArrayBuffer, {
    construct(target, args, newTarget) {
      allocated += Number(args[0] ?? 0)
      return Reflect.construct(target, args, newTarget) as object
    },
  })
}

/** Small values of every kind: what is mutated first. */
const seeds = (seed: number): Uint8Array[] => {
  const circular: Record<string, unknown> = { n: 1 }
  circular['self'] = circular
  const vector = arrow.vectorFromArray(['red', null, 'green'])
  const table = new arrow.Table({
    word: vector,
    number: arrow.vectorFromArray(Float64Array.of(1, 2, 3)),
    list: arrow.vectorFromArray([[1], [2, 3], []], new arrow.List(arrow.Field.new('item', new arrow.Int32()))),
  })
  const chosen: unknown[] = [
    1,
    'text',
    'é€'.repeat(1_100),
    2n ** 70n,
    circular,
    [1, 2, 3, 4, 5],
    [0.5, 1, 2, 3],
    Object.assign([1], { extra: 1 }),
    new Array(2_000),
    new Map([[{ a: 1 }, new Set([1])]]),
    [new Uint8Array(200), new Uint8Array(3)],
    new AggregateError([new TypeError('x', { cause: 1 })], 'many'),
    taskError(new RangeError('x'), { taskName: 'f' }),
    [refs[0], { deep: refs[1] }],
    // A format of its own inside, with more to damage.
    ...Array.from({ length: 12 }, () => [table, vector, table.batches[0]]).flat(),
    [new URL('http://a.b/c?d'), new Headers([['a', 'b']]), new URLSearchParams('a=b')],
  ]
  const arbitrary = fc.sample(recipe(6), { numRuns: 300, seed }).map(make)
  const values = [...chosen, ...arbitrary].map((value) => bytesOf(encode(value, 'value')))
  return [...values, bytesOf(encodeArgs([refs[0], { a: [1, 'x'] }, refs[1], 5], 'f'))].filter((bytes) => bytes.length <= INPUT_BYTES_MAX / 4)
}

const bytesOf = (encoded: Encoded): Uint8Array => {
  const bytes = new Uint8Array(encoded.byteLength)
  writeInto(encoded, bytes)
  return bytes
}

const work = ({ seconds, seed, input }: FuzzOptions, shared: Watched): FuzzReport => {
  const random = seeded(seed)
  // What was refused leads less far than what decoded, and there is much more of it.
  const corpus = input === undefined ? seeds(seed) : [input]
  const refusedOnes = [...corpus]
  const answers = new Set<string>()
  const counts = { rounds: 0, decoded: 0, refused: 0, slowestMs: 0 }
  const end = Date.now() + seconds * 1_000
  countAllocations()
  const report = (finding: string | undefined): FuzzReport => ({ ...counts, corpus: corpus.length + refusedOnes.length, finding })
  while (input === undefined ? Date.now() < end : counts.rounds < 64) {
    const bytes = input ?? mutate(random, pick(random, random() < 0.85 ? corpus : refusedOnes), pick(random, corpus))
    if (bytes.length > INPUT_BYTES_MAX || Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(PATTERN_BYTES)) continue
    shared.input.set(bytes)
    shared.begun[1] = bytes.length
    Atomics.add(shared.begun, 0, 1)
    const start = performance.now()
    let answer: string
    try {
      answer = attempt(bytes, { alias: random() < 0.5, shared: random() < 0.5, args: random() < 0.1, shift: random() < 0.8 ? 0 : Math.floor(random() * 64) })
    } catch (error) {
      return report(`${error instanceof Finding ? error.message : `threw ${String(error)}\n${(error as Error).stack}`}: ${Buffer.from(bytes).toString('hex')}`)
    }
    counts.slowestMs = Math.max(counts.slowestMs, performance.now() - start)
    counts.rounds++
    counts[answer.startsWith('value') ? 'decoded' : 'refused']++
    if (!answers.has(answer)) {
      answers.add(answer)
      const list = answer.startsWith('value') ? corpus : refusedOnes
      if (list.length < CORPUS_MAX) list.push(bytes)
      else list[Math.floor(random() * CORPUS_MAX)] = bytes
    }
  }
  return report(undefined)
}

interface Mode {
  readonly alias: boolean
  readonly shared: boolean
  readonly args: boolean
  /** Bytes from a multiple of 64 to the input. */
  readonly shift: number
}

/** Decodes, and checks the answer. Returns what kind of answer it was. */
const attempt = (bytes: Uint8Array, { alias, shared, args, shift }: Mode): string => {
  const length = AROUND_BYTES + shift + bytes.length + AROUND_BYTES
  const host = shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length)
  new Uint8Array(host).fill(PATTERN)
  const place = new Uint8Array(host, AROUND_BYTES + shift, bytes.length)
  place.set(bytes)
  const given = refs.slice(0, bytes.length < 36 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(32, true))
  allocated = 0
  let value: unknown
  try {
    value = args ? decodeArgs(sourceOf(place, given), dependencies, { alias }) : decode(sourceOf(place, given), { alias })
  } catch (error) {
    if (!(error instanceof SerializationError) || error instanceof TaskError) throw new Finding(`is no SerializationError but ${String(error)}`)
    return `refused ${error.message.replace(/\d+/g, '#').replace(/'.*'/gs, "''").slice(0, 60)}`
  }
  if (allocated > 2 * bytes.length + 4_096) throw new Finding(`${allocated} bytes of buffers for ${bytes.length}`)
  return `value of ${new Inspection(place, alias).kinds(value)}`
}

/** Walks over a decoded value, looks for what does not belong to it, and says which kinds it has. */
class Inspection {
  readonly #place: Uint8Array
  readonly #alias: boolean
  readonly #seen = new Set<object>()
  readonly #kinds = new Set<string>()
  readonly #open: unknown[] = []

  constructor(place: Uint8Array, alias: boolean) {
    this.#place = place
    this.#alias = alias
  }

  kinds(value: unknown): string {
    this.#open.push(value)
    // An empty object takes a word, its entry in a list none: there cannot be more objects than words.
    while (this.#open.length > 0) {
      this.#one(this.#open.pop())
      if (this.#seen.size > this.#place.length) throw new Finding(`more than ${this.#seen.size} objects from ${this.#place.length} bytes`)
    }
    return [...this.#kinds].toSorted().join(' ')
  }

  #one(value: unknown): void {
    if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'bigint') this.#text(value.toString(16).includes('c7c7c7c7') ? 'ÇÇÇÇ' : '')
    else if (typeof value === 'object' && value !== null) this.#object(value)
    else if (typeof value === 'function' || typeof value === 'symbol') throw new Finding(`a ${typeof value} came out`)
    else this.#kinds.add(String(value))
  }

  #text(text: string): void {
    this.#kinds.add('text')
    if (text.includes('ÇÇÇÇ') || text.includes('\uc7c7\uc7c7')) throw new Finding('text shows what lies around')
  }

  #number(value: number): void {
    this.#kinds.add(Number.isInteger(value) ? 'int' : 'double')
    const bits = Buffer.alloc(12)
    bits.writeDoubleLE(value)
    bits.writeInt32LE(value | 0, 8)
    if (bits.includes(PATTERN_BYTES)) throw new Finding(`the number ${value} shows what lies around`)
  }

  #object(value: object): void {
    if (this.#seen.has(value)) return
    this.#seen.add(value)
    if (value instanceof ObjectRef) {
      this.#kinds.add('ref')
      if (!refs.includes(value)) throw new Finding('a ref that was not given')
      return
    }
    this.#kinds.add(Object.prototype.toString.call(value))
    if (types.isProxy(value)) throw new Finding('a proxy came out')
    if (ArrayBuffer.isView(value)) this.#view(value)
    else if (types.isAnyArrayBuffer(value)) this.#memory(value)
    else this.#inside(value)
  }

  #view({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    if (buffer === this.#place.buffer) {
      const inside = byteOffset >= this.#place.byteOffset && byteOffset + byteLength <= this.#place.byteOffset + this.#place.length
      if (!this.#alias || (!inside && byteLength > 0))
        throw new Finding(`a view of ${byteOffset} to ${byteOffset + byteLength}, around ${this.#place.byteOffset}`)
    } else {
      this.#memory(buffer)
    }
  }

  #memory(buffer: ArrayBufferLike): void {
    if (buffer === this.#place.buffer) throw new Finding('all memory came out as a buffer')
    if (Buffer.from(buffer as ArrayBuffer).includes(PATTERN_BYTES)) throw new Finding('a buffer shows what lies around')
  }

  #inside(value: object): void {
    // By what they are: damaged bytes may name a class for a value that is of another kind, which is a value all the same.
    if (types.isMap(value)) this.#open.push(...[...Map.prototype.entries.call(value)].flat())
    else if (types.isSet(value)) this.#open.push(...Set.prototype.values.call(value))
    else if (value instanceof URL) this.#open.push(value.href)
    else if (value instanceof URLSearchParams || value instanceof Headers) this.#open.push(...[...value].flat())
    else if (types.isRegExp(value)) this.#open.push(value.source)
    else if (types.isBoxedPrimitive(value)) this.#kinds.add('box')
    const data = arrowData(value)
    if (data !== undefined) this.#arrow(data)
    else this.#properties(value)
  }

  #properties(value: object): void {
    for (const key of Object.getOwnPropertyNames(value)) {
      this.#text(key)
      const property = Object.getOwnPropertyDescriptor(value, key)
      // Getters are never decoded; some Nodes have one for the stack of an error.
      if (property?.get === undefined) this.#open.push(property?.value)
    }
  }

  /** The memory of Arrow values. What they read from it is their business. */
  #arrow(data: readonly (arrow.Data | undefined)[]): void {
    for (const one of data) {
      for (const view of Object.values(one?.buffers ?? {})) if (ArrayBuffer.isView(view)) this.#view(view)
      this.#arrow(one?.children ?? [])
    }
  }
}

const arrowData = (value: object): readonly arrow.Data[] | undefined => {
  if (value instanceof arrow.Table) return value.batches.map(({ data }) => data)
  if (value instanceof arrow.RecordBatch) return [value.data]
  return value instanceof arrow.Vector ? value.data : undefined
}

if (!isMainThread && (workerData as { fuzz?: FuzzOptions } | null)?.fuzz !== undefined) {
  const { fuzz: options, shared } = workerData as { fuzz: FuzzOptions; shared: Watched }
  parentPort?.postMessage(work(options, shared))
}
