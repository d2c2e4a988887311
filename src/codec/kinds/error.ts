/** Kind: errors: class, name, message, stack, cause, code, own properties. Builtin and registered classes revive as themselves. */

import * as mobula from '../../errors/errors.ts'
import { blankTaskError, fillTaskError } from '../../errors/task-error.ts'
import { classFor, hidesState, keyFor, travels } from '../classes.ts'
import { PAYLOAD_SHIFT, REFERENCED, TAG } from '../layout.ts'
import type { ErrorClass, Reader } from '../reader.ts'
import { failUnder, Refusal, stepTo } from '../refusal.ts'
import { classNameOf } from '../refuse.ts'
import type { Writer } from '../writer.ts'

/** Which parts follow, in this order. Name and message always do. */
const HAS = { cause: 1, errors: 2, code: 4 } as const
const FLAGS_SHIFT = 16

/** By number: the order is part of the format. */
const bases: readonly ErrorClass[] = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError as unknown as ErrorClass,
  mobula.MobulaError,
  mobula.TaskError,
  mobula.WorkerCrashedError,
  mobula.WorkerSetupError,
  mobula.GetTimeoutError,
  mobula.ObjectStoreFullError,
  mobula.ObjectLostError,
  mobula.SerializationError,
  mobula.CaptureError,
  mobula.DeadlockError,
  mobula.ShutdownError,
  mobula.ObjectFreedError,
  mobula.OutOfDiskError,
  mobula.TaskCancelledError,
  mobula.TaskTimeoutError,
]

const baseNumbers = new Map<unknown, number>(bases.map((base, number) => [base.prototype, number]))
const namesOfBases = new Map<string, number>(bases.map((base, number) => [base.name, number]))

type Fields = Record<string, unknown>

/** A property of somebody else's error: its getters may throw, and an error has to travel all the same. */
const read = (error: object, key: string): unknown => {
  try {
    return (error as Fields)[key]
  } catch {
    return undefined
  }
}

const textOf = (error: object, key: string): string => {
  const value = read(error, key)
  return typeof value === 'string' ? value : ''
}

/** Own properties that are written by name, or are not the error's to give. */
const SPECIAL: ReadonlySet<string> = new Set(['stack', 'cause', 'errors'])

export const writeError = (writer: Writer, error: Error): void => {
  if (error instanceof mobula.TaskError && Object.hasOwn(error, 'taskCode') && Object.hasOwn(error, 'cause')) writeTaskError(writer, error)
  else writeThrowable(writer, error)
}

const writeThrowable = (writer: Writer, error: Error): void => {
  const { base, className, key } = identify(writer, error)
  if (writer.capsules > 0 && typeof key === 'function' && hidesState(error) === true)
    throw new Refusal(
      `is an instance of ${className}, which keeps state in #private fields, which nobody else can read; registerCodec(${className}, { encode, decode })`,
    )
  const code = Object.hasOwn(error, 'code') ? undefined : read(error, 'code')
  const hasCode = typeof code === 'string' || typeof code === 'number'
  const flags = (Object.hasOwn(error, 'cause') ? HAS.cause : 0) | (Object.hasOwn(error, 'errors') ? HAS.errors : 0) | (hasCode ? HAS.code : 0)
  writer.open(error, TAG.error | (base << PAYLOAD_SHIFT) | (flags << FLAGS_SHIFT))
  writer.value(className)
  writer.value(key)
  // Text as a rule, and otherwise kept as it is.
  writePart(writer, 'name', read(error, 'name') ?? '')
  writePart(writer, 'message', read(error, 'message') ?? '')
  writePart(writer, 'stack', read(error, 'stack'))
  if (hasCode) writer.value(code)
  if (flags & HAS.cause) writePart(writer, 'cause', read(error, 'cause'))
  if (flags & HAS.errors) writePart(writer, 'errors', read(error, 'errors'))
  const keys = Object.keys(error).filter((name) => !SPECIAL.has(name))
  writer.word(keys.length)
  for (const name of keys) {
    writer.value(name)
    writePart(writer, name, read(error, name))
  }
}

const writePart = (writer: Writer, name: string, value: unknown): void => {
  try {
    writer.value(value)
  } catch (failure) {
    failUnder(failure, stepTo(name))
  }
}

/** The nearest class that every thread has, and what is known of the error's own. */
const identify = (writer: Writer, error: Error): { base: number; className: string; key: string | ErrorClass } => {
  const className = classNameOf(error)
  let prototype: unknown = Object.getPrototypeOf(error)
  const own = prototype
  for (let step = 0; step < 100 && typeof prototype === 'object' && prototype !== null; step++) {
    const base = baseNumbers.get(prototype) ?? foreignBase(prototype)
    if (base !== undefined) {
      if (prototype === own) return { base, className: '', key: '' }
      const made = read(error, 'constructor')
      return { base, className, key: typeof made === 'function' && made.prototype === own ? keyOrNone(writer, made as ErrorClass) : '' }
    }
    prototype = Object.getPrototypeOf(prototype)
  }
  return { base: 0, className, key: '' }
}

/** An error travels without the key of its class, too: then it comes back by name. */
const keyOrNone = (writer: Writer, Class: ErrorClass): string | ErrorClass => {
  const found = keyFor(Class)
  if ('key' in found) return found.key
  return 'isValue' in found && (!writer.isThrown || travels(Class)) ? Class : ''
}

