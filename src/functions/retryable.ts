/** Which errors let a task run again: described where the option is given, and asked on the worker. */

import { keyFor } from '../codec/classes.ts'
import { badType } from '../errors/bad-input.ts'
import { MobulaError, SerializationError } from '../errors/errors.ts'
import { describeFunction } from './record.ts'

// biome-ignore lint/suspicious/noExplicitAny: any constructor of errors
export type ErrorClass = abstract new (...args: any[]) => Error

/**
 * What is said: all of them, none, those of classes by name (built in) or key; or what travels with the function: a predicate, or classes of
 * which some are by value.
 */
export type Retryable = boolean | { readonly builtin: readonly string[]; readonly keys: readonly string[] } | { readonly held: unknown }

/** The same in a record: what travels with the function is in the object that it brings along. */
export type RetryableNote = Exclude<Retryable, { held: unknown }> | typeof HELD

export const HELD = 'held'

const BUILTIN: ReadonlyMap<unknown, string> = new Map<unknown, string>(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map((Class) => [Class, Class.name]),
)

const expected = 'a boolean, a list of error classes, or a function of the error'

/** Checks and describes what `retryExceptions` says. */
export const optionalRetryable = (value: unknown): Retryable | undefined => {
  if (value === undefined || typeof value === 'boolean') return value
  if (Array.isArray(value)) return ofClasses(value)
  if (typeof value !== 'function' || isErrorClass(value)) throw badType('options.retryExceptions', expected, value)
  describeFunction(value)
  return { held: value }
}

const isErrorClass = (value: unknown): value is ErrorClass => typeof value === 'function' && (value === Error || value.prototype instanceof Error)

const ofClasses = (classes: readonly unknown[]): Retryable => {
  const builtin: string[] = []
  const keys: string[] = []
  for (const [k, Class] of classes.entries()) {
    if (!isErrorClass(Class)) throw badType(`options.retryExceptions[${k}]`, 'a class of errors', Class)
    const name = nameOf(Class)
    if (name !== undefined) {
      builtin.push(name)
      continue
    }
    const found = keyFor(Class)
    if ('isValue' in found) return { held: classes }
    if (!('key' in found)) throw new SerializationError(`options.retryExceptions[${k}]: ${Class.name} is not known to workers: ${found.reason}`)
    keys.push(withoutText(found.key))
  }
  return { builtin, keys }
}

/** The name of a class that every thread has: the language's, and this package's. */
const nameOf = (Class: ErrorClass): string | undefined => {
  const name = BUILTIN.get(Class)
  if (name !== undefined) return name
  const isOurs = Class === MobulaError || Class.prototype instanceof MobulaError
  return isOurs && Object.hasOwn(Class.prototype, 'name') ? `mobula.${(Class.prototype as Error).name}` : undefined
}

/** The question itself; `held`: what came with the function. What a predicate throws goes to who asks. */
export const makeRetryable = (retryable: RetryableNote | undefined, held: unknown): ((error: unknown) => boolean) => {
  if (retryable === undefined || typeof retryable === 'boolean') return () => retryable === true
  if (retryable === HELD) {
    if (Array.isArray(held)) return (error) => held.some((Class: ErrorClass) => error instanceof Class)
    const predicate = held as (error: unknown) => unknown
    return (error) => predicate(error) === true
  }
  const { builtin, keys } = retryable
  return (error) => classesOf(error).some((Class) => builtin.includes(nameOf(Class) ?? '') || (keys.length > 0 && keys.includes(keyOf(Class))))
}

const keyOf = (Class: ErrorClass): string => {
  const found = keyFor(Class)
  return 'key' in found ? withoutText(found.key) : ''
}

/** A thread that has imported the module knows the class by its export alone. */
const withoutText = (key: string): string => key.replace(/~[^#]*$/, '')

/** The class of an error and those above it. */
const classesOf = (error: unknown): ErrorClass[] => {
  const classes: ErrorClass[] = []
  if (!(error instanceof Error)) return classes
  for (let prototype: unknown = Object.getPrototypeOf(error); prototype instanceof Object || prototype === Error.prototype; ) {
    const made = Object.getOwnPropertyDescriptor(prototype as object, 'constructor')?.value as unknown
    if (isErrorClass(made)) classes.push(made)
    prototype = Object.getPrototypeOf(prototype as object)
  }
  return classes
}
