/** One isolate's door to the local engine: writes records into its area, reads the answers, and crosses as seldom as it can. */

import { attach, functionRecord, type RawPort, turnsOutAsync } from '../../binding.ts'
import { DeadlockError } from '../../errors/errors.ts'
import { fromCode, isFull } from '../../errors/from-code.ts'
import { ObjectRef, type Origin, partsOf, type RefParts, setDispose } from '../../refs/object-ref.ts'
import type {
  ActorName,
  Addressee,
  BlankValue,
  Callee,
  EncodedArguments,
  EncodedValue,
  EngineDraft,
  FoundActor,
  Memory,
  WaitRequest,
  WaitStatus,
} from '../engine.ts'
import { soon } from '../microtask.ts'
import { collectHere } from './collect.ts'
import { Forgotten } from './forgotten.ts'
import { Handles, NOWHERE, SMALL_MAX } from './handles.ts'
import './hold.ts'
import { largestHolders } from './holders.ts'
import * as L from './layout.ts'
import { randomPair } from './random.ts'
import { Views } from './views.ts'

/** No function has this number. */
const NO_FUNCTION: number = 2 ** 32 - 1

/** Refs or keys that one record carries; longer tables take several. */
const TABLE_MAX = 2048

/** Taken before users' code can put another in its place. */
const now: () => number = performance.now.bind(performance)

/** Microseconds, as far as they fit into a word; never 0, which says that nobody looked. */
const ownClock = (): number => (now() * 1000) >>> 0 || 1

/** Node 22 and later. */
const { transfer } = ArrayBuffer.prototype as { readonly transfer?: unknown }

const NO_FURTHER: RefParts[] = []

const NO_ACTOR: Stored = { slot: 0, generation: 0 }

/** An object of the store, or a task. */
export interface Stored {
  readonly slot: number
  readonly generation: number
}

/** A run of a task, or of what an actor's thread was handed. */
export interface Run extends Stored {
  /** Which of the actor's births it is of; 0: of none. */
  readonly birth: number
}

interface Wait {
  status: WaitStatus | undefined
  readonly resolve: ((status: WaitStatus) => void) | undefined
}

interface CallRecord {
  readonly callee: Callee
  readonly args: EncodedArguments
  /** Where its bytes lie, if that is in the store. */
  readonly stored: Stored | undefined
  readonly serial: number
  /** How many objects it returns beside its first. */
  readonly further: number
  readonly to: Addressee | undefined
}

export interface PortOptions {
  readonly role: 'driver' | 'worker'
  readonly runtime: number
  /** The number of this thread's start (worker). */
  readonly start?: number
  /** It was started for an actor alone (worker). */
  readonly isSingle?: boolean
  /** So many worker threads are wanted (driver). */
  onWanted?(count: number): void
  /** The runtime was stopped, by this thread or another. */
  onStopped?(): void
  /** There is something to run (worker). */
  onWork?(): void
  /** This thread has been idle for long and is one too many: should it end? (worker) */
  onLeave?(): void
  /** The number of the function whose code is on the stack, if there is one (worker). */
  runningFunction?(): number | undefined
  /** The task that the running code belongs to (worker). */
  runningTask?(): Stored | undefined
  /** Nobody wants this task any more, which was begun here (worker). */
  onUnwanted?(task: Stored, isTimeout: boolean): void
  /** The thread of this start should be terminated (driver). */
  onDoomed?(start: number): void
  /** A thread is to be started for an actor alone, of a class (driver). */
  onWantedFor?(actor: Stored, classId: number): void
  /** The actor that this thread was started for has ended (worker). */
  onEnd?(): void
  /** The instance of this actor, which lives here, is nobody's any more (worker). */
  onActorDropped?(actor: Stored): void
  /** The run of this stream, which was begun here, may yield more items (worker). */
  onRoom?(task: Stored): void
  /** A collection is about to find what nobody here has any more (worker). */
  onCollect?(): void
}

export class Port {
  readonly raw: RawPort
  /** The area, as words and as bytes. JavaScript owns it except during a crossing. */
  readonly words: Uint32Array
  readonly bytes: Uint8Array
  /** The area, for what the codec writes and reads. */
  readonly region: Memory
  /** The words that all isolates share; only touched by `Atomics`. */
  readonly shared: Int32Array
  readonly #options: PortOptions
  readonly #origin: Origin
  readonly #handles: Handles
  readonly #waits: (Wait | undefined)[] = []
  readonly #freeTokens: number[] = []
  readonly views: Views
  #place = -1
  readonly #forgotten: Forgotten
  #serial = 0
  #ops = 0
  #heap = 0
  /** What was named last to be brought along. */
  #broughtSlot = -1
  #broughtGeneration = 0
  #isFlushQueued = false
  /** Handles let go of by records that were not handed in yet. */
  #hasReleases = false
  #isStopped = false
  /** The slot of a task of this round whose beginning somebody looked at the clock for, and what it showed. */
  #stamped = -1
  #stamp = 0

