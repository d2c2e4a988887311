/** Runs one task: reads its record, resolves its arguments, calls its function and reports what came of it. */

import { types } from 'node:util'
import { type DecodeOptions, decode, decodeArgs, encode, encodeThrown } from '../codec/codec.ts'
import type { Assignment } from '../engine/engine.ts'
import { assignmentOf } from '../engine/local/assigned.ts'
import { type FoundArguments, fetchOutcomes, readArguments } from '../engine/local/fetch.ts'
import * as L from '../engine/local/layout.ts'
import type { Port } from '../engine/local/port.ts'
import { shown } from '../errors/bad-input.ts'
import { MobulaError } from '../errors/errors.ts'
import { loadClasses, mayImportAnything, noteClass, takeMissing } from '../functions/classes.ts'
import { loadFunction } from '../functions/load.ts'
import type { Source } from '../functions/record.ts'
import { type ObjectRef, partsOf } from '../refs/object-ref.ts'
import { errorOf } from '../runtime/get.ts'
import { endScope, enter, keepScope, leave, nested, type RunningTask } from '../runtime/running.ts'

type AnyFunction = (...args: unknown[]) => unknown

/** What a source was made into, once for all functions that have it: what one of them captured lives on in the others. */
interface Made {
  /** Shipped as its text. */
  readonly isText: boolean
  /** Undefined while a module is being imported. */
  fn: AnyFunction | undefined
  readonly loading: Promise<AnyFunction> | undefined
}

interface Loaded {
  readonly name: string
  /** How many objects a call returns. */
  readonly returns: number
  readonly made: Made
  /** Its last call returned a promise, or there was none. */
  goesOn: boolean
  /** It is declared so, or a call of it returned a promise. Undefined until its module is there. */
  isAsync: boolean | undefined
}

/** A task that was begun here and has not ended. */
class Begun implements RunningTask {
  readonly port: Port
  readonly slot: number
  readonly generation: number
  readonly function: number
  readonly loaded: Loaded

  constructor(port: Port, at: number, loaded: Loaded) {
    this.port = port
    this.slot = port.words[at] as number
    this.generation = port.words[at + 1] as number
    this.function = port.words[at + 2] as number
    this.loaded = loaded
  }

  get name(): string {
    return this.loaded.name
  }

  get id(): string | undefined {
    return this.port.taskId(this.slot, this.generation)
  }

  get assignment(): Assignment {
    return assignmentOf(this)
  }
}

const NONE: readonly unknown[] = Object.freeze([])
const AS_VIEWS: DecodeOptions = { alias: true, onUnknownClass: noteClass }
const AS_COPIES: DecodeOptions = { alias: false, onUnknownClass: noteClass }

/** Less than fits into a record, whatever it says. */
const SMALL_UNITS = 150

/** The same kind of failure in a few words: a full store keeps its class and code. */
const smallError = (error: unknown): unknown => {
  const message = (error instanceof Error ? error.message : 'the error of the task could not be kept').slice(0, SMALL_UNITS)
  const small = error instanceof MobulaError ? new (error.constructor as typeof MobulaError)(message) : new Error(message)
  small.stack = `${small.name}: ${message}`
  return small
}

/** Settles when the classes that decoding `failed` for are here, if they can be had at all. */
const classesLoaded = async (missing: ReadonlySet<string>, failed: unknown): Promise<void> => {
  if (!(await loadClasses(missing, mayImportAnything))) throw failed
}

/** What `await` would wait for: query builders are such, without being promises. */
const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  (typeof value === 'object' || typeof value === 'function') && value !== null && typeof (value as { then?: unknown }).then === 'function'

/** A function that travels as its text has lost what was around it: the commonest mistake, and V8's message does not tell. */
const explained = (error: unknown, { made: { isText } }: Loaded): unknown => {
  if (!isText || !(error instanceof ReferenceError) || !/^\w+ is not defined$/.test(error.message)) return error
  const { message } = error
  error.message = `${message} in the worker: a remote function travels as its text, without the variables and imports around it. Pass the value as an argument, use await import(…) inside, or name an export by remote.module.`
  error.stack = error.stack?.replace(message, error.message) ?? ''
  return error
}

const makeFunction = (text: string): Made => {
  let isText = false
  try {
    const source = JSON.parse(text) as Source
    isText = source.kind === 'text'
    const fn = loadFunction(source)
    if (typeof fn === 'function') return { isText, fn, loading: undefined }
    const made: Made = { isText, fn: undefined, loading: fn }
    fn.then(
      (loaded) => {
        made.fn = loaded
      },
      // Each call that waits for it reports this.
      () => {},
    )
    return made
  } catch (error) {
    const fn = (): never => {
      throw error
    }
    return { isText, fn, loading: undefined }
  }
}

