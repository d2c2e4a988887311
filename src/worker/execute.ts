/** Runs one task: reads its record, resolves its arguments, calls its function and reports what came of it. */

import { types } from 'node:util'
import { type DecodeOptions, decode, decodeArgs, encode, encodeThrown } from '../codec/codec.ts'
import { type FoundArguments, type FoundEnv, fetchOutcomes, peekEnv, readArguments } from '../engine/local/fetch.ts'
import * as L from '../engine/local/layout.ts'
import type { Port, Stored } from '../engine/local/port.ts'
import { shown } from '../errors/bad-input.ts'
import { ActorDiedError, MobulaError, TaskCancelledError, TaskTimeoutError } from '../errors/errors.ts'
import { loadMissing, type Missing, mayImportAnything, noteClass, takeMissing } from '../functions/classes.ts'
import { isHome, withHome } from '../functions/handle.ts'
import { type LoadedFunction, loadFunction } from '../functions/load.ts'
import type { Source } from '../functions/record.ts'
import { makeRetryable } from '../functions/retryable.ts'
import { changeStacks, markStack } from '../functions/stacks.ts'
import { type CallNotes, HELD, type TaskNotes } from '../options/task.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { current } from '../runtime/current.ts'
import { errorOf } from '../runtime/get.ts'
import { endScope, enter, keepScope, leave, nested, taskOnStack } from '../runtime/running.ts'
import { Actors, type Instance } from './actors.ts'
import { Begun } from './begun.ts'
import { AFTER_RUN, BEFORE_RUN, BEFORE_SEAL, passes } from './fault-points.ts'
import { InFlight } from './in-flight.ts'
import { iterationOf, Production } from './produce.ts'

type AnyFunction = (...args: unknown[]) => unknown

/** What a source was made into, once for all functions that have it: what one of them captured lives on in the others. */
interface Made {
  /** Undefined while a module is being imported. */
  ready: LoadedFunction | undefined
  readonly loading: Promise<LoadedFunction> | undefined
}

/** What comes of a call: its value; a generator's items, to whom asks for them or as the objects that it returns; nothing at all. */
type Gives = 'value' | 'items' | 'several' | 'nothing'

interface Loaded {
  readonly name: string
  /** How many objects a call returns. */
  readonly returns: number
  readonly gives: Gives
  readonly made: Made
  /** Its last call returned a promise, or there was none. */
  goesOn: boolean
  /** It is declared so, or a call of it returned a promise. Undefined until its module is there. */
  isAsync: boolean | undefined
  readonly notes: TaskNotes
  /** Whether a run that threw this may be tried again. Made when a call throws. */
  isRetryable: ((error: unknown) => boolean) | undefined
  /** Calls that were begun on this thread. */
  calls: number
  /** It belongs to an actor. */
  readonly role: Role | undefined
  /** The method that it calls. */
  readonly method: string
}

/** What a call of an actor's is. */
interface Role {
  readonly instance: Instance
  /** The group of methods that it belongs to. */
  readonly group: number
  /** The constructor gives how many calls may go on at once when it has returned. */
  readonly isConstructor: boolean
}

/** A function's record, as it was defined. */
interface Definition {
  readonly first: number
  readonly name: string
  readonly returns: number
  readonly isStream: boolean
  readonly notes: TaskNotes
  /** The same as it was written. */
  readonly noted: string
  readonly source: Source | undefined
  /** So many objects each call brings along. */
  readonly envs: 0 | 1
  /** All calls are of one function, unless each brings its own along. */
  whole: Loaded | undefined
  /** The one that was called last of those. */
  last: Closure | undefined
  isAsync: boolean | undefined
}

/** A function that came with an object. */
interface Closure {
  readonly definition: Definition
  readonly loaded: Loaded
  readonly env: Stored
}

const NO_NOTES: TaskNotes = {}

type Task = Begun<Loaded>

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

/** Settles when what decoding `failed` for is here, if it can be had at all. */
const missingLoaded = async (missing: Missing, failed: unknown): Promise<void> => {
  if (!(await loadMissing(missing, mayImportAnything))) throw failed
}

/** A function that gives a generator, and is none as far as its caller can see. */
const unseenGenerator = (name: string): TypeError =>
  new TypeError(
    `task '${name}': it returned a running generator, which does not travel; declare it as function*, or, where remote.module or a field names it, say .options({ backpressure: 16 })`,
  )

