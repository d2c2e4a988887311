/** Tells the codec how functions, classes and what both ends have travel. */

import type { Capsule, Encoding } from '../codec/capsules.ts'
import { setCapsules } from '../codec/capsules.ts'
import { capsuleOf, takeFunction, takeReference, takeSymbol } from './capture.ts'
import { CellSession, type Sighting } from './cells.ts'
import { takeClass } from './classes.ts'
import { textOf } from './facts.ts'
import { takeRemote } from './handle.ts'
import { idOf, nameThing, thingOf } from './origins.ts'
import { beginValue, makeValue } from './revive.ts'
import { flagsOf } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

const take = (value: unknown, encoding: Encoding): Capsule | undefined => {
  if (typeof value === 'symbol') return takeSymbol(value)
  if (typeof value !== 'function') return takeReference(value) ?? takeRemote(value) ?? takeAccessors(value)
  encoding.state ??= new CellSession(encoding.learnt as readonly Sighting[])
  const session = encoding.state as CellSession
  return takeClass(value as AnyFunction) ?? takeFunction(value as AnyFunction, session, isMaker(value as AnyFunction) ? nameThing(value) : (idOf(value) ?? ''))
}

/** Instances may be made with it, and have to be of one class wherever they are. */
const isMaker = (fn: AnyFunction): boolean => {
  const prototype = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value as object | undefined
  if (prototype === undefined || !Object.hasOwn(prototype, 'constructor')) return false
  const text = textOf(fn)
  return text.startsWith('class') || Reflect.ownKeys(prototype).length > 1 || /\bthis\b/.test(text)
}

/** An object with accessors, whose functions travel with it. */
const takeAccessors = (value: unknown): Capsule | undefined => {
  if (typeof value !== 'object' || value === null) return undefined
  const all = Object.entries(Object.getOwnPropertyDescriptors(value))
  const data = all.filter(([, { get, set }]) => (get ?? set) === undefined)
  const accessors = all.filter(([, { get, set }]) => (get ?? set) !== undefined)
  if (accessors.length === 0) return undefined
  const keys = accessors.map(([key, descriptor]) => ({ key, get: descriptor.get !== undefined, set: descriptor.set !== undefined, flags: flagsOf(descriptor) }))
  const functions = accessors.flatMap(([, { get, set }]) => [...(get === undefined ? [] : [get]), ...(set === undefined ? [] : [set])])
  const names = accessors.flatMap(([key, { get, set }]) => [...(get === undefined ? [] : [`.${key} (get)`]), ...(set === undefined ? [] : [`.${key} (set)`])])
  const rest = Object.fromEntries(data.map(([key, { value: own }]) => [key, own]))
  return capsuleOf({ kind: 'accessors', keys }, [rest, ...functions], ['', ...names])
}

setCapsules({
  take,
  known: thingOf,
  make: makeValue,
  begin: beginValue,
})
