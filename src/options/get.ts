/** Options of `get`, `getSync` and `wait`: raw as users write them, resolved as the runtime needs them. */

import { checkOptions, optionalBoolean, optionalInteger, optionalNumber, optionalSignal } from './check.ts'

export interface GetOptions {
  /** Milliseconds to wait at most; then `GetTimeoutError`, and the work goes on. Default: no limit. */
  readonly timeout?: number
  /** Ends the wait; the rejection is the signal's reason. */
  readonly signal?: AbortSignal
  /** Give binary data as private, ordinary memory instead of views of the store. Costs a copy. Default: false. */
  readonly copy?: boolean
}

export interface WaitOptions {
  /** So many settled refs end the wait. Default: 1. */
  readonly numReturns?: number
  /** Milliseconds to wait at most; 0 asks without waiting. Default: no limit. */
  readonly timeout?: number
  /** Ends the wait; the rejection is the signal's reason. */
  readonly signal?: AbortSignal
}

/** How long a wait may take, resolved. */
export interface Limits {
  /** Milliseconds; undefined: no limit. */
  readonly timeout: number | undefined
  readonly signal: AbortSignal | undefined
}

/** The options of `get`, resolved. */
export interface GetLimits extends Limits {
  readonly copy: boolean
}

const NO_LIMITS: GetLimits = { timeout: undefined, signal: undefined, copy: false }

export const resolveGet = (options: unknown, where: string): GetLimits => {
  if (options === undefined) return NO_LIMITS
  const raw = checkOptions(options, `${where}: options`, ['timeout', 'signal', 'copy'], [])
  return {
    timeout: optionalNumber(raw.timeout, 'options.timeout', 0),
    signal: optionalSignal(raw.signal, 'options.signal'),
    copy: optionalBoolean(raw.copy, 'options.copy') ?? false,
  }
}

export const resolveWait = (options: unknown, count: number): Limits & { numReturns: number } => {
  const raw = checkOptions(options, 'wait: options', ['numReturns', 'timeout', 'signal'], [])
  return {
    numReturns: optionalInteger(raw.numReturns, 'options.numReturns', 1, Math.max(1, count)) ?? 1,
    timeout: optionalNumber(raw.timeout, 'options.timeout', 0),
    signal: optionalSignal(raw.signal, 'options.signal'),
  }
}