/** A builtin error class of another realm (a `vm` context): native, and named like one of ours. */
const foreignBase = (prototype: object): number | undefined => {
  const made = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown
  if (typeof made !== 'function') return undefined
  const number = namesOfBases.get(made.name)
  if (number === undefined) return undefined
  return Function.prototype.toString.call(made) === `function ${made.name}() { [native code] }` ? number : undefined
}

export const readError = (reader: Reader, head: number, at: number): Error => {
  const error = blankTaskError()
  if ((head & REFERENCED) !== 0) reader.remember(at, error)
  const flags = head >>> FLAGS_SHIFT
  const Base = bases[(head >>> PAYLOAD_SHIFT) & 0xff]
  if (Base === undefined) return reader.damaged('an error of an unknown class')
  const className = reader.value()
  const key = reader.value()
  const name = reader.value()
  const message = reader.value()
  if (typeof className !== 'string' || (typeof key !== 'string' && typeof key !== 'function')) return reader.damaged('an error class without a name')
  const Class = className === '' ? Base : (classNamed(reader, key as string | ErrorClass) ?? standIn(className, Base))
  if (Class !== Error) Object.setPrototypeOf(error, Class.prototype as object)
  hide(error, 'stack', reader.value())
  if (flags & HAS.code) {
    const code = reader.value()
    if (read(error, 'code') !== code) Object.defineProperty(error, 'code', { value: code, enumerable: true, writable: true, configurable: true })
  }
  if (flags & HAS.cause) hide(error, 'cause', reader.value())
  if (flags & HAS.errors) hide(error, 'errors', reader.value())
  const count = reader.unsigned()
  reader.expectBytes(count * 8)
  for (let index = 0; index < count; index++) {
    const property = reader.value()
    if (typeof property !== 'string') return reader.damaged('a key that is no string')
    Object.defineProperty(error, property, { value: reader.value(), enumerable: true, writable: true, configurable: true })
  }
  // What the class gives by itself stays there, so that the error has the own properties it had. One of that name came with the others.
  if (!Object.hasOwn(error, 'name') && read(error, 'name') !== name) hide(error, 'name', name)
  if (!Object.hasOwn(error, 'message') && read(error, 'message') !== message) hide(error, 'message', message)
  return error
}

const classNamed = (reader: Reader, key: string | ErrorClass): ErrorClass | undefined => {
  if (typeof key === 'function') return key
  const Class = key === '' ? undefined : (classFor(key) ?? reader.options.onUnknownClass?.(key))
  return Class?.prototype instanceof Error ? (Class as ErrorClass) : undefined
}

const STAND_INS_MAX = 1_000
const STAND_IN_UNITS_MAX = 200
const standIns = new Map<string, ErrorClass>()

/** A class of that name, so that `error.constructor.name` and `inspect` say what the error was where its class is not known. */
const standIn = (name: string, Base: ErrorClass): ErrorClass => {
  const key = `${Base.name}\0${name}`
  let Class = standIns.get(key)
  if (Class === undefined) {
    if (standIns.size >= STAND_INS_MAX) standIns.clear()
    Class = { [name]: class extends Base {} }[name] as ErrorClass
    if (name.length <= STAND_IN_UNITS_MAX) standIns.set(key, Class)
  }
  return Class
}

const hide = (error: Error, key: string, value: unknown): void => {
  Object.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true })
}

/** The error of a failed task is its cause in another coat: it is made again from that. */
const writeTaskError = (writer: Writer, error: mobula.TaskError): void => {
  writer.open(error, TAG.taskError)
  writer.value(textOf(error, 'taskName'))
  writePart(writer, 'stack', read(error, 'stack'))
  writePart(writer, 'cause', error.cause)
}

export const readTaskError = (reader: Reader, head: number, at: number): mobula.TaskError => {
  const error = blankTaskError()
  if ((head & REFERENCED) !== 0) reader.remember(at, error)
  const taskName = reader.value()
  const stack = reader.value()
  if (typeof taskName !== 'string') return reader.damaged('a task without a name')
  return fillTaskError(error, reader.value(), { taskName, stack: typeof stack === 'string' ? stack : undefined })
}

/** `DOMException` keeps name and message in private state: only its constructor can set them. */
export const writeDomException = (writer: Writer, error: Error): void => {
  const hasCause = Object.hasOwn(error, 'cause')
  writer.open(error, TAG.domException | (hasCause ? HAS.cause << PAYLOAD_SHIFT : 0))
  writer.value(textOf(error, 'name'))
  writer.value(textOf(error, 'message'))
  writePart(writer, 'stack', read(error, 'stack'))
  if (hasCause) writePart(writer, 'cause', read(error, 'cause'))
}

export const readDomException = (reader: Reader, head: number, at: number): DOMException => {
  const name = reader.value()
  const message = reader.value()
  if (typeof name !== 'string' || typeof message !== 'string') return reader.damaged('an exception without text')
  const error = new DOMException(message, name)
  if ((head & REFERENCED) !== 0) reader.remember(at, error)
  hide(error, 'stack', reader.value())
  if ((head >>> PAYLOAD_SHIFT) & HAS.cause) hide(error, 'cause', reader.value())
  return error
}
