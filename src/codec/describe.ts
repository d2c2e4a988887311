/** What is left of a thrown value that cannot be kept: its class, name, message and stack, and those of its parts that can travel. */

import { inspect } from 'node:util'
import { SerializationError } from '../errors/errors.ts'
import { blankTaskError, isError } from '../errors/task-error.ts'

const CAUSES_MAX = 8

type Probe = (value: unknown) => unknown

/** A value that surely encodes, in place of `thrown`, which failed to with `failure`. `probe` throws for what cannot be kept. */
export const describeThrown = (thrown: unknown, failure: unknown, probe: Probe): unknown => {
  try {
    const described = isError(thrown) ? describeError(thrown, probe, 0) : describeOther(thrown, failure)
    probe(described)
    return described
  } catch {
    return new SerializationError('a task threw an error that can neither be kept nor described')
  }
}

const describeOther = (thrown: unknown, failure: unknown): SerializationError => {
  let shown = `a ${typeof thrown}`
  try {
    shown = inspect(thrown, { depth: 1, maxStringLength: 120, maxArrayLength: 8, customInspect: false })
  } catch {
    // The type has to do.
  }
  return new SerializationError(
    `the task threw ${shown.slice(0, 300)}, which cannot be kept: ${failure instanceof Error ? failure.message : 'it failed to encode'}`,
  )
}

/** The same error without the parts that fail; `notKept` lists them. */
const describeError = (error: Error, probe: Probe, depth: number): Error => {
  const copy = blankTaskError()
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object | null)
  const notKept: string[] = []
  const keep = (key: string, value: unknown, enumerable: boolean): void => {
    Object.defineProperty(copy, key, { value, enumerable, writable: true, configurable: true })
  }
  for (const key of ['name', 'message', 'stack']) {
    const value = read(error, key)
    if (typeof value === 'string' && read(copy, key) !== value) keep(key, value, false)
  }
  for (const key of ownKeys(error)) {
    if (key === 'name' || key === 'message' || key === 'stack') continue
    const value = read(error, key)
    const enumerable = key !== 'cause' && key !== 'errors'
    try {
      probe(value)
      keep(key, value, enumerable)
    } catch (failure) {
      notKept.push(`${key}: ${failure instanceof Error ? failure.message.replace(/^error /, '') : 'cannot be kept'}`)
      if (key === 'cause' && isError(value) && depth < CAUSES_MAX) keep(key, describeError(value, probe, depth + 1), false)
      if (key === 'errors' && Array.isArray(value) && depth < CAUSES_MAX) {
        keep(
          key,
          value.map((inner: unknown) => (isError(inner) ? describeError(inner, probe, depth + 1) : String(typeof inner))),
          false,
        )
      }
    }
  }
  keep('notKept', notKept, true)
  return copy
}

const ownKeys = (error: Error): string[] => {
  const keys = new Set(Object.keys(error))
  for (const key of ['cause', 'errors']) if (Object.hasOwn(error, key)) keys.add(key)
  return [...keys]
}

const read = (from: object, key: string): unknown => {
  try {
    return (from as Record<string, unknown>)[key]
  } catch {
    return undefined
  }
}
