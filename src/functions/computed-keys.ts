/** Keys of members that are computed: they were evaluated where the class stands, and the receiver evaluates them again. Both have to come to the same. */

import type { ClassRecord } from '../binding.ts'
import { captureRefusal } from './refuse-capture.ts'

type AnyClass = abstract new (...args: never[]) => object

/** A name's value, and of how much of that it is certain that it was the same when the class was made. */
export interface Standing {
  readonly value: unknown
  readonly isCertain: 'not' | 'itself' | 'with its properties'
}

export interface Around {
  /** Takes a name along. False if it cannot be seen. */
  lookFor(name: string): boolean
  standing(name: string): Standing
}

export const takeKeys = (Class: AnyClass, text: string, { computedKeys, statics }: ClassRecord, around: Around): void => {
  for (const { start, end, free } of computedKeys) {
    // Static fields are not evaluated again.
    if (statics.some((field) => field.start <= start && end <= field.end)) continue
    for (const name of free) {
      if (!around.lookFor(name))
        throw captureRefusal(`has a member whose name is computed from ${name}, which cannot be seen any more; write the name, or use a symbol of the language`)
    }
    const key = text.slice(start, end).trim()
    const found = evaluate(key, around)
    if (found === undefined || !(found.isCertain !== 'not' || isMember(Class, found.value as PropertyKey, key)))
      throw captureRefusal(`has a member whose name is computed from ${key}, which may come to another name on a worker; keep the name in a const of its own`)
  }
}

const NAME = String.raw`[\p{ID_Start}$_][\p{ID_Continue}$]*`
const PATH = new RegExp(`^${NAME}(?:\\.${NAME})*$`, 'u')
const STRING = /^(?:'[^'\\\n]*'|"[^"\\\n]*")$/
const SHARED = /^Symbol\.for\((.*)\)$/
const TEMPLATE = /^`(?:[^`\\$]|\$\{[^`{}]*\})*`$/

/** What a key of a simple form comes to now. */
const evaluate = (key: string, around: Around): Standing | undefined => {
  if (STRING.test(key)) return { value: key.slice(1, -1), isCertain: 'itself' }
  if (/^\d+$/.test(key)) return { value: Number(key), isCertain: 'itself' }
  if (PATH.test(key)) return follow(key.split('.'), around)
  const shared = SHARED.exec(key)?.[1] ?? ''
  if (STRING.test(shared) && around.standing('Symbol').value === Symbol) return { value: Symbol.for(shared.slice(1, -1)), isCertain: 'itself' }
  return TEMPLATE.test(key) ? join(key, around) : undefined
}

const follow = ([root = '', ...path]: readonly string[], around: Around): Standing | undefined => {
  let { value, isCertain } = around.standing(root)
  for (const step of path) {
    const holder: unknown = value
    if (typeof holder !== 'function' && (typeof holder !== 'object' || holder === null)) return undefined
    const property = Object.getOwnPropertyDescriptor(holder, step)
    if (property === undefined || !('value' in property)) return undefined
    value = property.value
    if (isCertain !== 'with its properties' && !Object.isFrozen(holder)) isCertain = 'not'
  }
  return typeof value === 'string' || typeof value === 'symbol' || typeof value === 'number' ? { value, isCertain } : undefined
}

const join = (template: string, around: Around): Standing | undefined => {
  let isCertain: Standing['isCertain'] = 'itself'
  let text = ''
  // Texts and expressions in turn.
  for (const [at, part] of template
    .slice(1, -1)
    .split(/\$\{([^}]*)\}/)
    .entries()) {
    const found = at % 2 === 0 ? { value: part, isCertain } : evaluate(part.trim(), around)
    if (found === undefined || typeof found.value === 'symbol') return undefined
    if (found.isCertain === 'not') isCertain = 'not'
    text += String(found.value)
  }
  return { value: text, isCertain }
}

/** A method or an accessor that has this key, and was written with it. */
const isMember = (Class: AnyClass, key: PropertyKey, written: string): boolean =>
  [Class.prototype as object, Class].some((holder) => {
    const { value, get, set }: PropertyDescriptor = Object.getOwnPropertyDescriptor(holder, key) ?? {}
    const member: unknown = value ?? get ?? set
    const text = typeof member === 'function' ? Function.prototype.toString.call(member) : ''
    const opening = /^(?:async\b|get\b|set\b|[*\s])*\[\s*/.exec(text)?.[0]
    return opening !== undefined && text.startsWith(written, opening.length)
  })
