/** Classes: their text is evaluated again, without what was evaluated once and has changed since: what it extends, and static fields. */

import type { ClassRecord } from '../binding.ts'
import { isFunctionPrototype } from '../codec/realm.ts'
import { type Around, takeKeys } from './computed-keys.ts'
import { privateFieldsOf } from './inspector.ts'
import { captureRefusal } from './refuse-capture.ts'
import { BASE } from './template.ts'

type AnyClass = abstract new (...args: never[]) => object

export interface ClassParts {
  readonly text: string
  readonly base: unknown
  /** Private static fields, as they are now. */
  readonly privates: ReadonlyMap<string, unknown>
}

export const classParts = (Class: AnyClass, text: string, facts: ClassRecord, around: Around): ClassParts => {
  takeKeys(Class, text, facts, around)
  const units = text.split('')
  const blank = (start: number, end: number, instead = ''): void => {
    for (let k = start; k < end; k++) if (units[k] !== '\n') units[k] = instead[k - start] ?? ' '
  }
  const { heritage } = facts
  if (heritage !== undefined && heritage !== null) blank(heritage.start, heritage.end, /\s/.test(text[heritage.start - 1] ?? '') ? BASE : ` ${BASE}`)
  for (const { start, end, kind, name, isPrivate } of facts.statics) {
    if (kind === 'block') blank(start, end)
    else if (isPrivate) blank(start, end, `static ${name};`)
    else if (name === undefined || name === null || !isArrowOfItsOwn(Class, name, text)) blank(start, end)
  }
  const hasPrivates = facts.statics.some(({ isPrivate, kind }) => isPrivate && kind === 'field')
  return {
    text: units.join(''),
    base: heritage === undefined || heritage === null ? undefined : baseOf(Class),
    privates: hasPrivates ? onlyNamed(privateFieldsOf(Class), facts) : new Map(),
  }
}

const onlyNamed = (fields: ReadonlyMap<string, unknown>, { statics }: ClassRecord): ReadonlyMap<string, unknown> => {
  const names = new Set(statics.filter(({ isPrivate, kind }) => isPrivate && kind === 'field').map(({ name }) => name))
  const own = [...fields].filter(([name]) => names.has(name))
  if (own.length !== names.size) throw captureRefusal('has private static fields that cannot be seen here; keep them in an ordinary static field')
  return new Map(own)
}

const baseOf = (Class: AnyClass): unknown => {
  const base: unknown = Object.getPrototypeOf(Class)
  // A class that extends null inherits from what all functions do.
  return isFunctionPrototype(base) ? null : base
}

/** A static field whose value is an arrow that uses `this`, the class: it stays in the text. */
const isArrowOfItsOwn = (Class: AnyClass, name: string, text: string): boolean => {
  const value: unknown = Object.getOwnPropertyDescriptor(Class, name)?.value
  if (typeof value !== 'function' || value.prototype !== undefined) return false
  const own = Function.prototype.toString.call(value)
  return /\bthis\b/.test(own) && text.includes(own)
}
