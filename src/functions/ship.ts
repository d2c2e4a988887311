/** Tells the codec how functions, classes and what both ends have travel. */

import { types } from 'node:util'
import type { Capsule, Encoding } from '../codec/capsules.ts'
import { setCapsules } from '../codec/capsules.ts'
import { takeFunction } from './capture.ts'
import { CellSession, type Sighting } from './cells.ts'
import { takeClass } from './classes.ts'
import { takeCodec } from './codecs.ts'
import { textOf } from './facts.ts'
import { takeRemote } from './handle.ts'
import { takeObject } from './objects.ts'
import { idOf, nameThing, thingOf } from './origins.ts'
import { takeImported, takeNamed, takeReference, takeShared, takeSymbol } from './references.ts'
import { captureRefusal } from './refuse-capture.ts'
import { beginValue, makeValue, refreshValue } from './revive.ts'

type AnyFunction = (...args: never[]) => unknown

const take = (value: unknown, encoding: Encoding): Capsule | undefined => {
  if (typeof value === 'symbol') return (encoding.state === undefined ? undefined : takeImported(value, encoding.state as CellSession)) ?? takeSymbol(value)
  if (encoding.state === undefined && typeof value !== 'function') return takeReference(value) ?? takeRemote(value) ?? takeCodec(value)
  encoding.state ??= new CellSession(encoding.learnt as readonly Sighting[])
  const session = encoding.state as CellSession
  const imported = takeImported(value as object, session)
  if (imported !== undefined) return imported
  if (types.isProxy(value)) return takeNamed(value as object) ?? (typeof value === 'function' ? takeFunction(value as AnyFunction, session, '') : undefined)
  if (typeof value !== 'function') {
    if (!ArrayBuffer.isView(value)) session.noteHolder(value as object)
    return (
      takeReference(value) ??
      takeRemote(value) ??
      takeCodec(value) ??
      takeShared(value as object) ??
      takeObject(value as object) ??
      refuseLosses(value as object)
    )
  }
  const fn = value as AnyFunction
  const reference = takeReference(fn)
  if (reference !== undefined) return reference
  return takeClass(fn, session.home) ?? takeFunction(fn, session, isMaker(fn) ? nameThing(fn) : (idOf(fn) ?? ''))
}

/** What lies beside the content of a collection, a date, an error or an array would be lost without a word. */
const refuseLosses = (value: object): undefined => {
  if (
    ArrayBuffer.isView(value) ||
    (!types.isMap(value) && !types.isSet(value) && !types.isDate(value) && !types.isRegExp(value) && !types.isNativeError(value))
  )
    return undefined
  for (const key of Reflect.ownKeys(value)) {
    const descriptor = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor
    const isAccessor = (descriptor.get ?? descriptor.set) !== undefined && key !== 'stack'
    if (typeof key === 'symbol' || isAccessor)
      throw captureRefusal(`has the ${isAccessor ? 'accessor' : 'property'} ${String(key)}, which does not travel; keep it beside the object`)
  }
  return undefined
}

/** Instances may be made with it, and have to be of one class wherever they are. */
const isMaker = (fn: AnyFunction): boolean => {
  const prototype = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value as object | undefined
  if (prototype === undefined || !Object.hasOwn(prototype, 'constructor')) return false
  const text = textOf(fn)
  return text.startsWith('class') || Reflect.ownKeys(prototype).length > 1 || /\bthis\b/.test(text)
}

setCapsules({
  take,
  known: thingOf,
  refresh: refreshValue,
  make: makeValue,
  begin: beginValue,
})
