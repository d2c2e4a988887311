/** The methods of a class, as far as they can be known before there is an instance. */

import { types } from 'node:util'
import type { AnyClass } from './record.ts'

export interface Methods {
  /** Of the class and those that it extends, without accessors and what is not called by name. */
  readonly names: readonly string[]
  /** Fields of instances, as far as texts tell: they may hold functions. */
  readonly fields: readonly string[]
  /** Instances may have fields whose names no text tells. */
  readonly isOpen: boolean
  /** One of them is declared `async`. */
  readonly hasAsync: boolean
  /** Those that are generators. */
  readonly generators: readonly string[]
}

/** What the object behind a class's own chain ends with. */
const ROOTS = new Set<unknown>([Object.prototype, Function.prototype, null])

const textOf = (Class: unknown): string => (typeof Class === 'function' ? Function.prototype.toString.call(Class) : '')

/** Fields are made, and named, where nobody sees it. */
const NAMES_AT_RUN_TIME = /\bthis\s*\[|Object\.(?:assign|defineProperty|defineProperties)\b|Reflect\.(?:set|defineProperty)\b|\[native code\]/

/** Something that may be assigned to `this`, or declared as a field; more than there is does no harm. */
const FIELD = /(?:\bthis\.|[;{}\n]\s*)([\w$]+)\s*(?:=(?!=)|\?\?=|\|\|=|;)/g

export const methodsOf = (Class: AnyClass): Methods => {
  const names = new Set<string>()
  const fields = new Set<string>()
  let isOpen = false
  let hasAsync = false
  const generators = new Set<string>()
  for (let prototype: unknown = Class.prototype; !ROOTS.has(prototype); prototype = Object.getPrototypeOf(prototype)) {
    const own: Record<string, PropertyDescriptor> = Object.getOwnPropertyDescriptors(prototype as object)
    for (const [name, { value }] of Object.entries(own)) {
      if (name === 'constructor' || typeof value !== 'function') continue
      // What a class above has under this name is hidden.
      if (!names.has(name) && types.isGeneratorFunction(value)) generators.add(name)
      names.add(name)
      hasAsync ||= types.isAsyncFunction(value)
    }
    const text = textOf(own['constructor']?.value)
    isOpen ||= NAMES_AT_RUN_TIME.test(text)
    for (const [, name = ''] of text.matchAll(FIELD)) fields.add(name)
  }
  return { names: [...names], fields: [...fields], isOpen, hasAsync, generators: [...generators] }
}

/** So many calls of an actor go on at once, if nothing is said. */
export const concurrencyOf = (hasAsync: boolean): number => (hasAsync ? 1000 : 1)
