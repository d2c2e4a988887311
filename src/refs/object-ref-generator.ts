/** The user's handle to what a generator yields: refs to its items, one after the other. */

import type { ObjectRef } from './object-ref.ts'

/** What stands behind it. */
export interface RefStream {
  /** The task whose items these are; its value is what the generator returns. */
  readonly task: ObjectRef
  /** The next item, when it is there. `holder` stays until then. */
  next(holder: object): Promise<IteratorResult<ObjectRef, undefined>>
  /** Nobody wants more items. */
  leave(): void
  /** One more ref to the task. */
  completed(): ObjectRef
  /** A ref that is settled as soon as `next` has an answer. */
  peek(): ObjectRef
  cancel(force: boolean, recursive: boolean): void
}

let streamIn: (generator: ObjectRefGenerator<unknown>) => RefStream
let isOne: (value: object) => boolean

/**
 * What calls of a generator function return, at once: refs to the items, in the order in which they are yielded, while the producer goes
 * on. At most `backpressure` items are there that nobody has taken. It belongs to the thread that made the call, and can be gone through
 * once.
 *
 * @example
 * ```ts
 * import { get, remote } from 'mobula'
 * const count = remote(function* (to: number) {
 *   for (let k = 0; k < to; k++) yield k
 * })
 * for await (const ref of count.remote(3)) console.log(await get(ref)) // 0, 1, 2
 * ```
 */
export class ObjectRefGenerator<out T = unknown> implements AsyncIterableIterator<ObjectRef<T>, undefined, unknown> {
  readonly #stream: RefStream

  /** @internal */
  constructor(stream: RefStream) {
    this.#stream = stream
  }

  /**
   * A ref to the next item, when it is there. If the producer failed, one ref rejects with its error, and after that there are none.
   *
   * @throws {ShutdownError} as a rejection, after `shutdown`
   */
  next(): Promise<IteratorResult<ObjectRef<T>, undefined>> {
    return this.#stream.next(this) as Promise<IteratorResult<ObjectRef<T>, undefined>>
  }

  /** Wants no more items: the producer is cancelled, its `finally` blocks run, and what it has yielded is let go of. `break` does the same. */
  async return(_value?: unknown): Promise<IteratorResult<ObjectRef<T>, undefined>> {
    this.#stream.leave()
    return { done: true, value: undefined }
  }

  /**
   * A ref that is settled when the producer has ended: its value is what the generator returned. It waits for room as the producer does,
   * and does not keep the items coming: somebody has to take them.
   */
  completed(): ObjectRef<unknown> {
    return this.#stream.completed()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** As `return`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  toString(): string {
    return `ObjectRefGenerator(${this.#stream.task.id})`
  }

  static {
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: ObjectRefGenerator): string {
        return this.toString()
      },
    })
    streamIn = (generator) => generator.#stream
    isOne = (value) => #stream in value
  }
}

export const isRefGenerator = (value: unknown): value is ObjectRefGenerator => typeof value === 'object' && value !== null && isOne(value)

export const streamOf = (generator: ObjectRefGenerator<unknown>): RefStream => streamIn(generator)
