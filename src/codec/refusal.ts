/** A value that cannot be kept, on its way up from where it was met: each level adds its step of the path. */

import { CaptureError, SerializationError } from '../errors/errors.ts'
import { Again } from './capsules.ts'

/** Thrown inside the encoder only, and turned into a `SerializationError` at its border. Not an `Error`: it needs no stack. */
export class Refusal {
  readonly reason: string
  readonly cause: unknown
  /** True when user code threw, so that `undefined` as a cause is told from none. */
  readonly hasCause: boolean
  /** Met on the way through what a function takes along. */
  isCapture = false
  readonly #steps: string[] = []

  constructor(reason: string, cause?: { readonly thrown: unknown }) {
    this.reason = reason
    this.hasCause = cause !== undefined
    this.cause = cause?.thrown
  }

  /** Adds a step in front. Past a few hundred only the innermost and outermost are told. */
  under(step: string): this {
    this.#steps.push(step)
    return this
  }

  toError(root: string, prefix: string): CaptureError | SerializationError {
    const steps = this.#steps.toReversed()
    const path = steps.length > 40 ? [...steps.slice(0, 20), ' … ', ...steps.slice(-3)] : steps
    const options = this.hasCause ? { cause: this.cause } : {}
    if (this.isCapture) return new CaptureError(`${prefix}${root}${path.join('')}, which ${this.reason}`, options)
    return new SerializationError(`${prefix}${root}${path.join('')} ${this.reason}`, options)
  }
}

/** What was thrown while a value was read becomes a refusal: ours as it is, a full stack by its name, a getter's error as the cause. */
export const refusalOf = (thrown: unknown): Refusal => {
  if (thrown instanceof Refusal) return thrown
  // No failure: the encoding starts over.
  if (thrown instanceof Again) throw thrown
  if (isFullStack(thrown)) {
    return new Refusal('is nested too deeply for the stack that is left here; flatten it, or refer to children by index')
  }
  return new Refusal('threw while it was read; the error is the cause', { thrown })
}

/** A regular expression that finds no stack left says so with a `SyntaxError`. */
const isFullStack = (thrown: unknown): boolean =>
  (thrown instanceof RangeError && thrown.message.startsWith('Maximum call stack')) ||
  (thrown instanceof SyntaxError && thrown.message.endsWith('Stack overflow'))

/** For a catch clause around one child: passes the failure on, with the child's step added. */
export const failUnder = (thrown: unknown, step: string): never => {
  throw refusalOf(thrown).under(step)
}

/** The same around what a function takes along. */
export const failCapture = (thrown: unknown, step: string): never => {
  const refusal = refusalOf(thrown)
  refusal.isCapture = true
  throw refusal.under(step)
}

/** The step to a property, as one would write it: `.name`, `[3]`, `["a b"]`. */
export const stepTo = (key: string | number): string => {
  if (typeof key === 'number') return `[${key}]`
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) return `.${key}`
  return /^(0|[1-9]\d{0,9})$/.test(key) ? `[${key}]` : `[${JSON.stringify(key.length > 60 ? `${key.slice(0, 60)}…` : key)}]`
}
