/** The local engine: worker threads of this process over the addon. */

import {
  actorName,
  askToCollect,
  defineFunction,
  figures,
  functionRecord,
  handles,
  holdings,
  instances,
  resources,
  running,
  runs,
  stop,
  tend,
  trim,
} from '../../binding.ts'
import { DeadlockError, ShutdownError, WorkerSetupError } from '../../errors/errors.ts'
import { type ObjectRef, partsOf, type RefParts } from '../../refs/object-ref.ts'
import type {
  ActorInstance,
  ActorName,
  Addressee,
  BlankValue,
  Callee,
  CancelRequest,
  EncodedArguments,
  EncodedValue,
  Engine,
  EngineDraft,
  EngineFigures,
  FoundActor,
  FunctionRecord,
  Holding,
  ItemState,
  Outcome,
  PendingWait,
  ResourceFigure,
  TaskKey,
  TaskRun,
  WaitRequest,
  WaitStatus,
} from '../engine.ts'
import { fetchItemState, fetchOutcomes, fetchSettled, type Link, REASONS, readCycle } from './fetch.ts'
import * as L from './layout.ts'
import type { Port } from './port.ts'
import { warnBeyond } from './warn-beyond.ts'
import { warnPoor } from './warn-poor.ts'

/** A wait inside of a task may run what it waits for; deeper than this it blocks, before the stack ends. */
const HELP_DEPTH_MAX = 64

/** A loop makes functions of a few texts. */
const DEFINED_MAX = 64

const MAIL = 1
const RESUMED = 2
const DEADLOCK = 3

export interface LocalEngineOptions {
  readonly runtime: number
  readonly port: Port
  /** Runs a task on this thread, if nobody has begun it and it is synchronous (worker). Gives why not, if it is a call that runs nowhere else. */
  help?(task: TaskKey): string | undefined
  /** This thread is about to block (worker). */
  beforeBlock?(): void
  /** Why the task that blocks should not go on, if it should not (worker). */
  unwanted?(): Error | undefined
  /** Ends what `start` began (driver). */
  stopThreads?(): Promise<void>
}

const CYCLE = 4
const STALLED = 5
const HELPS = 6

/** Memory that lies idle goes back to the system after ten seconds at the least: so often is asked whether it is time. */
const TEND_EVERY_MS = 2000

const allWait = (): DeadlockError =>
  new DeadlockError(
    'getSync: all workers wait for others by getSync, and maxWorkers allows no more of them. Raise init({ maxWorkers }), or use await get(ref) in tasks: a task that awaits needs no thread.',
  )

const stalled = (): WorkerSetupError =>
  new WorkerSetupError(
    'getSync: no worker has come up within 30 s, and why cannot be told while this thread blocks. Use await get(ref), which tells; init({ setup, execArgv, env, resourceLimits }) and --import are what starts depend on.',
  )

const tooDeep = (): DeadlockError =>
  new DeadlockError(
    `getSync: calls of actors that live on this thread wait for each other, ${HELP_DEPTH_MAX} deep. Use await get(ref) in their methods, or give some of them a thread by isolation: 'thread'.`,
  )

const inCycle = (cycle: readonly Link[], refusal: string | undefined): DeadlockError => {
  const way = cycle.map(({ task, isOnThread }, k) => {
    const link = k === cycle.length - 1 ? ' on this very thread' : isOnThread ? ' on a thread that waits for' : ', which waits for'
    return `task '${task}'${isOnThread ? ', which runs' : ''}${link}`
  })
  const why = refusal === undefined ? '' : `, and ${refusal}`
  return new DeadlockError(
    `getSync can never end: it waits for ${way.join(' ')}${why}. Use await get(ref) in tasks, and declare functions that return promises as async.`,
  )
}

const definition = ({ limit, named, actor, ...rest }: FunctionRecord): Parameters<typeof defineFunction>[0] => ({
  ...rest,
  named: [...named],
  ...(limit !== undefined && { limit }),
  ...(actor !== undefined && { actor: { ...actor, groups: [...actor.groups] } }),
})

export class LocalEngine implements Engine {
  readonly runtime: number
  readonly #options: LocalEngineOptions
  readonly #port: Port
  /** On the driver alone: while nothing happens nobody else sees that memory lies idle. */
  readonly #tending: NodeJS.Timeout | undefined
  #helpDepth = 0
  /** Why the last call of an actor that lives here could not run inside of a wait. */
  #refusal: string | undefined
  /** Ids of what was defined last: a function that is made anew in a loop is defined anew each time. */
  readonly #defined = new Map<string, number>()

