/** Runs a generator: hands in what it yields, as fast as its consumer takes it, and lets others have the thread in between. */

import { encode } from '../codec/codec.ts'
import type { Port } from '../engine/local/port.ts'
import { soon } from '../engine/microtask.ts'
import { leave, ownScope, type RunningTask, reenter, type Scope } from '../runtime/running.ts'

/** So long a generator that never waits keeps the thread from everything else that goes on there. */
const TURN_MS = 5

/** How a production ends: once. */
export interface Ending {
  returned(value: unknown): void
  threw(error: unknown): void
}

type Iteration = Iterator<unknown, unknown> | AsyncIterator<unknown, unknown>

/** What is gone through, and for whom. */
export interface Produced {
  readonly iteration: Iteration
  readonly ending: Ending
  /** So many items are wanted, without being asked for; undefined: as many as are asked for. */
  readonly most: number | undefined
  /** Called before an item is handed in. */
  readonly beforeHandIn: () => void
}

/** What can be gone through; generators give themselves. */
export const iterationOf = (value: unknown): Iteration | undefined => {
  if (typeof value !== 'object' || value === null) return undefined
  if (Symbol.asyncIterator in value) return (value as AsyncIterable<unknown, unknown>)[Symbol.asyncIterator]()
  return Symbol.iterator in value ? (value as Iterable<unknown, unknown>)[Symbol.iterator]() : undefined
}

const isPromise = (value: unknown): value is PromiseLike<unknown> => typeof (value as { then?: unknown }).then === 'function'

/** Taken before users' code can put another in its place. */
const now: () => number = performance.now.bind(performance)

export class Production {
  readonly #port: Port
  readonly #task: RunningTask
  readonly #iteration: Iteration
  readonly #ending: Ending
  readonly #most: number | undefined
  readonly #beforeHandIn: () => void
  /** Of its code, whenever that goes on. */
  readonly #scope: Scope
  /** Items of this run. */
  #yielded = 0
  /** So many more may be yielded before it is asked again. */
  #room = 0
  #isParked = false
  /** When the thread was last anybody's. */
  #since = 0

  constructor(port: Port, task: RunningTask, { iteration, ending, most, beforeHandIn }: Produced) {
    this.#port = port
    this.#task = task
    this.#iteration = iteration
    this.#ending = ending
    this.#most = most
    this.#beforeHandIn = beforeHandIn
    this.#scope = ownScope(task)
    task.whenEnded(() => this.resume())
  }

  /** There is room again, or nobody wants it any more. Not at once: code of another task may be on the stack, and wait. */
  resume(): void {
    if (!this.#isParked) return
    this.#isParked = false
    soon(() => this.start())
  }

  /** Goes on until there is no room, or for a while. */
  start(): void {
    this.#since = now()
    this.#goOn()
  }

  #goOn(): void {
    // A plain loop for what does not wait: each item by a call of its own would fill the stack.
    for (;;) {
      const { ended } = this.#task
      if (ended !== undefined) {
        this.#close(() => this.#ending.threw(ended))
        return
      }
      if (!this.#hasRoom()) return
      let result: IteratorResult<unknown, unknown> | PromiseLike<IteratorResult<unknown, unknown>>
      try {
        result = this.#within(() => this.#iteration.next())
      } catch (error) {
        this.#ending.threw(error)
        return
      }
      if (isPromise(result)) {
        result.then(
          (item) => {
            if (this.#take(item) && !this.#isTurnOver()) this.#goOn()
          },
          (error: unknown) => this.#ending.threw(error),
        )
        return
      }
      if (!this.#take(result) || this.#isTurnOver()) return
    }
  }

  /** After an item, and not before the first: the call has begun when those behind it do, however long the thread was away. */
  #isTurnOver(): boolean {
    if (now() - this.#since <= TURN_MS) return false
    setImmediate(() => this.start())
    return true
  }

  /** What was yielded is handed in: its consumer must not wait for what comes after it. */
  #hasRoom(): boolean {
    if (this.#room > 0 || this.#most !== undefined) {
      this.#port.flush()
      return true
    }
    this.#room = this.#port.roomFor(this.#task, this.#yielded)
    this.#isParked = this.#room === 0
    return !this.#isParked
  }

  /** False: that was the end. */
  #take(result: IteratorResult<unknown, unknown>): boolean {
    if (result.done === true) {
      const lack = (this.#most ?? 0) - this.#yielded
      if (lack > 0) this.#ending.threw(this.#tooFew())
      else this.#ending.returned(result.value)
      return false
    }
    if (this.#most === 0) return true
    if (this.#yielded === this.#most) {
      // What it might yield beyond is nobody's.
      this.#close(() => this.#ending.returned(undefined))
      return false
    }
    this.#beforeHandIn()
    const number = this.#yielded
    try {
      const item = encode(result.value, () => `task '${this.#task.name}': item ${number}`)
      this.#port.yieldItem(this.#task, number, item)
    } catch (error) {
      this.#close(() => this.#ending.threw(error))
      return false
    }
    this.#yielded += 1
    this.#room -= 1
    return true
  }

  #tooFew(): TypeError {
    return new TypeError(`task '${this.#task.name}': with numReturns ${this.#most} the generator yields ${this.#most} items, and it yielded ${this.#yielded}`)
  }

  /** The generator's `finally` blocks run; what they come to is nobody's. */
  #close(then: () => void): void {
    try {
      const closed = this.#within(() => this.#iteration.return?.())
      if (closed !== undefined && isPromise(closed)) {
        closed.then(then, then)
        return
      }
    } catch {}
    then()
  }

  #within<T>(run: () => T): T {
    const before = reenter(this.#scope)
    try {
      return run()
    } finally {
      leave(before)
    }
  }
}