export class Executor {
  readonly #port: Port
  readonly #functions = new Map<number, Loaded>()
  /** By the first function of each source. */
  readonly #made = new Map<number, Made>()
  /** Tasks claimed here whose functions, or classes of whose arguments, are still being imported. */
  readonly #waiting = new Set<Begun>()
  /** Async tasks that were begun here and have not ended. */
  #inFlight = 0
  readonly #flushOutput: () => void

  constructor(port: Port, flushOutput: () => void) {
    this.#port = port
    this.#flushOutput = flushOutput
  }

  /** No async task waits for its turn in this thread. */
  get isIdle(): boolean {
    return this.#inFlight + this.#waiting.size === 0
  }

  /** Code that blocks this thread holds up no async task. */
  get isFree(): boolean {
    return this.#inFlight === 0
  }

  /** The record at this word of the area is a call of a function that is known to be async. */
  isAsync(at: number): boolean {
    return this.#functions.get(this.#port.words[at + 2] as number)?.isAsync === true
  }

  /** Runs the task of the record at a word of the area. Never throws: whatever happens is the task's result. */
  run(at: number): void {
    const begun = new Begun(this.#port, at, this.#load(this.#port.words[at + 2] as number))
    if (this.#waiting.size > 0 && begun.loaded.made.fn !== undefined) {
      // Its code may hold this thread up for long.
      this.giveBackLoading()
      this.#port.flush()
    }
    let found: FoundArguments
    try {
      found = readArguments(this.#port, at)
    } catch (error) {
      this.#fail(begun, error)
      return
    }
    this.#start(begun, found)
  }

  /**
   * Arguments are decoded when the function's module is there: what they are made of, classes and Arrow's among them, may come with
   * it. Classes that are missing then are imported, too; that takes a turn of the loop, since modules load asynchronously.
   */
  #start(begun: Begun, found: FoundArguments): void {
    const { fn, loading } = begun.loaded.made
    if (fn === undefined) {
      this.#startWhen(loading as Promise<unknown>, begun, found)
      return
    }
    this.#meet(begun)
    const before = enter(begun, begun.loaded.goesOn)
    try {
      let args: unknown[]
      takeMissing()
      try {
        args = this.#decode(found)
      } catch (error) {
        const missing = takeMissing()
        if (missing === undefined) this.#fail(begun, error)
        else this.#startWhen(classesLoaded(missing, error), begun, found)
        return
      }
      this.#call(begun, fn, args)
    } finally {
      leave(before)
    }
  }

  /**
   * When the modules are here the task is queued again: it begins where a CPU is free for it. Begun from here it would run beside the
   * loop's own tasks, and hold up all that wait with it.
   */
  #startWhen(loading: Promise<unknown>, begun: Begun, found: FoundArguments): void {
    for (const ref of [...found.deps, ...found.refs]) ref[Symbol.dispose]()
    this.#waiting.add(begun)
    const goOn = (next: () => void): void => {
      // Given back meanwhile?
      if (!this.#waiting.delete(begun)) return
      next()
      this.#port.flush()
    }
    loading.then(
      () =>
        goOn(() => {
          this.#meet(begun)
          this.#port.handBack(begun.slot, begun.generation)
        }),
      (error: unknown) => goOn(() => this.#fail(begun, error)),
    )
  }

  /** The function is here: what it is declared says where its calls may begin. */
  #meet({ function: id, loaded }: Begun): void {
    if (loaded.isAsync === undefined) this.#note(id, loaded, types.isAsyncFunction(loaded.made.fn))
  }

  #note(id: number, loaded: Loaded, isAsync: boolean): void {
    loaded.isAsync = isAsync
    if (isAsync) this.#port.turnsOutAsync(id)
  }

