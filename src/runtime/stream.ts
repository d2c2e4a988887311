/** The consumer's end of a stream: asks for items, and tells when they are there. */

import type { Engine, WaitStatus } from '../engine/engine.ts'
import { ShutdownError } from '../errors/errors.ts'
import { fromCode } from '../errors/from-code.ts'
import { type ObjectRef, partsOf } from '../refs/object-ref.ts'
import { ObjectRefGenerator, type RefStream } from '../refs/object-ref-generator.ts'
import { runningTask } from './running.ts'

type Result = IteratorResult<ObjectRef, undefined>

/** So many items in a row are given without a turn of the event loop, in which finalizers run. */
const STRAIGHT_MAX = 256

const over = (): Result => ({ done: true, value: undefined })

class Stream implements RefStream {
  readonly task: ObjectRef
  readonly #engine: Engine
  /** The slot of the next item, if somebody has asked whether it is there. */
  #peeked: ObjectRef | undefined
  /** No more items are asked for. */
  #isOver = false
  #completed: ObjectRef | undefined
  #straight = 0
  /** Calls of `next` that wait, each with the generator, which is not forgotten meanwhile. */
  readonly #holders = new Map<symbol, object>()

  constructor(engine: Engine, task: ObjectRef) {
    this.#engine = engine
    this.task = task
  }

  next(holder: object): Promise<Result> {
    if (this.#isOver) return Promise.resolve(over())
    const engine = this.#engine
    if (engine.isStopped) return Promise.reject(this.#stopped())
    try {
      const ref = this.#peeked ?? engine.nextItem(partsOf(this.task))
      this.#peeked = undefined
      engine.tookItem(partsOf(this.task))
      const found = this.#look(ref)
      if (found === undefined) return this.#later(ref, holder)
      this.#straight += 1
      return this.#straight % STRAIGHT_MAX === 0 ? new Promise((resolve) => setImmediate(resolve, found)) : Promise.resolve(found)
    } catch (error) {
      // The runtime was shut down meanwhile.
      return Promise.reject(fromCode(error))
    }
  }

  /** What is in the slot of an item; undefined: nothing yet. */
  #look(ref: ObjectRef): Result | undefined {
    const state = this.#engine.itemState(ref)
    if (state === 'pending') return undefined
    if (state === 'there') return { done: false, value: ref }
    ref[Symbol.dispose]()
    this.#isOver = true
    return over()
  }

  #later(ref: ObjectRef, holder: object): Promise<Result> {
    const engine = this.#engine
    const task = runningTask()
    if (task?.ended !== undefined) return Promise.reject(task.ended)
    const number = Symbol()
    this.#holders.set(number, holder)
    return new Promise((resolve, reject) => {
      let unhook: (() => void) | undefined
      const watch = engine.watch(ref, (status: WaitStatus) => {
        unhook?.()
        this.#holders.delete(number)
        if (status === 'stopped') reject(this.#stopped())
        else if (status === 'ready') resolve(this.#look(ref) ?? over())
      })
      unhook = task?.whenEnded((reason) => {
        reject(reason)
        engine.endWatch(watch)
      })
      engine.flush()
    })
  }

  #stopped(): ShutdownError {
    return new ShutdownError(`stream of ${this.task}: the runtime it belongs to was shut down`)
  }

  completed(): ObjectRef {
    const known = this.#completed
    if (known !== undefined && !partsOf(known).released) return known
    this.#completed = this.#engine.again(this.task)
    return this.#completed
  }

  peek(): ObjectRef {
    // Over means that the task has ended, too.
    if (this.#isOver) return this.task
    this.#peeked ??= this.#engine.nextItem(partsOf(this.task))
    return this.#peeked
  }

  cancel(force: boolean, recursive: boolean): void {
    const engine = this.#engine
    const task = partsOf(this.task)
    if (engine.isOver(task)) return
    // An item that came before is let go of with those that nobody has asked for.
    if (this.#peeked !== undefined && engine.itemState(this.#peeked) === 'there') this.#dropPeeked()
    engine.cancel({ task, force, recursive })
  }

  leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#engine.isStopped) return
    this.#engine.leaveStream(partsOf(this.task))
    this.#dropPeeked()
  }

  #dropPeeked(): void {
    this.#peeked?.[Symbol.dispose]()
    this.#peeked = undefined
  }

  /** Nobody has the generator any more. */
  forget(): void {
    this.leave()
    this.task[Symbol.dispose]()
  }
}

const forgotten = new FinalizationRegistry<Stream>((stream) => stream.forget())

/** The generator that gives the items of a task, which was just submitted. */
export const openStream = (engine: Engine, task: ObjectRef): ObjectRefGenerator => {
  const stream = new Stream(engine, task)
  const generator = new ObjectRefGenerator(stream)
  forgotten.register(generator, stream)
  return generator
}
