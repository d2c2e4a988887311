/** The seam below the API: what any engine does for it. Batch-first, and one-way except where a promise is returned. */

import type { DeadlockError } from '../errors/errors.ts'
import type { ActorTerms } from '../options/actor.ts'
import type { ObjectRef, RefParts } from '../refs/object-ref.ts'

/** Encoded bytes and where each piece of them goes; refs lie outside of the bytes. */
export interface EncodedValue {
  readonly byteLength: number
  readonly refs: readonly ObjectRef[]
  readonly pieces: readonly { readonly at: number; readonly bytes: Uint8Array }[]
  writeTo(target: Memory, at: number): void
}

/** Memory as bytes and as words, from the same start. */
export interface Memory {
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

export interface EncodedArguments extends EncodedValue {
  /** Top-level refs: resolved before the task starts. */
  readonly deps: readonly ObjectRef[]
}

/** A defined function, class or method, and an object that each of its calls holds until it has ended: a worker finds it behind the refs of the arguments. */
export interface Callee {
  readonly id: number
  readonly env: ObjectRef | undefined
}

/** A value whose last bytes, from `at` on, are written in place. */
export interface BlankValue {
  readonly byteLength: number
  readonly at: number
  readonly prefix: Uint8Array
}

/** Memory that nobody else sees until it is sealed. Both ends detach the buffer. */
export interface EngineDraft {
  readonly buffer: ArrayBuffer
  seal(): ObjectRef
  abandon(): void
}

/** A function as an engine ships it, and on what terms its calls run; amounts in parts of 1/10,000. */
export interface FunctionRecord {
  readonly name: string
  readonly source: string
  /** It is declared `async`. */
  readonly isAsync: boolean
  readonly cpu: number
  readonly gpu: number
  readonly named: readonly { readonly name: string; readonly parts: number }[]
  /** -1, 0 or 1: higher first. */
  readonly priority: number
  /** How many objects each call returns. */
  readonly returns: number
  /** How often each call may be run again, after its worker died or it threw what may be tried again; -1: for ever. */
  readonly retries: number
  /** Milliseconds that one run may take. */
  readonly limit: number | undefined
  /** What the workers have to know besides, as text. */
  readonly notes: string
  /** It is a class. */
  readonly actor?: ActorTerms
  /** It is a method of an actor's. */
  readonly isMethod?: boolean
  /** Its calls are streams: so many items at most are there that nobody has taken. */
  readonly stream?: number
}

/** Whom a call is for. */
export interface Addressee {
  readonly actor: RefParts
  /** The group of methods, by number; 0: none is named. */
  readonly group: number
}

/** An actor that was created or found: its ref, and the number of its class. */
export interface FoundActor {
  readonly ref: ObjectRef
  readonly classId: number
}

/** Why an actor has ended. */
export type ActorReason = 'killed' | 'exited' | 'out of scope' | 'crashed' | 'neighbour' | 'constructor'

/** One run of a task; for one that was not begun, what there is of it. Times are milliseconds since 1970. */
export interface TaskRun {
  /** The id of the ref that the call returned. */
  readonly id: string
  readonly name: string
  /** How often the task had been begun before, in vain. */
  readonly attempt: number
  /** The number of the thread that it ran on. */
  readonly worker?: number
  readonly outcome:
    | 'waiting'
    | 'queued'
    | 'running'
    | 'returned'
    | 'threw'
    | 'died'
    | 'cancelled'
    | 'timed out'
    | 'freed'
    | 'lost'
    | 'upstream failed'
    | 'no worker'
  readonly submitted: number
  /** When all that it depends on was there, or when it was queued again. */
  readonly ready?: number
  readonly started?: number
  readonly finished?: number
}

/** One instance of an actor; for one that was not made, what there is of it. Times are milliseconds since 1970. */
export interface ActorInstance {
  /** The actor's. */
  readonly id: string
  readonly className: string
  /** If it was given one. */
  readonly name?: string
  /** Of that. */
  readonly namespace?: string
  /** How often the actor was made before. */
  readonly restarts: number
  /** The number of the thread that it has, or had last. */
  readonly worker?: number
  /** The last two are over: the actor is made anew after the one, and not after the other. */
  readonly stage: 'waiting' | 'unplaced' | 'starting' | 'alive' | 'lost' | 'ended'
  /** Why it is over. */
  readonly reason?: ActorReason
  /** What there is to say of that. */
  readonly text: string
  /** When the actor was created, or lost the instance before. */
  readonly wanted: number
  /** When its constructor had returned. */
  readonly alive?: number
  readonly gone?: number
}

export interface CancelRequest {
  readonly task: RefParts
  /** A thread that does not let go of the task is given up. */
  readonly force: boolean
  /** With all tasks that it submitted. */
  readonly recursive: boolean
}

/** What the code of a task may use. */
export interface Assignment {
  /** By name, `CPU` and `GPU` among them; what it does not use at all is not there. */
  readonly assignedResources: Readonly<Record<string, number>>
  /** GPUs by number. */
  readonly gpuIds: readonly number[]
}

/** A resource, in parts of 1/10,000. */
export interface ResourceFigure {
  readonly name: string
  readonly total: number
  readonly available: number
}

/** Where an encoded value lies. */
export interface FoundValue {
  readonly region: Memory
  readonly at: number
  readonly byteLength: number
  readonly refs: readonly ObjectRef[]
  /** The bytes stay as long as someone holds their buffer; others may be read until the visitor returns. */
  readonly alias: boolean
}

/** What an object came to. */
export type Outcome =
  | { readonly state: 'pending' }
  | { readonly state: 'value'; readonly value: FoundValue }
  | { readonly state: 'thrown'; readonly value: FoundValue; readonly taskName: string; readonly attempt: number }
  | { readonly state: 'crashed'; readonly exitCode: number | null; readonly text: string; readonly taskName: string; readonly attempt: number }
  | { readonly state: 'cancelled'; readonly taskName: string; readonly attempt: number }
  /** `limit` is in milliseconds. */
  | { readonly state: 'timed-out'; readonly limit: number; readonly taskName: string; readonly attempt: number }
  | { readonly state: 'actor-died'; readonly reason: ActorReason; readonly text: string; readonly actorName: string }
  /** Its constructor threw. */
  | { readonly state: 'actor-broken'; readonly value: FoundValue; readonly actorName: string }
  | { readonly state: 'actor-unavailable'; readonly text: string }
  | { readonly state: 'setup'; readonly text: string }
  /** It is there, but its bytes could not be had: what `error` says. */
  | { readonly state: 'unreadable'; readonly error: unknown }
  | { readonly state: 'gone' }
  | { readonly state: 'freed' }
  | { readonly state: 'lost' }

/** What is in the slot of a stream's item. */
export type ItemState = 'pending' | 'there' | 'end'

/** How a wait ended. An error: it could never have ended by itself. `failed`: one of the awaited objects failed, and the wait was to end with the first failure. */
export type WaitStatus = 'ready' | 'failed' | 'ended' | 'stopped' | DeadlockError

export interface PendingWait {
  readonly done: Promise<WaitStatus>
  /** Ends the wait now: `done` resolves with `ended`. */
  end(): void
}

export interface WaitRequest {
  readonly refs: readonly ObjectRef[]
  /** So many settled objects end the wait; undefined: all of them, or the first failure. */
  readonly count?: number
  /** The task whose code waits without a time limit: others may wait for that. */
  readonly owner?: TaskKey | undefined
}

export interface EngineFigures {
  readonly [name: string]: number
}

/** Stored objects of one origin: what was put, what tasks of one name returned, or the arguments of such that have not ended. */
export interface Holding {
  readonly kind: 'put' | 'result' | 'arguments'
  /** The task's; empty for what was put. */
  readonly name: string
  readonly objects: number
  readonly bytes: number
}

/** Where an engine has a task or an actor. */
export interface TaskKey {
  readonly slot: number
  readonly generation: number
}

export interface ActorName {
  readonly namespace: string
  readonly name: string
}

export interface Engine {
  /** Tells refs of this engine's runtime from those of others. */
  readonly runtime: number
  /** Makes a function known. Warns, once, where its calls can never run. */
  define(record: FunctionRecord): number
  submit(callee: Callee, args: EncodedArguments, to?: Addressee): ObjectRef
  /** The same for a function that returns several objects, 2 or more. */
  submitMany(callee: Callee, args: EncodedArguments, returns: number, to?: Addressee): ObjectRef[]
  /** Creates an actor of a class; with a name, only if there is none of that name, which is found else. */
  createActor(Class: Callee, args: EncodedArguments, name?: ActorName): FoundActor & { readonly isNew: boolean }
  findActor(name: ActorName): FoundActor | undefined
  nameOfActor(actor: TaskKey): ActorName | undefined
  /** The record of a function or a class. */
  definition(id: number): { readonly name: string; readonly notes: string } | undefined
  killActor(actor: RefParts, noRestart: boolean): void
  /** The same by the actor's own code, of this birth. */
  exitActor(actor: TaskKey, birth: number): void
  /** The public id of an actor that has not ended. */
  idOfActor(actor: TaskKey): string | undefined
  /** One handle more to the actor whose code runs here; undefined: it has ended. */
  refOfActor(actor: TaskKey): ObjectRef | undefined
  /** Whether one more call of an actor may be made. */
  hasRoomForCall(actor: RefParts): boolean
  /** True for a call of an actor's that has not ended. */
  isActorCall(call: RefParts): boolean
  /** True if nobody but the actor itself has a handle to it any more, or if it has ended. */
  isUnheld(actor: RefParts): boolean
  /** Whether one more task may be submitted. */
  hasRoom(): boolean
  put(value: EncodedValue): ObjectRef
  /** Memory to write a value into; throws where there is no room. */
  draft(blank: BlankValue): EngineDraft
  /** The runtime was stopped: nothing is waited for, and nothing can be asked for any more. */
  readonly isStopped: boolean
  /** Ends a task, if it has not ended. */
  cancel(request: CancelRequest): void
  /** True if the task behind a ref has ended, for whoever keeps lists of those that have not. */
  isOver(parts: RefParts): boolean
  /** The next item of a stream, which the ref of its task names: a ref, or in its place the end. It is asked for with the next crossing. */
  nextItem(stream: RefParts): ObjectRef
  /** One more of the items that were asked for is taken: there is room for another, from the next crossing on. */
  tookItem(stream: RefParts): void
  /** What is in the slot of an item, now. */
  itemState(item: ObjectRef): ItemState
  /** Nobody asks for items any more: they are let go of, and the task is cancelled if it has not ended. */
  leaveStream(stream: RefParts): void
  /** One more ref to the same object. */
  again(ref: ObjectRef): ObjectRef
  /** Deletes the values now, whoever refers to them; later fetches say so. */
  free(refs: readonly ObjectRef[]): void
  wait(request: WaitRequest): PendingWait
  /** Tells once when the object is settled. It begins with the next `flush`, or whatever else crosses. The number is for `endWatch`. */
  watch(ref: ObjectRef, then: (status: WaitStatus) => void, owner?: TaskKey): number
  /** Ends a watch that has not told yet; it tells `ended`. */
  endWatch(watch: number): void
  flush(): void
  /** Blocks this thread until the wait is over or the time is; false: it timed out. */
  waitSync(request: WaitRequest, timeout: number): boolean
  /** Visits the outcome of each ref, in order, now. */
  fetch(refs: readonly ObjectRef[], visit: (position: number, outcome: Outcome) => void): void
  /** Visits the positions of those refs that are settled, in order, now. */
  settled(refs: readonly ObjectRef[], visit: (position: number) => void): void
  figures(): EngineFigures
  /** CPU and GPU first. */
  resources(): readonly ResourceFigure[]
  /** Stored objects by origin, the largest first. Walks all of them. */
  holdings(): readonly Holding[]
  /** The last runs of all tasks and those that have not ended, in the order of their submission. Walks all of them. */
  runs(): readonly TaskRun[]
  /** The last instances of all actors and those that are there, in the order in which they were wanted. Walks all tasks and objects. */
  instances(): readonly ActorInstance[]
  /** To how many objects each isolate has handles, as of its last crossing: the driver's first. */
  handles(): readonly number[]
  /** Asks all isolates for a major collection; the figure `collecting` counts those that have not done it. */
  askToCollect(): void
  stop(): Promise<void>
}