  constructor(options: LocalEngineOptions) {
    this.runtime = options.runtime
    this.#options = options
    this.#port = options.port
    if (options.stopThreads) this.#tending = setInterval(() => tend().forEach(warnPoor), TEND_EVERY_MS).unref()
  }

  define(record: FunctionRecord): number {
    // A getter among the arguments may have shut the runtime down.
    if (running() !== this.runtime) throw new ShutdownError('the runtime was shut down during the call')
    const key = JSON.stringify(record)
    const known = this.#defined.get(key)
    if (known !== undefined) return known
    const { id, isFirstBeyond } = defineFunction(definition(record))
    if (isFirstBeyond) warnBeyond(record, resources())
    if (this.#defined.size >= DEFINED_MAX) this.#defined.clear()
    this.#defined.set(key, id)
    return id
  }

  submit(callee: Callee, args: EncodedArguments, to?: Addressee): ObjectRef {
    return this.#port.submit(callee, args, to)
  }

  submitMany(callee: Callee, args: EncodedArguments, returns: number, to?: Addressee): ObjectRef[] {
    return this.#port.submitMany(callee, args, returns, to)
  }

  createActor(Class: Callee, args: EncodedArguments, name?: ActorName): FoundActor & { readonly isNew: boolean } {
    return this.#port.create(Class, args, name)
  }

  findActor(name: ActorName): FoundActor | undefined {
    return this.#port.find(name)
  }

  nameOfActor({ slot, generation }: TaskKey): ActorName | undefined {
    const [namespace, name] = actorName(slot, generation) ?? []
    return namespace === undefined || name === undefined ? undefined : { namespace, name }
  }

  definition(id: number): { readonly name: string; readonly notes: string } | undefined {
    return functionRecord(id) ?? undefined
  }

  killActor(actor: RefParts, noRestart: boolean): void {
    this.#port.kill(actor, noRestart)
  }

  exitActor({ slot, generation }: TaskKey, birth: number): void {
    this.#port.exit({ slot, generation, birth })
  }

  idOfActor({ slot, generation }: TaskKey): string | undefined {
    return this.#port.taskId(slot, generation)
  }

  refOfActor(actor: TaskKey): ObjectRef | undefined {
    return this.#port.actorRef(actor)
  }

  hasRoomForCall({ slot, generation }: RefParts): boolean {
    return this.#port.raw.room(slot, generation) > 0
  }

  isActorCall({ slot, generation }: RefParts): boolean {
    return this.#port.raw.bound(slot, generation)
  }

  isUnheld({ slot, generation }: RefParts): boolean {
    this.#port.flush()
    return this.#port.raw.unheld(slot, generation)
  }

  hasRoom(): boolean {
    const { words } = this.#port
    if (words[L.H_ROOM] !== 0) return true
    // Some may have ended since.
    this.#port.flush()
    return words[L.H_ROOM] !== 0
  }

  put(value: EncodedValue): ObjectRef {
    return this.#port.put(value)
  }

  draft(blank: BlankValue): EngineDraft {
    return this.#port.draft(blank)
  }

  get isStopped(): boolean {
    return this.#port.isStopped
  }

  cancel({ task, force, recursive }: CancelRequest): void {
    this.#port.cancel(task, force, recursive)
    this.#port.flush()
  }

  isOver({ slot, generation }: RefParts): boolean {
    return this.#port.raw.over(slot, generation)
  }

  nextItem(stream: RefParts): ObjectRef {
    return this.#port.nextItem(stream)
  }

  tookItem(stream: RefParts): void {
    this.#port.tookItem(stream)
  }

  itemState(item: ObjectRef): ItemState {
    return fetchItemState(this.#port, item)
  }

  leaveStream(stream: RefParts): void {
    this.#port.leaveStream(stream)
  }

  again(ref: ObjectRef): ObjectRef {
    return this.#port.again(partsOf(ref))
  }

  free(refs: readonly ObjectRef[]): void {
    for (const ref of refs) this.#port.free(ref)
  }

  wait(request: WaitRequest): PendingWait {
    let token = -1
    let isOver = false
    const done = new Promise<WaitStatus>((resolve) => {
      token = this.#port.wait(request, (status) => {
        isOver = true
        resolve(status)
      })
      this.#port.flush()
    })
    // Tokens are used again: a late end must not meet another wait.
    const end = (): void => {
      if (!isOver) this.#port.endWait(token)
    }
    return { done, end }
  }

