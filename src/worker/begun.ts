/** A task that was begun on this thread and has not ended, as far as its own code can tell. */

import type { Assignment } from '../engine/engine.ts'
import { assignmentOf } from '../engine/local/assigned.ts'
import { TASK_BIRTH } from '../engine/local/layout.ts'
import type { Port } from '../engine/local/port.ts'
import type { RunningActor, RunningTask } from '../runtime/running.ts'

export class Begun<Loaded extends { readonly name: string; readonly role: { readonly instance: RunningActor } | undefined }> implements RunningTask {
  readonly port: Port
  readonly slot: number
  readonly generation: number
  readonly function: number
  readonly birth: number
  readonly loaded: Loaded
  /** Among those that go on. */
  place = -1
  /** The task inside of whose wait it runs. */
  outer: RunningTask | undefined
  #ended: Error | undefined
  #controller: AbortController | undefined
  #hooks: Set<(reason: Error) => void> | undefined

  constructor(port: Port, at: number, loaded: Loaded) {
    this.port = port
    this.slot = port.words[at] as number
    this.generation = port.words[at + 1] as number
    this.function = port.words[at + 2] as number
    this.birth = port.words[at + TASK_BIRTH] as number
    this.loaded = loaded
  }

  get name(): string {
    return this.loaded.name
  }

  get actor(): RunningActor | undefined {
    return this.loaded.role?.instance
  }

  get id(): string | undefined {
    return this.port.taskId(this.slot, this.generation)
  }

  get assignment(): Assignment {
    return assignmentOf(this)
  }

  get attempt(): number {
    return this.port.raw.attempt(this.slot, this.generation)
  }

  get ended(): Error | undefined {
    return this.#ended
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#ended !== undefined) this.#controller.abort(this.#ended)
    return this.#controller.signal
  }

  whenEnded(then: (reason: Error) => void): () => void {
    this.#hooks ??= new Set()
    const hooks = this.#hooks
    hooks.add(then)
    return () => hooks.delete(then)
  }

  /** Nobody wants it any more. Once. */
  end(reason: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    for (const hook of this.#hooks ?? []) hook(reason)
    this.#hooks = undefined
    this.#controller?.abort(reason)
  }
}