  constructor(options: PortOptions) {
    this.#options = options
    const area = new ArrayBuffer(L.AREA_BYTES)
    this.words = new Uint32Array(area)
    this.bytes = new Uint8Array(area)
    this.region = { bytes: this.bytes, words: new Int32Array(area) }
    const { role, runtime } = options
    this.raw = attach({
      role,
      runtime,
      area,
      onMail: () => this.drain(),
      onWork: () => options.onWork?.(),
      start: options.start ?? 0,
      isSingle: options.isSingle === true,
    })
    this.views = new Views(this.raw)
    this.#forgotten = new Forgotten(this.raw)
    this.shared = new Int32Array(this.raw.words)
    const [high, low] = randomPair()
    this.#origin = { runtime: options.runtime, high, low }
    this.words[L.H_ORIGIN_HIGH] = high
    this.words[L.H_ORIGIN_LOW] = low
    this.#handles = new Handles((slot, generation) => this.#letGo(slot, generation))
    setDispose((parts) => this.release(parts))
    this.flush()
  }

  /** The record of a function that some isolate defined. */
  functionRecord(id: number): ReturnType<typeof functionRecord> {
    return functionRecord(id)
  }

  /** From now on its calls may begin on a thread that has other async tasks. */
  turnsOutAsync(id: number): void {
    turnsOutAsync(id)
  }

  /** So many async tasks were begun here and have not ended (worker); the next crossing tells. */
  hold(count: number): void {
    this.words[L.H_HELD] = count
  }

  /** The number of the function whose code is on the stack. */
  get runningFunction(): number {
    return this.#options.runningFunction?.() ?? NO_FUNCTION
  }

  /** The public id of a task that has not ended. */
  taskId(slot: number, generation: number): string | undefined {
    const id = this.raw.id(slot, generation)
    return id === undefined ? undefined : Buffer.from(id).toString('hex')
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** From now on this thread is handed tasks, or calls of the one actor that it was started for (worker). */
  takeSeat({ slot, generation }: Stored = NO_ACTOR): void {
    this.#place = this.raw.sit(ownClock(), slot, generation)
  }

  /** Where this worker's claims lie among the shared words. */
  get claims(): number {
    return L.HEADER_WORDS + this.#place * L.CLAIM_WORDS
  }

  /** Crosses now: everything written so far is performed. */
  flush(): void {
    try {
      this.raw.flush()
    } finally {
      this.#crossed()
    }
  }

  /** Asks for outcomes; everything written so far is performed first. */
  fetch(): void {
    try {
      this.raw.fetch()
    } finally {
      this.#crossed()
    }
  }

  /** Ends the round of records and asks for the next (worker). */
  next(): number {
    this.#stamped = -1
    try {
      this.raw.next()
    } finally {
      this.#crossed()
    }
    return this.words[L.H_TASKS] as number
  }

  /** Takes one task out of its queue, to run it now; of calls of an actor that lives here what goes first (worker). */
  take({ slot, generation }: Stored): boolean {
    try {
      return this.raw.take(slot, generation)
    } finally {
      this.#crossed()
    }
  }

  /** Gives a task that was taken or claimed back, unbegun, with the next crossing (worker). */
  handBack(run: Run): void {
    this.#birth(L.OP_HAND_BACK, run)
  }

  /** Blocks for a slice at most. */
  park(milliseconds: number): void {
    this.words[L.H_PARK_MS] = milliseconds
    try {
      this.raw.park()
    } finally {
      this.#crossed()
    }
  }

  /** After a crossing that flushed: the area starts anew, and the driver learns what it should start. */
  #crossed(): void {
    this.#ops = 0
    this.#heap = 0
    this.#hasReleases = false
    const wanted = this.words[L.H_WANTED] as number
    if (wanted > 0) {
      this.words[L.H_WANTED] = 0
      this.#options.onWanted?.(wanted)
    }
  }

