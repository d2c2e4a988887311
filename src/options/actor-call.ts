/** Options of an actor's methods, and of single calls of them. */

import { badType } from '../errors/bad-input.ts'
import { optionalRetryable, type Retryable } from '../functions/retryable.ts'
import { checkOptions, optionalInteger, optionalSignal, optionalString } from './check.ts'
import { COUNT_MAX, optionalBackpressure, optionalLimit, RETURNS_MAX, type TaskOptions } from './task.ts'

export interface ActorCallOptions extends Pick<TaskOptions, 'name' | 'timeout' | 'numReturns' | 'retryExceptions' | 'backpressure' | 'signal'> {
  /** Counted among the calls of this group, of `concurrencyGroups`. Default: what `static methods` says; none. */
  readonly concurrencyGroup?: string
  /** How often the call is made again after the actor was lost under it, or after it threw what `retryExceptions` says. Default: the method's, the actor's. */
  readonly maxTaskRetries?: number
}

export interface ResolvedCall {
  readonly name?: string
  readonly limit?: number
  readonly returns?: number
  readonly group?: string
  readonly retries?: number
  readonly retryable?: Retryable
  readonly backpressure?: number
  readonly signal?: AbortSignal
}

const KNOWN = ['name', 'timeout', 'numReturns', 'concurrencyGroup', 'maxTaskRetries', 'retryExceptions', 'backpressure', 'signal']

/** `where` names the options: `add.options()`, or `static methods.add`. */
export const resolveCall = (options: unknown, where: string, argument = 'options'): ResolvedCall => {
  const raw = checkOptions(options, `${where}: ${argument}`, KNOWN, [])
  const all = {
    name: optionalString(raw.name, `${argument}.name`),
    limit: optionalLimit(raw.timeout, `${argument}.timeout`),
    returns: optionalInteger(raw.numReturns, `${argument}.numReturns`, 0, RETURNS_MAX),
    group: optionalString(raw.concurrencyGroup, `${argument}.concurrencyGroup`),
    retries: optionalInteger(raw.maxTaskRetries, `${argument}.maxTaskRetries`, -1, COUNT_MAX),
    retryable: optionalRetryable(raw.retryExceptions),
    backpressure: optionalBackpressure(raw.backpressure, `${argument}.backpressure`),
    signal: optionalSignal(raw.signal, `${argument}.signal`),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** `static methods` of a class, by method. */
export const resolveMethods = (methods: unknown, className: string): Readonly<Record<string, ResolvedCall>> => {
  if (methods === undefined) return {}
  const where = `class ${className}: static methods`
  if (typeof methods !== 'object' || methods === null) throw badType(where, 'an object of options by method', methods)
  const resolved: Record<string, ResolvedCall> = {}
  for (const [name, options] of Object.entries(methods)) resolved[name] = resolveCall(options, where, name)
  return resolved
}
