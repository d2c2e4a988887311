/** Checks of raw options that several kinds of options share. */

import type { ResourceLimits } from 'node:worker_threads'
import { badRange, badType, notSupported, unknownOption } from '../errors/bad-input.ts'
import { isObjectRef } from '../refs/object-ref.ts'

/** Refuses what is no options object, names nobody knows, and names of the contract that are not built yet. */
export const checkOptions = (options: unknown, where: string, known: readonly string[], later: readonly string[]): Readonly<Record<string, unknown>> => {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null || !isPlain(options)) throw badType(where, expected(options), options)
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    if (later.includes(name)) throw notSupported(`${where}: option '${name}'`)
    throw unknownOption(name, [...known, ...later], where)
  }
  return options as Readonly<Record<string, unknown>>
}

/** A ref, a date or an array has no options in it: taking one for an empty record would hide a mistake. */
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const expected = (value: unknown): string => (isObjectRef(value) ? 'an object of options (several refs go in as a list: [a, b])' : 'an object')

export const optionalNumber = (value: unknown, argument: string, min: number, max: number = Number.POSITIVE_INFINITY): number | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw badType(argument, 'a number', value)
  if (!(value >= min && value <= max)) {
    if (min === max) throw badRange(argument, `${min}`, value)
    throw badRange(argument, max === Number.POSITIVE_INFINITY ? `a number of at least ${min}` : `a number from ${min} to ${max}`, value)
  }
  return value
}

export const optionalInteger = (value: unknown, argument: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number | undefined => {
  const number = optionalNumber(value, argument, min, max)
  if (number !== undefined && !Number.isInteger(number)) throw badRange(argument, 'an integer', value)
  return number
}

export const optionalString = (value: unknown, argument: string): string | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw badType(argument, 'a string', value)
  return value
}

export const optionalBoolean = (value: unknown, argument: string): boolean | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'boolean') throw badType(argument, 'a boolean', value)
  return value
}

export const optionalSignal = (value: unknown, argument: string): AbortSignal | undefined => {
  if (value === undefined) return undefined
  if (!(value instanceof AbortSignal)) throw badType(argument, 'an AbortSignal', value)
  return value
}

/** A copy: what is changed afterwards changes nothing. */
export const optionalRecord = (value: unknown, argument: string): Readonly<Record<string, unknown>> | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || !isPlain(value)) throw badType(argument, 'an object of values by name', value)
  return { ...value }
}

export const optionalStrings = (value: unknown, argument: string): readonly string[] | undefined => {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw badType(argument, 'a list of strings', value)
  return value.map((one: unknown, k) => {
    if (typeof one !== 'string') throw badType(`${argument}[${k}]`, 'a string', one)
    return one
  })
}

/** Limits of a thread's memory, in MB, as `worker_threads` has them. */
export const optionalResourceLimits = (value: unknown): ResourceLimits | undefined => {
  if (value === undefined) return undefined
  const known = ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb', 'codeRangeSizeMb', 'stackSizeMb']
  const raw = checkOptions(value, 'options.resourceLimits', known, [])
  for (const name of known) optionalNumber(raw[name], `options.resourceLimits.${name}`, 0)
  return raw as ResourceLimits
}