  /** Hands in what was written with the next microtask: for records that nobody waits for, or together with what others write until then. */
  flushSoon(): void {
    if (this.#isFlushQueued) return
    this.#isFlushQueued = true
    soon(() => {
      this.#isFlushQueued = false
      if (this.#ops > 0 && !this.#isStopped) this.flush()
    })
  }

  /** Makes room for so many records and bytes. */
  #reserve(records: number, bytes: number): void {
    if (this.#ops + records > L.OPS_MAX || this.#heap + bytes > L.HEAP_BYTES) this.flush()
  }

  /** A record's first word. It counts from here on, so its words are written before anything else can cross. */
  #record(kind: number): number {
    const at = L.OPS + this.#ops * L.OP_WORDS
    this.words[at] = kind
    return at
  }

  /** The record is complete. A thread that dies between two records loses nothing and leaves no half of one. */
  #commit(): void {
    this.#ops += 1
    this.words[L.H_OPS] = this.#ops
  }

  #heapTake(length: number): number {
    const at = this.#heap
    // 64-byte steps: encoded bytes may hold elements of any size.
    this.#heap = (at + length + 63) & ~63
    this.words[L.H_OP_HEAP] = this.#heap
    return at
  }

  #writeRef(at: number, { origin, serial, slot, generation, index }: RefParts): void {
    const words = this.words
    words[at] = slot
    words[at + 1] = generation
    words[at + 2] = index
    words[at + 3] = origin.runtime
    words[at + 4] = origin.high
    words[at + 5] = origin.low
    words[at + 6] = Math.floor(serial / 2 ** 32)
    words[at + 7] = serial
  }

  /** Refs that the next record carries. */
  #writeRefs(refs: readonly ObjectRef[]): void {
    for (let start = 0; start < refs.length; start += TABLE_MAX) {
      const count = Math.min(TABLE_MAX, refs.length - start)
      this.#reserve(1, count * L.REF_BYTES)
      const heap = this.#heapTake(count * L.REF_BYTES)
      let at = (L.OP_HEAP + heap) / 4
      for (let k = 0; k < count; k++, at += L.REF_WORDS) this.#writeRef(at, partsOf(refs[start + k] as ObjectRef))
      const record = this.#record(L.OP_REFS)
      this.words[record + 1] = heap
      this.words[record + 2] = count
      this.#commit()
    }
  }

  /** What tasks bring along from now on; named once for all that follow, and again if the handle was another meanwhile. */
  #bring(ref: ObjectRef): void {
    const parts = partsOf(ref)
    if (parts.slot === this.#broughtSlot && parts.generation === this.#broughtGeneration) return
    this.#reserve(1, L.REF_BYTES)
    const heap = this.#heapTake(L.REF_BYTES)
    this.#writeRef((L.OP_HEAP + heap) / 4, parts)
    const record = this.#record(L.OP_BRING)
    this.words[record + 1] = heap
    this.#commit()
    this.#broughtSlot = parts.slot
    this.#broughtGeneration = parts.generation
  }

  /** Slots that the next record is about. */
  #writeKeys(keys: readonly Stored[]): void {
    for (let start = 0; start < keys.length; start += TABLE_MAX) {
      const count = Math.min(TABLE_MAX, keys.length - start)
      this.#reserve(1, count * 8)
      const heap = this.#heapTake(count * 8)
      let at = (L.OP_HEAP + heap) / 4
      for (let k = 0; k < count; k++, at += 2) {
        const key = keys[start + k] as Stored
        this.words[at] = key.slot
        this.words[at + 1] = key.generation
      }
      const record = this.#record(L.OP_KEYS)
      this.words[record + 1] = heap
      this.words[record + 2] = count
      this.#commit()
    }
  }

  /** Reads a table of refs; each becomes a handle of this isolate. */
  readRefs(words: Uint32Array, at: number, count: number): ObjectRef[] {
    const refs = new Array<ObjectRef>(count)
    for (let k = 0, word = at; k < count; k++, word += L.REF_WORDS) {
      const high = words[word + 4] as number
      const low = words[word + 5] as number
      const own = this.#origin
      const origin = high === own.high && low === own.low ? own : { runtime: words[word + 3] as number, high, low }
      const parts = {
        origin,
        serial: (words[word + 6] as number) * 2 ** 32 + (words[word + 7] as number),
        slot: words[word] as number,
        generation: words[word + 1] as number,
        index: words[word + 2] as number,
        released: false,
        settled: false,
        uses: 0,
        seenBy: 0,
        group: undefined,
        place: NOWHERE,
      }
      this.#key(L.OP_RETAIN, parts.slot, parts.generation)
      refs[k] = this.#handle(parts)
    }
    return refs
  }

  /** The handle of an object that is not there yet, or of which only its name is known here. */
  #handle(parts: RefParts): ObjectRef {
    const ref = new ObjectRef(parts)
    this.#handles.watchLate(ref, parts)
    return ref
  }

  /** The handle of a value that was put. */
  #putHandle(parts: RefParts, isSmall: boolean): ObjectRef {
    const ref = new ObjectRef(parts)
    if (isSmall) this.#handles.watchSmall(parts)
    else this.#handles.watch(ref, parts)
    return ref
  }

  #key(kind: number, slot: number, generation: number): void {
    this.#reserve(1, 0)
    const at = this.#record(kind)
    this.words[at + 1] = slot
    this.words[at + 2] = generation
    this.#commit()
  }

  #birth(kind: number, { slot, generation, birth }: Run): void {
    this.#reserve(1, 0)
    const at = this.#record(kind)
    this.words[at + 1] = slot
    this.words[at + 2] = generation
    this.words[at + L.BIRTH_WORD] = birth
    this.#commit()
  }

  /** One handle of this isolate less. In program order with all else, so that it overtakes no use. */
  release(parts: RefParts): void {
    if (parts.origin.runtime !== this.#options.runtime) return
    this.#handles.unwatch(parts)
    this.#letGo(parts.slot, parts.generation)
  }

  #letGo(slot: number, generation: number): void {
    if (this.#isStopped) return
    this.#key(L.OP_RELEASE, slot, generation)
    this.#hasReleases = true
    this.flushSoon()
  }

  /** The value is deleted with the next crossing. */
  free(ref: ObjectRef): void {
    const { slot, generation } = partsOf(ref)
    this.#key(L.OP_FREE, slot, generation)
    this.#hasReleases = true
    this.flushSoon()
  }

  /** The task that this record's isolate wants no more, with the next crossing. */
  cancel({ slot, generation }: Stored, force: boolean, recursive: boolean): void {
    this.#reserve(1, 0)
    const at = this.#record(L.OP_CANCEL)
    this.words[at + 1] = slot
    this.words[at + 2] = generation
    this.words[at + 3] = (force ? L.CANCEL_FORCED : 0) | (recursive ? L.CANCEL_RECURSIVE : 0)
    this.#commit()
  }

  /** A fresh slot from the stock, as a handle: the one that the record is about. Taken only when nothing can fail any more. */
  #mint(record: number, serial: number = ++this.#serial): RefParts {
    const words = this.words
    const parts = this.#fromStock(serial, 0)
    words[record + 1] = parts.slot
    words[record + 2] = parts.generation
    words[record + 5] = Math.floor(serial / 2 ** 32)
    words[record + 6] = serial
    return parts
  }

  #fromStock(serial: number, index: number): RefParts {
    const words = this.words
    const left = (words[L.H_STOCK] as number) - 1
    words[L.H_STOCK] = left
    const at = L.STOCK + 2 * left
    return {
      origin: this.#origin,
      serial,
      slot: words[at] as number,
      generation: words[at + 1] as number,
      index,
      released: false,
      settled: false,
      uses: 0,
      seenBy: 0,
      group: undefined,
      place: NOWHERE,
    }
  }

  /** Puts large bytes into the store now, each copied once. An error of the store is thrown here, before anything is queued. */
  #store(value: EncodedValue): Stored | undefined {
    if (value.byteLength <= L.INLINE_MAX) return undefined
    // What was let go of before is memory that was used before, which is filled several times faster than new memory.
    if (this.#hasReleases) this.flush()
    const offsets = value.pieces.map((piece) => piece.at)
    const pieces = value.pieces.map((piece) => piece.bytes)
    this.#withRoom(() => this.raw.write(value.byteLength, offsets, pieces))
    return this.#written()
  }

  /** Tries again once releases that were written before count, and once more when what nobody has any more is gone: that may make the room. */
  #withRoom<T>(act: () => T): T {
    const ways = [() => this.flush(), () => this.#forgotten.release((parts) => this.release(parts))]
    for (;;) {
      try {
        return act()
      } catch (error) {
        const makeRoom = isFull(error) ? ways.shift() : undefined
        if (makeRoom === undefined) throw fromCode(error, largestHolders)
        makeRoom()
        this.flush()
      }
    }
  }

  /** The object that the last crossing made. */
  #written(): Stored {
    return { slot: this.words[L.H_WRITTEN_SLOT] as number, generation: this.words[L.H_WRITTEN_GENERATION] as number }
  }

  /** Writes the words that say where a record's bytes lie. Room was reserved. */
  #writeValue(record: number, value: EncodedValue, stored: Stored | undefined): void {
    const words = this.words
    words[record + 11] = value.refs.length
    if (stored !== undefined) {
      this.#writeStored(record, stored)
      return
    }
    const heap = this.#heapTake(value.byteLength)
    value.writeTo(this.region, L.OP_HEAP + heap)
    words[record + 8] = heap
    words[record + 9] = value.byteLength
  }

  #writeStored(record: number, { slot, generation }: Stored): void {
    const words = this.words
    words[record + 9] = L.OP_STORED
    words[record + 12] = slot
    words[record + 13] = generation
  }

  #inlineBytes(value: EncodedValue): number {
    return value.byteLength <= L.INLINE_MAX ? value.byteLength + 64 : 0
  }

  #needStock(): void {
    if (this.words[L.H_STOCK] === 0) this.flush()
  }

  submit(callee: Callee, args: EncodedArguments, to?: Addressee): ObjectRef {
    return this.#submit(callee, args, NO_FURTHER, to)
  }

  submitMany(callee: Callee, args: EncodedArguments, returns: number, to?: Addressee): ObjectRef[] {
    const further = new Array<RefParts>(returns - 1)
    const first = this.#submit(callee, args, further, to)
    return [first, ...further.map((parts) => this.#handle(parts))]
  }

  /** Gives the first return; slots of the others are filled in. */
  #submit(callee: Callee, args: EncodedArguments, further: RefParts[], to: Addressee | undefined): ObjectRef {
    const stored = this.#store(args)
    const serial = ++this.#serial
    if (further.length > 0) this.#mintFurther(serial, further)
    const ref = this.#call(L.OP_SUBMIT, { callee, args, stored, serial, further: further.length, to })
    // At once: the caller may compute on for long, and a crossing costs less than 100 ns. Batches of 64 were no faster.
    this.flush()
    return ref
  }

  /** Creates an actor; with a name, unless there is one of that name, which is given then. */
  create(Class: Callee, args: EncodedArguments, name: ActorName | undefined): FoundActor & { readonly isNew: boolean } {
    const stored = this.#store(args)
    // Nothing else may end an actor while a name is looked for.
    this.flush()
    const ref = this.#call(L.OP_CREATE, { callee: Class, args, stored, serial: ++this.#serial, further: 0, to: undefined })
    if (name === undefined) {
      this.flush()
      return { ref, classId: Class.id, isNew: true }
    }
    let wasThere: boolean
    try {
      wasThere = this.raw.create(name.namespace, name.name)
    } finally {
      this.#crossed()
    }
    if (!wasThere) return { ref, classId: Class.id, isNew: true }
    // Its slot is free again.
    partsOf(ref).released = true
    this.#handles.unwatch(partsOf(ref))
    return { ...this.#foundActor(), isNew: false }
  }

  /** The actor of this name, if there is one. */
  find({ namespace, name }: ActorName): FoundActor | undefined {
    this.flush()
    return this.raw.named(namespace, name) ? this.#foundActor() : undefined
  }

  #foundActor(): FoundActor {
    const { words } = this
    const at = L.FETCH
    const [high, low] = [words[at + 2] as number, words[at + 3] as number]
    const serial = (words[at + 4] as number) * 2 ** 32 + (words[at + 5] as number)
    const parts = this.#parts({ runtime: this.#options.runtime, high, low }, serial, words[at] as number, words[at + 1] as number)
    return { ref: this.#handle(parts), classId: words[at + 6] as number }
  }

  /** One handle more to the actor in a slot, whose own code asks for it. */
  actorRef({ slot, generation }: Stored): ObjectRef | undefined {
    const bytes = this.raw.id(slot, generation)
    if (bytes === undefined) return undefined
    const id = new DataView(bytes)
    const serial = id.getUint32(8) * 2 ** 32 + id.getUint32(12)
    this.#key(L.OP_RETAIN, slot, generation)
    return this.#handle(this.#parts({ runtime: this.#options.runtime, high: id.getUint32(0), low: id.getUint32(4) }, serial, slot, generation))
  }

  #parts(origin: Origin, serial: number, slot: number, generation: number): RefParts {
    return { origin, serial, slot, generation, index: 0, released: false, settled: false, uses: 0, seenBy: 0, group: undefined, place: NOWHERE }
  }

  /** An actor ends now, and is made anew, or not. */
  kill({ slot, generation }: Stored, noRestart: boolean): void {
    this.#reserve(1, 0)
    const at = this.#record(L.OP_KILL)
    this.words[at + 1] = slot
    this.words[at + 2] = generation
    this.words[at + 3] = noRestart ? L.KILL_NO_RESTART : 0
    this.#commit()
    this.flush()
  }

  /** The actor whose code runs here ends now, if that is the birth which the code is of. */
  exit(actor: Run): void {
    this.#birth(L.OP_EXIT, actor)
    this.flush()
  }

  /** The code of a call has ended of which nobody wants anything (worker). */
  letGoOfCall(run: Run): void {
    this.#birth(L.OP_LET_GO, run)
  }

  /** Gives the first return. Whoever waits for it is told with the next crossing. */
  #call(kind: number, { callee: { id, env }, args, stored, serial, further, to }: CallRecord): ObjectRef {
    if (args.deps.length > 0) this.#writeRefs(args.deps)
    if (args.refs.length > 0) this.#writeRefs(args.refs)
    if (env !== undefined) this.#bring(env)
    // Both in one crossing: nothing comes between them.
    this.#reserve(2, this.#inlineBytes(args))
    this.#needStock()
    if (to !== undefined) {
      const address = this.#record(L.OP_TO)
      this.words[address + 1] = to.actor.slot
      this.words[address + 2] = to.actor.generation
      this.words[address + 3] = to.group
      this.#commit()
    }
    const record = this.#record(kind)
    const parent = this.#options.runningTask?.()
    this.words[record + 3] = parent?.slot ?? 0
    this.words[record + 4] = parent?.generation ?? 0
    this.words[record + 7] = id
    this.words[record + 10] = args.deps.length
    this.words[record + 14] = further
    this.words[record + 15] = env === undefined ? 0 : 1
    this.#writeValue(record, args, stored)
    const ref = this.#handle(this.#mint(record, serial))
    this.#commit()
    return ref
  }

  #mintFurther(serial: number, further: RefParts[]): void {
    for (let k = 0; k < further.length; k++) {
      this.#needStock()
      further[k] = this.#fromStock(serial, k + 1)
    }
    this.#writeKeys(further)
  }

  put(value: EncodedValue): ObjectRef {
    const stored = this.#store(value)
    if (value.refs.length > 0) this.#writeRefs(value.refs)
    this.#reserve(1, this.#inlineBytes(value))
    this.#needStock()
    const record = this.#record(L.OP_PUT)
    this.#writeValue(record, value, stored)
    const ref = this.#putHandle(this.#mint(record), value.byteLength <= SMALL_MAX && value.refs.length === 0)
    this.#commit()
    this.flushSoon()
    if (stored !== undefined) this.#watch(ref)
    return ref
  }

  /** Memory of the store for bytes that are not there yet. */
  draft({ byteLength, at, prefix }: BlankValue): EngineDraft {
    const buffer = this.#withRoom(() => this.raw.draft(byteLength, at, prefix))
    const number = this.words[L.H_WRITTEN_SLOT] as number
    const close = (how: 'seal' | 'abandon'): void => {
      try {
        this.raw[how](number, buffer, transfer)
      } catch (error) {
        throw fromCode(error)
      }
    }
    return { buffer, abandon: () => close('abandon'), seal: () => this.#putStored(() => close('seal')) }
  }

  #putStored(make: () => void): ObjectRef {
    this.#reserve(1, 0)
    this.#needStock()
    make()
    const record = this.#record(L.OP_PUT)
    this.words[record + 11] = 0
    this.#writeStored(record, this.#written())
    const ref = this.#putHandle(this.#mint(record), false)
    this.#commit()
    this.flushSoon()
    this.#watch(ref)
    return ref
  }

  /** Where nothing can spill, a value that was forgotten must be found in time. */
  #watch(ref: ObjectRef): void {
    if (!this.raw.spills) this.#forgotten.watch(ref, partsOf(ref))
  }

  /** The value of a ref was met here: so many bytes, and so many refs in it. */
  met(ref: ObjectRef, byteLength: number, refs: number): void {
    this.#handles.sized(ref, partsOf(ref), byteLength <= SMALL_MAX && refs === 0)
  }

  /** What a task came to: the worker's word. `callsAtOnce`: of a constructor, so many calls may go on at once; 0: as its terms say. */
  result(run: Run, value: EncodedValue, how: number, callsAtOnce = 0): void {
    const record = this.#outcome(L.OP_RESULT, run, value)
    this.words[record + 14] = callsAtOnce
    this.words[record + 3] = run.slot === this.#stamped ? this.#stamp : 0
    this.words[record + 7] = how
    this.#commit()
  }

  /** The task in this slot begins now: its result in this round will say so. */
  stamp(slot: number): void {
    this.#stamped = slot
    this.#stamp = ownClock()
  }

  /** What it returns beside its first object, in turn; the result follows. */
  furtherReturn(run: Run, value: EncodedValue): void {
    this.#outcome(L.OP_RETURN, run, value)
    this.#commit()
  }

  /** The slot of a stream's next item: a handle, or the end in its place. */
  nextItem({ slot, generation }: Stored): ObjectRef {
    this.#reserve(1, 0)
    this.#needStock()
    const parts = this.#fromStock(++this.#serial, 0)
    const record = this.#record(L.OP_NEXT)
    this.words[record + 1] = slot
    this.words[record + 2] = generation
    this.words[record + 3] = parts.slot
    this.words[record + 4] = parts.generation
    const ref = this.#handle(parts)
    this.#commit()
    return ref
  }

  /** There is room for one more item, from the next crossing on: who takes one looks what it is. */
  tookItem({ slot, generation }: Stored): void {
    this.#reserve(1, 0)
    const record = this.#record(L.OP_TOOK)
    this.words[record + 1] = slot
    this.words[record + 2] = generation
    this.words[record + 3] = 1
    this.#commit()
  }

  leaveStream({ slot, generation }: Stored): void {
    if (this.#isStopped) return
    this.#reserve(1, 0)
    const record = this.#record(L.OP_CANCEL)
    this.words[record + 1] = slot
    this.words[record + 2] = generation
    this.words[record + 3] = L.CANCEL_LEFT
    this.#commit()
    this.flushSoon()
  }

  /** One more handle of the same object. */
  again({ origin, serial, slot, generation, index }: RefParts): ObjectRef {
    this.#key(L.OP_RETAIN, slot, generation)
    return this.#handle({ ...this.#parts(origin, serial, slot, generation), index })
  }

  /** An item that a run of a generator has yielded (worker). */
  yieldItem(run: Run, number: number, value: EncodedValue): void {
    const record = this.#outcome(L.OP_YIELD, run, value)
    this.words[record + 5] = Math.floor(number / 2 ** 32)
    this.words[record + 6] = number
    this.#commit()
  }

  /** Hands in what was yielded, and gives how many items more the run may yield, which has yielded so many. With none it is told (worker). */
  roomFor({ slot, generation, birth }: Run, yielded: number): number {
    this.#reserve(1, 0)
    const record = this.#record(L.OP_ASK)
    this.words[record + 1] = slot
    this.words[record + 2] = generation
    this.words[record + L.BIRTH_WORD] = birth
    this.words[record + 5] = Math.floor(yielded / 2 ** 32)
    this.words[record + 6] = yielded
    this.#commit()
    this.flush()
    return this.words[L.H_ADMITTED] as number
  }

  #outcome(kind: number, { slot, generation, birth }: Run, value: EncodedValue): number {
    const stored = this.#store(value)
    if (value.refs.length > 0) this.#writeRefs(value.refs)
    this.#reserve(1, this.#inlineBytes(value))
    const record = this.#record(kind)
    this.words[record + 1] = slot
    this.words[record + 2] = generation
    this.words[record + L.BIRTH_WORD] = birth
    this.#writeValue(record, value, stored)
    return record
  }

  /** Starts a wait with the next crossing; its token completes exactly once. */
  wait(request: WaitRequest, resolve?: (status: WaitStatus) => void): number {
    const token = this.#freeTokens.pop() ?? this.#waits.length
    this.#waits[token] = { status: undefined, resolve }
    this.#writeKeys(request.refs.map(partsOf))
    this.#reserve(1, 0)
    const record = this.#record(request.count === undefined ? L.OP_GET : L.OP_WAIT)
    this.words[record + 1] = token
    this.words[record + 2] = request.count ?? 0
    this.words[record + 3] = request.owner?.slot ?? 0
    this.words[record + 4] = request.owner?.generation ?? 0
    this.#commit()
    return token
  }

  endWait(token: number): void {
    if (this.#waits[token] === undefined || this.#isStopped) return
    this.#reserve(1, 0)
    const record = this.#record(L.OP_END_WAIT)
    this.words[record + 1] = token
    this.#commit()
    this.flushSoon()
  }

  /** The status of a wait without a promise, once; undefined while it goes on. */
  poll(token: number): WaitStatus | undefined {
    const wait = this.#waits[token]
    if (wait?.status === undefined) return this.#isStopped ? 'stopped' : undefined
    this.#waits[token] = undefined
    this.#freeTokens.push(token)
    return wait.status
  }

  /** Reads all completions and resolves what waits for them. */
  drain(): void {
    let count: number
    // Each answer tells of these once.
    let collects = 0
    let leaves = 0
    let letters: number
    do {
      this.raw.drain()
      collects |= this.words[L.H_COLLECT] as number
      leaves |= this.words[L.H_LEAVE] as number
      count = this.words[L.H_COMPLETIONS] as number
      letters = this.words[L.H_LETTERS] as number
      if (letters === 0) this.#completeAll(this.words, L.COMPLETIONS, count)
      else {
        // Letters first: a task that is cancelled learns of that before it learns of what was cancelled with it. Acting on one may cross.
        const completions = this.words.slice(L.COMPLETIONS, L.COMPLETIONS + 2 * count)
        this.#readLetters(letters)
        this.#completeAll(completions, 0, count)
      }
    } while (count === L.COMPLETIONS_MAX || letters === L.LETTERS_MAX)
    const wanted = this.words[L.H_WANTED] as number
    if (wanted > 0) {
      this.words[L.H_WANTED] = 0
      this.#options.onWanted?.(wanted)
    }
    if ((leaves & 2) !== 0) this.#options.onEnd?.()
    else if (leaves !== 0) this.#options.onLeave?.()
    // Outside of the loop's hook, where a callback of the collector's could come back in.
    if (collects !== 0) setImmediate(() => this.#collect())
    if (this.words[L.H_STOPPED] !== 0 && !this.#isStopped) this.#stopped()
  }

  /** What is forgotten here goes: a major collection, and a turn of the loop, in which the finalizers of what it found run. */
  forget(then: () => void, rounds = 1): void {
    this.#handles.settle()
    collectHere()
    setImmediate(() => {
      if (this.#isStopped) return
      if (rounds > 1) this.forget(then, rounds - 1)
      else then()
    })
  }

  /** Twice, since the first collection may end one that V8 had begun, and believe what that marked. */
  #collect(): void {
    this.#options.onCollect?.()
    this.forget(() => {
      this.#reserve(1, 0)
      this.#record(L.OP_COLLECTED)
      this.#commit()
      this.flush()
    }, 2)
  }

  /** All of them first: acting on one may cross. */
  #readLetters(count: number): void {
    const letters = this.words.slice(L.LETTERS, L.LETTERS + count * L.LETTER_WORDS)
    for (let at = 0; at < letters.length; at += L.LETTER_WORDS) {
      const kind = letters[at]
      const slot = letters[at + 1] as number
      if (kind === L.LETTER_TERMINATE) this.#options.onDoomed?.(slot)
      else if (kind === L.LETTER_START_FOR) this.#options.onWantedFor?.({ slot, generation: letters[at + 2] as number }, letters[at + 3] as number)
      else if (kind === L.LETTER_RESUME) this.#options.onRoom?.({ slot, generation: letters[at + 2] as number })
      else if (kind === L.LETTER_DROP_ACTOR) this.#options.onActorDropped?.({ slot, generation: letters[at + 2] as number })
      else this.#options.onUnwanted?.({ slot, generation: letters[at + 2] as number }, kind === L.LETTER_TIMED_OUT)
    }
  }

  #completeAll(words: Uint32Array, from: number, count: number): void {
    for (let k = 0, at = from; k < count; k++, at += 2) this.#complete(words[at] as number, words[at + 1] as number)
  }

  #complete(token: number, code: number): void {
    const wait = this.#waits[token]
    if (wait === undefined) return
    const status = code === L.STATUS_READY ? 'ready' : code === L.STATUS_FAILED ? 'failed' : code === L.STATUS_CIRCLE ? this.#circle(token) : 'ended'
    if (wait.resolve === undefined) {
      wait.status = status
      return
    }
    this.#waits[token] = undefined
    this.#freeTokens.push(token)
    wait.resolve(status)
  }

  #circle(token: number): DeadlockError {
    const text = this.raw.circle(token)
    const way = text === undefined ? 'calls of actors wait for each other' : new TextDecoder().decode(text)
    return new DeadlockError(
      `get can never end: ${way}. Raise maxConcurrency, put one of the methods into a concurrency group of its own, or return a ref instead of waiting for it.`,
    )
  }

  /** Ends this isolate's part; every wait that is left ends with the news. */
  close(): void {
    this.#stopped()
    this.raw.detach()
  }

  #stopped(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#handles.close()
    for (const wait of this.#waits) wait?.resolve?.('stopped')
    this.#options.onStopped?.()
  }
}
