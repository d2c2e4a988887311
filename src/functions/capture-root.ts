/** The function whose captures are asked for, and what its user says of them, while it and what it takes along are encoded. */

import type { Capsule } from '../codec/capsules.ts'

type AnyFunction = (...args: never[]) => unknown

/** What a user says about one function's captures. */
export interface CaptureWishes {
  /** Values of names around the function, instead of those that are there. */
  readonly captures?: Readonly<Record<string, unknown>> | undefined
  /** Modules whose exports travel by value. */
  readonly byValue?: readonly string[] | undefined
  /** Modules whose own functions and classes are imported by workers. */
  readonly byReference?: readonly string[] | undefined
}

export interface CaptureRoot {
  readonly fn: AnyFunction
  readonly wishes: CaptureWishes
  /** URL of the file that called `remote`, for Nodes that cannot tell where the function stands. */
  readonly file?: string
  /** What the function came to, when it was taken apart. */
  capsule?: Capsule
  /** Nothing is to be stored for what else it takes along: it is only asked what that would be. */
  readonly isDry?: boolean
}

let root: CaptureRoot | undefined

/** What is encoded in `write` is `fn` and all that it takes along. */
export const withRoot = <T>(next: CaptureRoot, write: () => T): T => {
  const before = root
  root = next
  try {
    return write()
  } finally {
    root = before
  }
}

/** What is encoded now, if it is a function and what it takes along. */
export const rootNow = (): CaptureRoot | undefined => root