/** What `await` would wait for: query builders are such, without being promises. */
const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  (typeof value === 'object' || typeof value === 'function') && value !== null && typeof (value as { then?: unknown }).then === 'function'

const NOTHING_READ = (): readonly unknown[] => []

/** `beforeImport`: its module may keep this thread busy while it loads. */
const makeFunction = (source: Source | undefined, read: () => readonly unknown[], beforeImport: () => void): Made => {
  try {
    if (source === undefined) throw new Error('a task of a function that nobody defined: please report this')
    const loaded = loadFunction(source, read)
    if (!(loaded instanceof Promise)) return { ready: loaded, loading: undefined }
    beforeImport()
    const made: Made = { ready: undefined, loading: loaded }
    loaded.then(
      (ready) => {
        made.ready = ready
      },
      // Each call that waits for it reports this.
      () => {},
    )
    return made
  } catch (error) {
    const fn = (): never => {
      throw error
    }
    return { ready: { fn, held: undefined }, loading: undefined }
  }
}

/** Whether a run that threw this may be tried again, as the function's options say, or the class's where it is a method. */
const retryableOf = ({ notes, made, role, method }: Loaded): ((error: unknown) => boolean) => {
  const { retryable } = notes as CallNotes
  if (retryable === 'actor') return makeRetryable(HELD, role?.instance.held)
  if (retryable !== 'static') return makeRetryable(retryable, made.ready?.held)
  return makeRetryable(HELD, role?.instance.retryableOf(method))
}

/** So long after the end of an actor, or of a function, what it kept is looked for, together with what others kept that end meanwhile. */
const FORGET_AFTER_MS = 100

/** So many functions that bring something along are kept before it is asked which of them nobody has any more. */
const CLOSURES_MIN = 8
/** So long after the last new one that is asked anyway, for what they hold: an actor lives as long as that. Then it is asked less and less often. */
const CLOSURES_AFTER_MS = 1_000
const CLOSURES_AFTER_MS_MAX = 60_000
/** Functions that call themselves hold what they bring along, so that nobody can tell whether others do: the oldest go. */
const SELF_CALLING_MAX = 64

export class Executor {
  readonly #port: Port
  readonly #actors = new Actors()
  readonly #definitions = new Map<number, Definition>()
  /** By the first function of each source. */
  readonly #made = new Map<number, Made>()
  /** Functions that bring an object along: by function and object. */
  readonly #closures = new Map<string, Closure>()
  /** Of those the objects of functions that call themselves, by age. */
  readonly #selfCalling = new Set<string>()
  /** The same by object alone. */
  readonly #closuresMade = new Map<string, Made>()
  #closuresMax = CLOSURES_MIN
  #closuresLook: NodeJS.Timeout | undefined
  /** Tasks claimed here whose functions, or classes of whose arguments, are still being imported. */
  readonly #waiting = new Set<Task>()
  /** Actors of which a call is among them, or was in this round. */
  readonly #heldUp = new Set<Instance>()
  /** Async tasks that were begun here and have not ended. */
  readonly #inFlight = new InFlight<Task>()
  #forgetting: NodeJS.Timeout | undefined
  /** Generators among them, by slot. */
  readonly #productions = new Map<number, { readonly generation: number; readonly production: Production }>()
  /** This thread has called a leaky function often enough. */
  #isWorn = false
  readonly #flushOutput: () => void

  constructor(port: Port, flushOutput: () => void) {
    this.#port = port
    this.#flushOutput = flushOutput
  }

  /** No async task waits for its turn in this thread. */
  get isIdle(): boolean {
    return this.#inFlight.size + this.#waiting.size === 0
  }

  /** Code that blocks this thread holds up no async task. */
  get isFree(): boolean {
    return this.#inFlight.size === 0
  }

