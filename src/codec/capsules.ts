/** What travels by its description, not by its content: functions, classes, and what both ends have anyway. What descriptions say is nothing that this room knows. */

/** One value, taken apart. */
export interface Capsule {
  /** What it is, as text that is the same for all of its kind: a receiver makes things of it once. */
  readonly template: string
  /** What belongs to this one. They travel as values; what a message calls each of them is in `steps`, or asked of it. */
  readonly values: readonly unknown[]
  readonly steps: readonly string[] | ((at: number) => string)
  /** Names the very value on all threads, so that it is one thing wherever it comes to; empty: a copy will do. */
  readonly id: string
}

/** A value that exists before what belongs to it, which may refer back to it. */
export interface Unfinished {
  readonly value: object
  finish(values: readonly unknown[]): void
}

export interface Capsules {
  /** Takes a value apart; `undefined`: it is none that does this. Throws a refusal. */
  take(value: unknown, encoding: Encoding): Capsule | undefined
  /** A value that a capsule says, or said, is here: this very one. */
  known(id: string): object | undefined
  /** What is known came along again. */
  refresh(value: object, template: string, values: readonly unknown[], id: string): void
  make(template: string, values: readonly unknown[], id: string): unknown
  /** The same where something among the values refers back to it. */
  begin(template: string, id: string): Unfinished
}

/** Objects that travel by their description extend it. */
export class Taken {}

/** Thrown by `take`: what was learnt now would have changed what was written before. The encoding starts over, and is given this. */
export class Again {
  readonly learnt: readonly unknown[]

  constructor(learnt: readonly unknown[]) {
    this.learnt = learnt
  }
}

/** What one encoding remembers of what it took apart. */
export interface Encoding {
  readonly learnt: readonly unknown[]
  /** Whoever takes apart keeps here what it likes. */
  state: unknown
}

let capsules: Capsules | undefined

export const setCapsules = (all: Capsules): void => {
  capsules = all
}

export const capsulesHere = (): Capsules | undefined => capsules