  watch(ref: ObjectRef, then: (status: WaitStatus) => void, owner?: TaskKey): number {
    return this.#port.wait({ refs: [ref], count: 1, owner }, then)
  }

  endWatch(watch: number): void {
    this.#port.endWait(watch)
  }

  flush(): void {
    this.#port.flush()
  }

  waitSync(request: WaitRequest, timeout: number): boolean {
    const deadline = timeout === Number.POSITIVE_INFINITY ? timeout : performance.now() + timeout
    this.#refusal = undefined
    this.#helpWith(request.refs.map(partsOf))
    for (;;) {
      const end = this.#block(request, deadline)
      if (typeof end === 'boolean') return end
      this.#helpWith([end])
    }
  }

  /** Blocks until the wait is over; false: its time is. Or until this thread itself has to see to a call first. */
  #block(request: WaitRequest, deadline: number): boolean | TaskKey {
    const port = this.#port
    const token = port.wait(request)
    port.flush()
    let givenUp: Error | undefined
    let helps: TaskKey | undefined
    let isBlocking = false
    try {
      for (;;) {
        const status = port.poll(token)
        if (status === 'ended' && givenUp !== undefined) throw givenUp
        if (status === 'ended' && helps !== undefined) return helps
        if (status === 'stopped') throw new ShutdownError('getSync: the runtime was shut down before the value was there')
        if (status !== undefined) return status !== 'ended'
        const left = deadline - performance.now()
        if (left <= 0) port.endWait(token)
        if (!isBlocking) this.#options.beforeBlock?.()
        isBlocking = true
        port.park(left === Number.POSITIVE_INFINITY ? L.NO_TIMEOUT : Math.min(Math.max(0, Math.ceil(left)), L.NO_TIMEOUT - 1))
        const reason = port.words[L.H_PARK_REASON]
        if (reason === MAIL) port.drain()
        else if (reason === DEADLOCK) givenUp = allWait()
        else if (reason === CYCLE) givenUp = inCycle(readCycle(port), this.#refusal)
        else if (reason === HELPS && this.#helpDepth < HELP_DEPTH_MAX)
          helps = { slot: port.words[L.FETCH] as number, generation: port.words[L.FETCH + 1] as number }
        else if (reason === HELPS) givenUp = tooDeep()
        else if (reason === STALLED) givenUp = stalled()
        givenUp ??= this.#options.unwanted?.()
        if (givenUp !== undefined || helps !== undefined) port.endWait(token)
      }
    } finally {
      // A CPU is needed to go on; code that blocked goes before new tasks.
      do port.raw.resume()
      while (port.words[L.H_PARK_REASON] !== RESUMED && !port.isStopped)
    }
  }

  /** Runs what nobody has begun on this very thread: blocking would only hold it up. */
  #helpWith(tasks: readonly TaskKey[]): void {
    const { help } = this.#options
    if (help === undefined || this.#helpDepth >= HELP_DEPTH_MAX) return
    this.#helpDepth += 1
    try {
      for (const task of tasks) this.#refusal = help(task) ?? this.#refusal
    } finally {
      this.#helpDepth -= 1
    }
  }

  fetch(refs: readonly ObjectRef[], visit: (position: number, outcome: Outcome) => void): void {
    fetchOutcomes(this.#port, refs, visit)
  }

  settled(refs: readonly ObjectRef[], visit: (position: number) => void): void {
    fetchSettled(this.#port, refs, visit)
  }

  runs(): readonly TaskRun[] {
    return runs() as TaskRun[]
  }

  instances(): readonly ActorInstance[] {
    return instances().map(({ reason, ...rest }) => (reason === undefined ? rest : { ...rest, reason: REASONS[reason] }) as ActorInstance)
  }

  figures(): EngineFigures {
    return { ...figures(), handles: this.#port.isStopped ? 0 : this.#port.raw.handles() }
  }

  resources(): readonly ResourceFigure[] {
    return resources()
  }

  holdings(): readonly Holding[] {
    return holdings() as Holding[]
  }

  handles(): readonly number[] {
    return handles()
  }

  askToCollect(): void {
    askToCollect()
  }

  async stop(): Promise<void> {
    clearInterval(this.#tending)
    stop()
    await this.#options.stopThreads?.()
    this.#port.close()
    // What no view holds any more goes back to the system; the next runtime takes the segments over.
    trim()
  }
}
