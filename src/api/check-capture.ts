/** `checkCapture`: what a function would take along, without shipping it. */

import { CaptureError, type MobulaError } from '../errors/errors.ts'
import { describeFunction } from '../functions/record.ts'
import { type CapturedName, reportCapture } from '../functions/report.ts'
import type { AnyFunction } from './types.ts'

export type { CapturedName }

export interface CaptureReport {
  /** It can ship. */
  readonly ok: boolean
  /** The names around the function that it uses, in the order of their first use. */
  readonly names: readonly CapturedName[]
  /** Why it cannot. */
  readonly error?: CaptureError
}

/**
 * Reports what a function would take along if `.remote()` were called now. Nothing is sent, stored or kept. Takes what a first call takes.
 *
 * @throws {TypeError} if `fn` is no function
 * @example
 * ```ts
 * import { checkCapture } from 'mobula'
 * import { basename } from 'node:path'
 * const rates = new Map([['EUR', 1.1]])
 * const { ok, names } = checkCapture((path: string) => rates.get(basename(path)))
 * console.log(ok, names.map(({ name, how }) => `${name}: ${how}`)) // true [ 'rates: value', 'basename: reference' ]
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: any class
export const checkCapture = (fn: AnyFunction | (abstract new (...args: any[]) => unknown)): CaptureReport => {
  try {
    if (typeof fn !== 'function' || !isClass(fn)) describeFunction(fn)
    const { names, error } = reportCapture(fn as never)
    return error === undefined ? { ok: true, names } : { ok: false, names, error: asCaptureError(error) }
  } catch (error) {
    if (error instanceof CaptureError) return { ok: false, names: [], error }
    throw error
  }
}

const isClass = (fn: object): boolean => /^class\b/.test(Function.prototype.toString.call(fn))

const asCaptureError = (error: MobulaError): CaptureError => (error instanceof CaptureError ? error : new CaptureError(error.message, { cause: error }))
