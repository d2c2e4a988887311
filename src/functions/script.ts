/** Which file a function stands in, asked of V8's inspector in this very thread. Nothing is paused, and no debugger is disturbed. */

import type * as Inspector from 'node:inspector'
import { createRequire } from 'node:module'

type AnyFunction = abstract new (...args: never[]) => unknown

interface Remote {
  readonly result: { readonly objectId?: string }
}
interface InternalValue {
  readonly objectId?: string
  readonly value?: { readonly scriptId: string }
}
interface Properties {
  readonly internalProperties?: readonly { readonly name: string; readonly value?: InternalValue }[]
  readonly privateProperties?: readonly { readonly name: string; readonly value?: unknown }[]
}

const GROUP = 'mobula'
/** The function on its way to the inspector; it takes no arguments but text. */
const SLOT = '__mobula_function'

let session: Inspector.Session | undefined
let isMissing = false
const urls = new Map<string, string>()
let listed = Number.NEGATIVE_INFINITY

const connect = (): Inspector.Session | undefined => {
  if (session !== undefined || isMissing) return session
  try {
    const { Session } = createRequire(import.meta.url)('node:inspector') as typeof Inspector
    const made = new Session()
    made.connect()
    made.on('Debugger.scriptParsed', ({ params }) => {
      urls.set(params.scriptId, params.url)
    })
    session = made
  } catch {
    // A Node without inspector, or one that may not use it (`--permission`).
    isMissing = true
  }
  return session
}

/** `post` calls back before it returns when both ends are this thread. */
const ask = <T>(to: Inspector.Session, method: string, params: object): T | undefined => {
  let answer: T | undefined
  to.post(method, params, (error: Error | null, result?: object) => {
    if (error === null) answer = result as T
  })
  return answer
}

/** Reads the list of all scripts. Takes 20 to 150 ms the first time and 4 to 20 later, so it is done only for a script not seen before. */
const listScripts = (to: Inspector.Session): void => {
  listed = performance.now()
  ask(to, 'Debugger.enable', {})
  ask(to, 'Debugger.disable', {})
}

/** Asks about one object, which is let go of afterwards. */
const about = <T>(value: object, read: (to: Inspector.Session, properties: Properties) => T): T | undefined => {
  const to = connect()
  if (to === undefined) return undefined
  const holder = globalThis as Record<string, unknown>
  try {
    holder[SLOT] = value
    const objectId = ask<Remote>(to, 'Runtime.evaluate', { expression: `globalThis.${SLOT}`, objectGroup: GROUP })?.result.objectId
    const properties = objectId === undefined ? undefined : ask<Properties>(to, 'Runtime.getProperties', { objectId, ownProperties: true })
    return properties === undefined ? undefined : read(to, properties)
  } finally {
    delete holder[SLOT]
    ask(to, 'Runtime.releaseObjectGroup', { objectGroup: GROUP })
  }
}

export interface Place {
  /** URL of the script. */
  readonly url: string
  /** Made by a function, with variables of its call: another call makes another that looks the same. */
  readonly isInCall: boolean
}

/** Where a function or class was made; `undefined` for native ones. About 0.3 ms, 20 to 150 the first time. */
export const placeOf = (fn: AnyFunction): Place | undefined =>
  about(fn, (to, { internalProperties = [] }) => {
    const inside = (name: string): InternalValue | undefined => internalProperties.find((property) => property.name === name)?.value
    const scriptId = inside('[[FunctionLocation]]')?.value?.scriptId
    if (scriptId === undefined) return undefined
    if (!urls.has(scriptId)) listScripts(to)
    const url = urls.get(scriptId)
    const scopes = inside('[[Scopes]]')?.objectId
    return url === undefined ? undefined : { url, isInCall: scopes !== undefined && isInCall(to, scopes) }
  })

/** A CommonJS module is a call itself: its scope is the last of those. */
const isInCall = (to: Inspector.Session, objectId: string): boolean => {
  const list = ask<{ result: readonly { readonly name: string; readonly value?: { readonly description?: string } }[] }>(to, 'Runtime.getProperties', {
    objectId,
    ownProperties: true,
  })
  const kinds = (list?.result ?? []).map(({ value }) => value?.description ?? '')
  const calls = kinds.filter((kind) => kind.startsWith('Closure')).length
  return calls > (kinds.includes('Module') ? 0 : 1)
}

/** Whether an object has `#private` fields; `undefined` if that cannot be told. */
export const hasPrivateFields = (value: object): boolean | undefined =>
  about(value, (_to, { privateProperties = [] }) => privateProperties.some(({ value: field }) => field !== undefined))

/** Milliseconds before the list is read again for a module that was not in it. */
const STALE_AFTER = 1000

/** True if a module of this URL was loaded in this thread, so that importing it runs nothing. */
export const isLoaded = (url: string): boolean => {
  const known = (): boolean => [...urls.values()].includes(url)
  if (known()) return true
  const to = connect()
  if (to === undefined || performance.now() - listed < STALE_AFTER) return false
  listScripts(to)
  return known()
}