  /** This thread is about to run code, or to block: what it claimed and cannot begin until its event loop turns is for others. */
  giveBackLoading(): void {
    for (const { slot, generation } of this.#waiting) this.#port.handBack(slot, generation)
    this.#waiting.clear()
  }

  /** Runs the task behind a ref inside of a wait for it, if nobody has begun it and it can end without this thread's loop. */
  help(ref: ObjectRef): void {
    if (!this.#port.take(ref)) return
    const loaded = this.#load(this.#port.words[L.TASKS + 2] as number)
    const { fn } = loaded.made
    if (fn === undefined || types.isAsyncFunction(fn)) {
      const { slot, generation } = partsOf(ref)
      this.#port.handBack(slot, generation)
      this.#port.flush()
      return
    }
    nested(() => this.run(L.TASKS))
    this.#port.flush()
  }

  #load(id: number): Loaded {
    const known = this.#functions.get(id)
    if (known !== undefined) return known
    const record = this.#port.functionRecord(id)
    const first = record?.first ?? id
    const made = this.#made.get(first) ?? makeFunction(record?.source ?? 'null')
    this.#made.set(first, made)
    const loaded: Loaded = { name: record?.name ?? 'task', returns: record?.returns ?? 1, made, goesOn: true, isAsync: undefined }
    this.#functions.set(id, loaded)
    return loaded
  }

  #decode(found: FoundArguments): unknown[] {
    const { carried, deps } = found
    const values = deps.length > 0 ? this.#readDeps(deps) : carried.length > 0 ? carried.map((value) => decode(value, AS_COPIES)) : NONE
    const args = decodeArgs(found, values, found.alias ? AS_VIEWS : AS_COPIES)
    // The values are here; handles left to the collector would keep large objects in the store.
    for (let k = 0; k < deps.length; k++) deps[k]?.[Symbol.dispose]()
    return args
  }

  #readDeps(deps: readonly ObjectRef[]): unknown[] {
    const values = new Array<unknown>(deps.length)
    fetchOutcomes(this.#port, deps, (position, outcome) => {
      if (outcome.state === 'value') values[position] = decode(outcome.value, outcome.value.alias ? AS_VIEWS : AS_COPIES)
      else if (outcome.state === 'pending') throw new Error(`dependency ${position} was reported as settled and is not: please report this`)
      else throw errorOf(outcome, deps[position] as ObjectRef)
    })
    return values
  }

  #call(begun: Begun, fn: AnyFunction, args: unknown[]): void {
    let result: unknown
    let later: Promise<unknown> | undefined
    try {
      result = fn(...args)
      if (isThenable(result)) later = Promise.resolve(result)
    } catch (error) {
      this.#flushOutput()
      this.#fail(begun, error)
      return
    }
    this.#flushOutput()
    if (later === undefined) {
      begun.loaded.goesOn = false
      this.#complete(begun, result)
    } else this.#settle(begun, later)
  }

  #settle(begun: Begun, promise: Promise<unknown>): void {
    this.#hold(1)
    begun.loaded.goesOn = true
    if (begun.loaded.isAsync !== true) this.#note(begun.function, begun.loaded, true)
    keepScope(begun)
    const settled = (report: () => void): void => {
      this.#hold(-1)
      this.#flushOutput()
      report()
      endScope()
      this.#port.flush()
    }
    promise.then(
      (value) => settled(() => this.#complete(begun, value)),
      (error: unknown) => settled(() => this.#fail(begun, error)),
    )
  }

  #hold(more: 1 | -1): void {
    this.#inFlight += more
    this.#port.hold(this.#inFlight)
  }

  #complete(begun: Begun, value: unknown): void {
    const { name, returns } = begun.loaded
    try {
      const first = returns === 1 ? value : this.#completeOthers(begun, value)
      const encoded = encode(first, () => `task '${name}': ${returns === 1 ? 'result' : 'result[0]'}`)
      this.#port.result(begun.slot, begun.generation, encoded, false)
    } catch (error) {
      this.#fail(begun, error)
    }
  }

  /** Hands in all that a task returns but the first, which it gives back. They count when the result is in. */
  #completeOthers({ slot, generation, loaded: { name, returns } }: Begun, value: unknown): unknown {
    if (returns === 0) return undefined
    if (!Array.isArray(value) || value.length !== returns) {
      const got = Array.isArray(value) ? `an array of ${value.length}` : shown(value)
      throw new TypeError(`task '${name}': with numReturns ${returns} the function returns an array of ${returns}, and it returned ${got}`)
    }
    for (let k = 1; k < returns; k++)
      this.#port.furtherReturn(
        slot,
        generation,
        encode(value[k], () => `task '${name}': result[${k}]`),
      )
    return value[0]
  }

  #fail(begun: Begun, error: unknown): void {
    try {
      this.#port.result(begun.slot, begun.generation, encodeThrown(explained(error, begun.loaded)), true)
    } catch (unexpected) {
      // The store had no room for a large error, or the runtime was stopped: one this small lies in the record itself.
      this.#port.result(begun.slot, begun.generation, encodeThrown(smallError(unexpected)), true)
    }
  }
}