  /** Nobody wants a task any more that was begun here: its code is told. */
  endTask({ slot, generation }: Stored, isTimeout: boolean): void {
    // Not a run of an instance that is nobody's any more, beside which the same call runs again.
    const isIt = (task: Task): boolean => task.slot === slot && task.generation === generation && task.loaded.role?.instance.isDropped !== true
    for (const task of this.#waiting) {
      // Its code never begins.
      if (!isIt(task)) continue
      this.#waiting.delete(task)
      this.#port.handBack(task)
      this.#giveBackBehind(task)
      this.#port.flush()
      return
    }
    const task = this.#onStack(isIt) ?? this.#inFlight.find(isIt)
    if (task === undefined) return
    const { name } = task
    task.end(isTimeout ? new TaskTimeoutError(`task '${name}' took longer than its timeout`) : new TaskCancelledError(`task '${name}' was cancelled`))
  }

  /** A generator that was begun here may yield more items. */
  resume({ slot, generation }: Stored): void {
    const known = this.#productions.get(slot)
    if (known?.generation === generation) known.production.resume()
  }

  /** Tasks that run inside of each other's waits. */
  #onStack(isIt: (task: Task) => boolean): Task | undefined {
    let task = taskOnStack() as Task | undefined
    while (task !== undefined && !isIt(task)) task = task.outer as Task | undefined
    return task
  }

  /** The record at this word of the area is a call of a function that is known to be async. */
  isAsync(at: number): boolean {
    return this.#definitions.get(this.#port.words[at + 2] as number)?.isAsync === true
  }

  /** Another round of records begins. */
  beginRound(): void {
    this.#heldUp.clear()
  }

  /** The record at a word of the area is no call of an actor's that has to wait for others of the same actor to end. */
  mayBegin(at: number): boolean {
    const { words } = this.#port
    const generation = words[at + L.TASK_ACTOR + 1] as number
    if (generation === 0) return true
    const instance = this.#actors.find({ slot: words[at + L.TASK_ACTOR] as number, generation })
    return instance?.hasRoom(this.#groupOf(this.#define(words[at + 2] as number))) ?? true
  }

  /** A call that was made before others of this actor waits, or did in this round, for the class of an argument. */
  #isHeldUp(instance: Instance): boolean {
    return this.#heldUp.has(instance) || this.#hasWaiting(instance)
  }

  #hasWaiting(instance: Instance): boolean {
    for (const { loaded } of this.#waiting) if (loaded.role?.instance === instance) return true
    return false
  }

  /** A call must not begin before those that were made before it. It waits with them; they have their turns again together. */
  #holdBack(begun: Task, found: FoundArguments, instance: Instance): void {
    for (const ref of [...found.deps, ...found.refs]) ref[Symbol.dispose]()
    if (!this.#hasWaiting(instance)) {
      this.#port.handBack(begun)
      return
    }
    this.#waiting.add(begun)
    this.#port.raw.untime(begun.slot, begun.generation)
  }

  /** One of those that wait does so no more: nor do those that were made after it. */
  #giveBackBehind({ loaded: { role } }: Task): void {
    if (role !== undefined) this.#giveBack(({ loaded }) => loaded.role?.instance === role.instance)
  }

  #groupOf({ notes }: Definition): number {
    return (notes as CallNotes).group ?? 0
  }

  /** Nobody wants an actor any more that lives here. */
  dropActor(key: Stored): void {
    this.#drop(key)
    this.#forgetSoon()
  }

  /** What nobody has any more is let go of when the collector finds it. */
  #forgetSoon(): void {
    this.#forgetting ??= setTimeout(() => {
      this.#forgetting = undefined
      this.#port.forget(() => this.#port.flush())
    }, FORGET_AFTER_MS).unref()
  }

  /** Nobody wants an instance any more: its code is told. */
  #drop(key: Stored): void {
    const dropped = this.#actors.drop(key)
    if (dropped === undefined) return
    const calls = this.#inFlight.filter(({ loaded: { role } }) => role?.instance === dropped)
    for (const call of calls) call.end(new ActorDiedError(`actor ${dropped.name} has ended`, { reason: 'killed' }))
  }

  /** Runs the task of the record at a word of the area. Never throws: whatever happens is the task's result. */
  run(at: number): void {
    const definition = this.#define(this.#port.words[at + 2] as number)
    let found: FoundArguments
    try {
      found = readArguments(this.#port, at, definition.envs)
    } catch (error) {
      this.#fail(new Begun<Loaded>(this.#port, at, this.#broken(definition, error)), error)
      return
    }
    const loaded = this.#loadAny(definition, at, found.env)
    if (loaded === undefined) {
      // Its actor is gone from here; whoever ended it has seen to the call.
      const { words } = this.#port
      this.#port.letGoOfCall({ slot: words[at] as number, generation: words[at + 1] as number, birth: words[at + L.TASK_BIRTH] as number })
      for (const ref of [...found.deps, ...found.refs]) ref[Symbol.dispose]()
      return
    }
    const begun = new Begun<Loaded>(this.#port, at, loaded)
    const { role } = loaded
    if (role !== undefined && !role.isConstructor && this.#isHeldUp(role.instance)) {
      this.#holdBack(begun, found, role.instance)
      return
    }
    if (this.#waiting.size > 0 && begun.loaded.made.ready !== undefined) {
      // Its code may hold this thread up for long. Calls of actors run nowhere else, and keep their place before those that follow.
      this.#giveBack(({ loaded: { role } }) => role === undefined)
      this.#port.flush()
    }
    this.#start(begun, found)
  }

  /**
   * Arguments are decoded when the function's module is there: what they are made of, classes and Arrow's among them, may come with
   * it. Classes that are missing then are imported, too; that takes a turn of the loop, since modules load asynchronously.
   */
  #start(begun: Task, found: FoundArguments): void {
    const { ready, loading } = begun.loaded.made
    if (ready === undefined) {
      this.#startWhen(loading as Promise<unknown>, begun, found)
      return
    }
    this.#meet(begun)
    const before = enter(begun, begun.loaded.goesOn)
    begun.outer = before
    try {
      let args: unknown[]
      takeMissing()
      try {
        args = this.#decode(found)
      } catch (error) {
        const missing = takeMissing()
        if (missing === undefined) this.#fail(begun, error)
        else this.#startWhen(missingLoaded(missing, error), begun, found)
        return
      }
      if (begun.ended !== undefined) this.#fail(begun, begun.ended)
      else if (passes(this.#port, BEFORE_RUN)) {
        this.#port.handBack(begun)
        return
      } else this.#call(begun, ready.fn, args)
    } finally {
      leave(before)
    }
    this.#count(begun.loaded)
  }

  /**
   * When the modules are here the task is queued again: it begins where a CPU is free for it. Begun from here it would run beside the
   * loop's own tasks, and hold up all that wait with it.
   */
  #startWhen(loading: Promise<unknown>, begun: Task, found: FoundArguments): void {
    for (const ref of [...found.deps, ...found.refs]) ref[Symbol.dispose]()
    this.#waiting.add(begun)
    if (begun.loaded.role !== undefined) this.#heldUp.add(begun.loaded.role.instance)
    this.#port.raw.untime(begun.slot, begun.generation)
    const goOn = (next: () => void): void => {
      // Given back meanwhile?
      if (!this.#waiting.delete(begun)) return
      next()
      this.#giveBackBehind(begun)
      this.#port.flush()
    }
    loading.then(
      () =>
        goOn(() => {
          this.#meet(begun)
          this.#port.handBack(begun)
        }),
      (error: unknown) => goOn(() => this.#fail(begun, error)),
    )
  }

  /** The function is here: what it is declared says where its calls may begin. */
  #meet({ function: id, loaded }: Task): void {
    if (loaded.isAsync === undefined) this.#note(id, loaded, types.isAsyncFunction(loaded.made.ready?.fn))
  }

  #note(id: number, loaded: Loaded, isAsync: boolean): void {
    loaded.isAsync = isAsync
    if (loaded.role !== undefined) return
    this.#define(id).isAsync = isAsync
    if (isAsync) this.#port.turnsOutAsync(id)
  }

  /** This thread is about to block: what it claimed and cannot begin until its event loop turns is for others. */
  giveBackLoading(): void {
    this.#giveBack(() => true)
  }

  #giveBack(which: (task: Task) => boolean): void {
    for (const task of this.#waiting) {
      if (!which(task)) continue
      this.#waiting.delete(task)
      this.#port.handBack(task)
    }
  }

  /**
   * Runs a task inside of a wait for it, if nobody has begun it and it can end without this thread's loop. Of an actor that lives here first
   * what goes before the call. Gives why a call that runs nowhere else cannot run inside of the wait.
   */
  help(wanted: Stored): string | undefined {
    const { words } = this.#port
    while (this.#port.take(wanted)) {
      const run = { slot: words[L.TASKS] as number, generation: words[L.TASKS + 1] as number, birth: words[L.TASKS + L.TASK_BIRTH] as number }
      const isWanted = run.slot === wanted.slot && run.generation === wanted.generation
      const refusal = run.birth === 0 ? this.#needsLoop() : this.#callNeedsLoop(isWanted)
      if (refusal !== undefined) {
        this.#port.handBack(run)
        this.#port.flush()
        return run.birth === 0 ? undefined : refusal
      }
      nested(() => this.run(L.TASKS))
      this.#port.flush()
      if (isWanted || run.birth === 0) return undefined
    }
    return undefined
  }

  /** Why the task of the first record cannot end inside of a wait. */
  #needsLoop(): string | undefined {
    const definition = this.#define(this.#port.words[L.TASKS + 2] as number)
    const env = definition.envs === 1 ? peekEnv(this.#port, L.TASKS) : undefined
    const canRun = definition.envs === 0 || env !== undefined
    const ready = canRun ? this.#load(definition, L.TASKS, env).made.ready : undefined
    if (ready === undefined) return `the module of '${definition.name}' has to be imported first, by the same thread`
    // A generator may have to wait until somebody takes its items.
    const isAsync = definition.isStream || types.isAsyncFunction(ready.fn)
    return isAsync ? `'${definition.name}' is async` : undefined
  }

  /** The same of an actor's. What goes before the call that is waited for only has to begin. */
  #callNeedsLoop(isWanted: boolean): string | undefined {
    const { words } = this.#port
    const key = { slot: words[L.TASKS + L.TASK_ACTOR] as number, generation: words[L.TASKS + L.TASK_ACTOR + 1] as number }
    if (words[L.TASKS] === key.slot && words[L.TASKS + 1] === key.generation) return this.#needsLoop()
    const definition = this.#define(words[L.TASKS + 2] as number)
    const instance = this.#actors.find(key)
    if (instance !== undefined && this.#isHeldUp(instance))
      return `a call before '${definition.name}' has an argument whose class has to be imported first, by the same thread`
    if (!isWanted) return undefined
    const { name = '' } = definition.source as { readonly name?: string }
    const isAsync = definition.isStream || types.isAsyncFunction(instance?.value?.[name])
    return isAsync ? `'${definition.name}' is async and lives on the same thread` : undefined
  }

  #define(id: number): Definition {
    let definition = this.#definitions.get(id)
    if (definition === undefined) {
      const record = this.#port.functionRecord(id)
      const source = record === null || record === undefined ? undefined : (JSON.parse(record.source) as Source)
      definition = {
        first: record?.first ?? id,
        name: record?.name ?? 'task',
        returns: record?.returns ?? 1,
        isStream: record?.isStream ?? false,
        notes: record?.notes ? (JSON.parse(record.notes) as TaskNotes) : NO_NOTES,
        noted: record?.notes ?? '',
        source,
        envs: source?.env === true ? 1 : 0,
        whole: undefined,
        last: undefined,
        isAsync: undefined,
      }
      this.#definitions.set(id, definition)
    }
    return definition
  }

  #loadAny(definition: Definition, at: number, env: FoundEnv | undefined): Loaded | undefined {
    const { words } = this.#port
    const generation = words[at + L.TASK_ACTOR + 1] as number
    if (generation === 0) return this.#load(definition, at, env)
    const key = { slot: words[at + L.TASK_ACTOR] as number, generation }
    const isConstructor = words[at] === key.slot && words[at + 1] === generation
    return isConstructor ? this.#loadConstructor(key, definition, at, env) : this.#loadMethod(key, definition, at, env)
  }

  /** What makes the instance. The class itself, if its module is not here yet. */
  #loadConstructor(key: Stored, definition: Definition, at: number, env: FoundEnv | undefined): Loaded {
    const loaded = this.#load(definition, at, env)
    const { ready } = loaded.made
    if (ready === undefined) return loaded
    const classId = this.#port.words[at + 2] as number
    const name = current()?.engine.nameOfActor(key)?.name
    const restarts = this.#port.raw.attempt(key.slot, key.generation)
    // If there is an instance of it, that is from before.
    this.#drop(key)
    const instance = this.#actors.add(key, { classId, notes: definition.noted, name, restarts, held: ready.held })
    const fn: AnyFunction = (...args) => {
      const Class = ready.fn as unknown as new (...args: unknown[]) => unknown
      instance.constructed(Class, new Class(...args))
    }
    const role: Role = { instance, group: 0, isConstructor: true }
    return { ...this.#loaded(definition, { ready: { fn, held: ready.held }, loading: undefined }), name: `${definition.name}.constructor`, role }
  }

  #loadMethod(key: Stored, definition: Definition, at: number, env: FoundEnv | undefined): Loaded | undefined {
    const instance = this.#actors.find(key)
    if (instance === undefined) return undefined
    const id = this.#port.words[at + 2] as number
    const known = env === undefined ? (instance.methods.get(id) as Loaded | undefined) : undefined
    if (known !== undefined) return known
    const { name = '' } = definition.source as { readonly name?: string }
    const fn: AnyFunction = (...args) => instance.call(name, args)
    const held = env === undefined ? undefined : this.#load(definition, at, env).made.ready?.held
    const role: Role = { instance, group: this.#groupOf(definition), isConstructor: false }
    const loaded: Loaded = { ...this.#loaded(definition, { ready: { fn, held }, loading: undefined }), role, method: name }
    if (env === undefined) instance.methods.set(id, loaded)
    return loaded
  }

  /** The function of the record at a word of the area; with what it brings along, if it does. */
  #load(definition: Definition, at: number, env: FoundEnv | undefined): Loaded {
    if (env === undefined) {
      definition.whole ??= this.#loadWhole(definition, at)
      return definition.whole
    }
    const { last } = definition
    if (last !== undefined && last.env.slot === env.slot && last.env.generation === env.generation) return last.loaded
    const object = `${env.slot}:${env.generation}`
    const key = `${this.#port.words[at + 2]}:${object}`
    let known = this.#closures.get(key)
    if (known === undefined) {
      if (this.#closures.size >= this.#closuresMax) this.forgetClosures()
      this.#lookAtClosures(CLOSURES_AFTER_MS)
      let made = this.#closuresMade.get(object)
      if (made === undefined) {
        made = this.#makeClosure(definition, at, env)
        this.#closuresMade.set(object, made)
      }
      known = { definition, loaded: this.#loaded(definition, made), env: { slot: env.slot, generation: env.generation } }
      this.#closures.set(key, known)
    }
    definition.last = known
    return known.loaded
  }

  #loadWhole(definition: Definition, at: number): Loaded {
    const { first, source } = definition
    const made = this.#made.get(first) ?? makeFunction(source, NOTHING_READ, () => this.#untime(at))
    this.#made.set(first, made)
    return this.#loaded(definition, made)
  }

  #untime(at: number): void {
    const { words } = this.#port
    this.#port.raw.untime(words[at] as number, words[at + 1] as number)
  }

  #makeClosure({ source }: Definition, at: number, env: FoundEnv): Made {
    const [ref] = this.#port.readRefs(env.words, env.at, 1) as [ObjectRef]
    const [slot, generation] = [this.#port.words[at] as number, this.#port.words[at + 1] as number]
    const read = (): readonly unknown[] => withHome(ref, () => this.#readEnv(ref))
    const made = makeFunction(source, read, () => this.#port.raw.untime(slot, generation))
    // Calls hold the object; this thread does so only for functions that call themselves.
    const letGo = (): void => {
      if (isHome(ref)) this.#selfCalling.add(`${env.slot}:${env.generation}`)
      else ref[Symbol.dispose]()
    }
    if (made.loading === undefined) letGo()
    else made.loading.then(letGo, letGo)
    return made
  }

  #readEnv(ref: ObjectRef): readonly unknown[] {
    let values: readonly unknown[] | undefined
    fetchOutcomes(this.#port, [ref], (_position, outcome) => {
      if (outcome.state === 'value') values = decode(outcome.value, outcome.value.alias ? AS_VIEWS : AS_COPIES) as readonly unknown[]
      else if (outcome.state !== 'pending') throw errorOf(outcome, ref)
    })
    if (values === undefined) throw new Error('what a function takes along was reported as stored and is not: please report this')
    return values
  }

  /** What nobody can call any more goes, with all that it holds. */
  forgetClosures(): void {
    const tooOld = new Set([...this.#selfCalling].slice(0, Math.max(0, this.#selfCalling.size - SELF_CALLING_MAX)))
    for (const [key, closure] of this.#closures) {
      const { definition, env } = closure
      const object = `${env.slot}:${env.generation}`
      if (this.#port.raw.exists(env.slot, env.generation) && !tooOld.has(object)) continue
      if (definition.last === closure) definition.last = undefined
      this.#closures.delete(key)
      this.#closuresMade.delete(object)
      this.#selfCalling.delete(object)
    }
    this.#closuresMax = Math.max(CLOSURES_MIN, this.#closures.size * 2)
  }

  /** Nobody tells a thread that something of it is nobody's any more, and one that has nothing to do meets no new ones. */
  #lookAtClosures(after: number): void {
    clearTimeout(this.#closuresLook)
    this.#closuresLook = setTimeout(() => {
      if (this.#port.isStopped) return
      const before = this.#closures.size
      this.forgetClosures()
      if (this.#closures.size < before) this.#forgetSoon()
      if (this.#closures.size > 0) this.#lookAtClosures(Math.min(2 * after, CLOSURES_AFTER_MS_MAX))
    }, after).unref()
  }

  #loaded({ name, returns, isStream, notes }: Definition, made: Made): Loaded {
    const gives = isStream ? 'items' : notes.isSeveral === true ? 'several' : returns === 0 ? 'nothing' : 'value'
    return { name, returns, gives, made, goesOn: true, isAsync: undefined, notes, isRetryable: undefined, calls: 0, role: undefined, method: '' }
  }

  /** For a task of which nothing could be read. */
  #broken(definition: Definition, error: unknown): Loaded {
    const fn = (): never => {
      throw error
    }
    return this.#loaded(definition, { ready: { fn, held: undefined }, loading: undefined })
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

  #call(begun: Task, fn: AnyFunction, args: unknown[]): void {
    let result: unknown
    let later: Promise<unknown> | undefined
    try {
      const { gives, role, method } = begun.loaded
      // As they are: to take them apart and together again costs a tenth of a small call.
      result = role === undefined || role.isConstructor ? fn(...args) : role.instance.call(method, args)
      if (gives !== 'value' && (gives !== 'nothing' || types.isGeneratorObject(result))) {
        this.#produce(begun, result)
        return
      }
      if (isThenable(result)) later = Promise.resolve(result)
    } catch (error) {
      this.#flushOutput()
      passes(this.#port, AFTER_RUN)
      this.#fail(begun, error, this.#isRetryable(begun, error))
      return
    }
    this.#flushOutput()
    if (later === undefined) {
      begun.loaded.goesOn = false
      passes(this.#port, AFTER_RUN)
      this.#complete(begun, result)
    } else this.#settle(begun, later)
  }

  #settle(begun: Task, promise: Promise<unknown>): void {
    begun.loaded.goesOn = true
    if (begun.loaded.isAsync !== true) this.#note(begun.function, begun.loaded, true)
    const settled = this.#goOn(begun)
    promise.then(
      (value) => settled(() => this.#complete(begun, value)),
      (error: unknown) => settled(() => this.#fail(begun, error, this.#isRetryable(begun, error))),
    )
  }

  /** A generator is gone through, for those who ask for its items. */
  #produce(begun: Task, result: unknown): void {
    const { name, returns, gives } = begun.loaded
    const iteration = iterationOf(result)
    if (iteration === undefined)
      throw new TypeError(
        `task '${name}': a function that is called with the option backpressure returns a generator, and this one returned ${shown(result)}; leave the option out`,
      )
    begun.loaded.goesOn = true
    const settled = this.#goOn(begun)
    const end = (report: () => void): void => {
      // A run whose instance was lost may end when the next has begun here, under the same number.
      if (this.#productions.get(begun.slot)?.production === production) this.#productions.delete(begun.slot)
      settled(report)
    }
    const production: Production = new Production(this.#port, begun, {
      iteration,
      ending: {
        returned: (value) => end(() => (gives === 'several' ? this.#completeAs(begun, undefined) : this.#complete(begun, value))),
        threw: (error) => end(() => this.#fail(begun, error, this.#isRetryable(begun, error))),
      },
      most: gives === 'several' ? returns : gives === 'nothing' ? 0 : undefined,
      beforeHandIn: this.#flushOutput,
    })
    this.#productions.set(begun.slot, { generation: begun.generation, production })
    production.start()
  }

  /** The code of a task goes on after it has returned. What is given is to be called when it has ended. */
  #goOn(begun: Task): (report: () => void) => void {
    const { role } = begun.loaded
    this.#inFlight.add(begun)
    role?.instance.goesOn(role.group)
    this.#port.hold(this.#inFlight.size)
    keepScope(begun)
    return (report) => {
      this.#inFlight.delete(begun)
      role?.instance.ended(role.group)
      this.#port.hold(this.#inFlight.size)
      this.#flushOutput()
      passes(this.#port, AFTER_RUN)
      if (role?.instance.isDropped === true) this.#port.letGoOfCall(begun)
      else report()
      endScope()
      // Others may end with the very same turn of the loop, and are handed in together.
      if (this.isFree) this.#port.flush()
      else this.#port.flushSoon()
      this.#endThread()
    }
  }

  /** A worker that has called a leaky function often enough ends, when nothing that it has begun is unfinished. */
  #count(loaded: Loaded): void {
    const { maxCalls } = loaded.notes
    if (maxCalls !== undefined) {
      loaded.calls += 1
      this.#isWorn ||= loaded.calls >= maxCalls
    }
    if (this.#isWorn) this.#endThread()
  }

  /** Not before: what its tasks wait for may need this very thread. Not at once: results must be handed in, and who called may have more to do. */
  #endThread(): void {
    if (!this.#isWorn || !this.isIdle || taskOnStack() !== undefined) return
    this.#port.raw.resign()
    this.#port.flush()
    setImmediate(() => process.exit(0))
  }

  #complete(begun: Task, value: unknown): void {
    const { name, returns, role } = begun.loaded
    if (role?.isConstructor === true) {
      this.#port.result(begun, encode(undefined, name), L.HOW_DONE, role.instance.limit)
      return
    }
    try {
      const first = returns === 1 ? value : this.#completeOthers(begun, value)
      const encoded = encode(first, () => `task '${name}': ${returns === 1 ? 'result' : 'result[0]'}`)
      passes(this.#port, BEFORE_SEAL)
      this.#port.result(begun, encoded, L.HOW_DONE)
    } catch (error) {
      this.#fail(begun, types.isGeneratorObject(value) ? unseenGenerator(name) : error)
    }
  }

  /** Its objects are there already, and its own is nobody's. */
  #completeAs(begun: Task, value: unknown): void {
    this.#port.result(begun, encode(value, begun.loaded.name), L.HOW_DONE)
  }

  /** Hands in all that a task returns but the first, which it gives back. They count when the result is in. */
  #completeOthers(begun: Task, value: unknown): unknown {
    const { name, returns } = begun.loaded
    if (returns === 0) return undefined
    if (!Array.isArray(value) || value.length !== returns) {
      const got = Array.isArray(value) ? `an array of ${value.length}` : shown(value)
      throw new TypeError(`task '${name}': with numReturns ${returns} the function returns an array of ${returns}, and it returned ${got}`)
    }
    for (let k = 1; k < returns; k++)
      this.#port.furtherReturn(
        begun,
        encode(value[k], () => `task '${name}': result[${k}]`),
      )
    return value[0]
  }

  #fail(begun: Task, error: unknown, isRetryable = false): void {
    const { role } = begun.loaded
    if (role?.isConstructor === true) this.#drop(role.instance.key)
    const how = isRetryable ? L.HOW_FAILED_AGAIN : L.HOW_FAILED
    try {
      changeStacks(error, markStack)
      this.#port.result(begun, encodeThrown(error), how)
    } catch (unexpected) {
      // The store had no room for a large error, or the runtime was stopped: one this small lies in the record itself.
      this.#port.result(begun, encodeThrown(smallError(unexpected)), how)
    }
  }

  /** Whether the function's options let it run again after this error; no, if nobody wants it any more, or the question fails. */
  #isRetryable({ loaded, ended }: Task, error: unknown): boolean {
    if (loaded.notes.retryable === undefined || ended !== undefined) return false
    try {
      loaded.isRetryable ??= retryableOf(loaded)
      return loaded.isRetryable(error)
    } catch (failure) {
      process.emitWarning(`options.retryExceptions of task '${loaded.name}' threw, so it is not run again: ${String(failure)}`, 'MobulaWarning')
      return false
    }
  }
}
