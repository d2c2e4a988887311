/**
 * What V8's inspector tells about functions and objects, asked in this very thread: answers come before the question returns. Nothing is
 * paused, no debugger is disturbed, and everything that was asked about is let go of.
 */

import { existsSync } from 'node:fs'
import type * as Inspector from 'node:inspector'
import { createRequire } from 'node:module'
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { outermost } from '../codec/realm.ts'

type AnyFunction = abstract new (...args: never[]) => unknown

interface RemoteObject {
  readonly objectId?: string
  readonly value?: unknown
}
interface InternalProperty {
  readonly name: string
  readonly value?: RemoteObject
}
interface PrivateProperty {
  readonly name: string
  readonly value?: RemoteObject
}
interface Properties {
  readonly internalProperties?: readonly InternalProperty[]
  readonly privateProperties?: readonly PrivateProperty[]
}
interface Location {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber: number
}
interface Frame {
  readonly scriptId: string
  readonly url: string
}

/** One of the scopes around a function, as V8 shows them: variables that no function inside uses are not there. */
export interface Scope {
  /** `Closure (outer)`, `Block`, `Catch`, `Module`, `Script`, `Global`, … */
  readonly description: string
  /** A copy of the variables, by name. Reading one that has no value yet throws, from Node 22 on. */
  readonly object: Record<string, unknown>
}

export interface FunctionView {
  readonly scriptId: string
  /** Where its parameters begin, from 0. */
  readonly line: number
  readonly column: number
  /** The innermost first. */
  readonly scopes: readonly Scope[]
}

/** What `new Function` makes has nothing around it but the globals. */
export const isAlone = ({ scopes }: FunctionView): boolean => scopes.every(({ description }) => description === 'Global')

export interface BoundView {
  readonly target: unknown
  readonly self: unknown
  readonly args: readonly unknown[]
}

const GROUP = 'mobula'
/** Values on their way to and from the inspector, which takes nothing but text. */
const SLOT = '__mobula_slot'

let session: Inspector.Session | undefined
let isMissing = false
const urls = new Map<string, string>()
let listed = Number.NEGATIVE_INFINITY

/** Who evaluates texts may name them by a path, and may have a query behind that: both are told as Node tells them of modules. */
const noteUrl = (scriptId: string, url: string): void => {
  urls.set(scriptId, isAbsolute(url) ? withQuery(pathToFileURL(url).href) : withQuery(url))
}

const withQuery = (url: string): string => {
  const at = url.startsWith('file:') ? url.indexOf('%3F') : -1
  return at < 0 || existsSync(new URL(url)) ? url : `${url.slice(0, at)}?${decodeURIComponent(url.slice(at + '%3F'.length))}`
}

const connect = (): Inspector.Session | undefined => {
  if (session !== undefined || isMissing) return session
  try {
    const { Session } = createRequire(import.meta.url)('node:inspector') as typeof Inspector
    const made = new Session()
    made.connect()
    made.on('Debugger.scriptParsed', ({ params }) => {
      noteUrl(params.scriptId, params.url)
    })
    session = made
  } catch {
    // A Node without inspector, or one that may not use it (`--permission`).
    isMissing = true
  }
  return session
}

/** Whether functions can be asked what is around them. */
export const hasInspector = (): boolean => connect() !== undefined

/** `post` calls back before it returns when both ends are this thread. */
const ask = <T>(to: Inspector.Session, method: string, params: object): T | undefined => {
  let answer: T | undefined
  to.post(method, params, (error: Error | null, result?: object) => {
    if (error === null) answer = result as T
  })
  return answer
}

/** Reads the list of all scripts. Takes 20 to 150 ms the first time and 4 to 20 later, so it is done only for a script that nothing else tells of. */
const listScripts = (to: Inspector.Session): void => {
  listed = performance.now()
  ask(to, 'Debugger.enable', {})
  ask(to, 'Debugger.disable', {})
}

/** Learns the URLs of the scripts that are on the stack: an error that is thrown by way of the inspector tells them. About 0.5 ms. */
export const learnCallers = (): void => {
  const to = connect()
  if (to === undefined) return
  const holder = outermost()
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 200
  try {
    holder[SLOT] = fail
    ask(to, 'Runtime.enable', {})
    const thrown = ask<{ exceptionDetails?: { stackTrace?: { callFrames: Frame[] } } }>(to, 'Runtime.evaluate', {
      expression: `${SLOT}()`,
      silent: true,
      objectGroup: GROUP,
    })
    for (const { scriptId, url } of thrown?.exceptionDetails?.stackTrace?.callFrames ?? []) if (url !== '') noteUrl(scriptId, url)
  } finally {
    ask(to, 'Runtime.disable', {})
    unreleased += 1
    release(to)
    Error.stackTraceLimit = limit
  }
}

const fail = (): never => {
  throw new Error('mobula asks who called')
}

/** The URL of a script; empty for evaluated code. */
export const urlOfScript = (scriptId: string): string | undefined => {
  if (!urls.has(scriptId)) learnCallers()
  const to = session
  if (!urls.has(scriptId) && to !== undefined) listScripts(to)
  return urls.get(scriptId)
}

/** The URL of a script, if it is known without looking. */
export const knownUrl = (scriptId: string): string | undefined => urls.get(scriptId)

/** Whether the file that calls is known by its URL already, so that its functions will be found. */
export const knowsScript = (url: string): boolean => {
  for (const known of urls.values()) if (known === url) return true
  return false
}

/** Asks about one object, which is let go of afterwards. */
const about = <T>(value: object, read: (to: Inspector.Session, properties: Properties) => T): T | undefined => {
  const to = connect()
  if (to === undefined) return undefined
  const holder = outermost()
  try {
    holder[SLOT] = value
    // The cheapest way to the inspector's name for a value: nothing but the value is in the answer.
    const objectId = ask<{ result: RemoteObject }>(to, 'Runtime.evaluate', { expression: SLOT, objectGroup: GROUP })?.result.objectId
    const properties = objectId === undefined ? undefined : ask<Properties>(to, 'Runtime.getProperties', { objectId, ownProperties: true })
    return properties === undefined ? undefined : read(to, properties)
  } finally {
    holder[SLOT] = undefined
    releaseSoon(to)
  }
}

/** So many questions share one release, which costs as much as one of their parts. */
const RELEASED_TOGETHER = 64
let unreleased = 0

/** What was asked about stays alive until then: to the end of this turn, or of a burst. */
const releaseSoon = (to: Inspector.Session): void => {
  unreleased += 1
  if (unreleased === 1) queueMicrotask(() => release(to))
  else if (unreleased >= RELEASED_TOGETHER) release(to)
}

const release = (to: Inspector.Session): void => {
  if (unreleased === 0) return
  unreleased = 0
  delete outermost()[SLOT]
  ask(to, 'Runtime.releaseObjectGroup', { objectGroup: GROUP })
}

/** The values behind ids that the inspector gave. */
const valuesOf = (to: Inspector.Session, remotes: readonly (RemoteObject | undefined)[]): unknown[] => {
  const holder = outermost()
  const found: unknown[] = []
  holder[SLOT] = (value: unknown) => {
    found.push(value)
  }
  for (const remote of remotes) {
    const count = found.length
    if (remote?.objectId !== undefined)
      ask(to, 'Runtime.callFunctionOn', { objectId: remote.objectId, functionDeclaration: `function () { "use strict"; ${SLOT}(this) }`, silent: true })
    if (found.length === count) found.push(primitiveOf(remote))
  }
  return found
}

/** What JSON has no form for is told as text. */
const primitiveOf = (remote: (RemoteObject & { readonly unserializableValue?: string }) | undefined): unknown => {
  const text = remote?.unserializableValue
  if (text === undefined) return remote?.value
  return text.endsWith('n') ? BigInt(text.slice(0, -1)) : Number(text)
}

const inside = ({ internalProperties = [] }: Properties, name: string): RemoteObject | undefined =>
  internalProperties.find((property) => property.name === name)?.value

/** The scopes of modules and what lies around them, by script: as they are while one value is encoded. */
export type ModuleScopes = Map<string, readonly Scope[]>

/** Where functions stand that have nothing around them but their module: of that there is one, so what it shows for one of them it shows for all. */
const standing = new WeakMap<AnyFunction, Omit<FunctionView, 'scopes'>>()

/** Where a function stands and what is around it; `undefined` for native ones, or without an inspector. 0.1 to 0.3 ms, unless `met` has its module. */
export const viewOf = (fn: AnyFunction, met?: ModuleScopes): FunctionView | undefined => {
  const known = met === undefined ? undefined : standing.get(fn)
  const scopes = known === undefined ? undefined : met?.get(known.scriptId)
  if (known !== undefined && scopes !== undefined) return { ...known, scopes }
  const view = askedView(fn)
  const at = view === undefined ? -1 : view.scopes.findIndex(({ description }) => description === 'Module')
  if (view === undefined || at < 0) return view
  met?.set(view.scriptId, view.scopes.slice(at))
  if (at === 0) standing.set(fn, { scriptId: view.scriptId, line: view.line, column: view.column })
  return view
}

const askedView = (fn: AnyFunction): FunctionView | undefined =>
  about(fn, (to, properties) => {
    const location = inside(properties, '[[FunctionLocation]]')?.value as Location | undefined
    const scopes = inside(properties, '[[Scopes]]')
    if (location === undefined || scopes === undefined) return undefined
    const [list] = valuesOf(to, [scopes]) as [ArrayLike<Scope>]
    return { scriptId: location.scriptId, line: location.lineNumber, column: location.columnNumber, scopes: Array.from(list) }
  })

/** What a bound function was bound to; `undefined` for others. */
export const boundOf = (fn: AnyFunction): BoundView | undefined =>
  about(fn, (to, properties) => {
    const target = inside(properties, '[[TargetFunction]]')
    if (target === undefined) return undefined
    const [fn, self, args] = valuesOf(to, [target, inside(properties, '[[BoundThis]]'), inside(properties, '[[BoundArgs]]')])
    return { target: fn, self, args: Array.from((args ?? []) as ArrayLike<unknown>) }
  })

/** Whether an object has `#private` fields; `undefined` if that cannot be told. */
export const hasPrivateFields = (value: object): boolean | undefined =>
  about(value, (_to, { privateProperties = [] }) => privateProperties.some(({ value: field }) => field !== undefined))

/** The `#private` fields of an object, as they are now. */
export const privateFieldsOf = (value: object): ReadonlyMap<string, unknown> =>
  about(value, (to, { privateProperties = [] }) => {
    const fields = privateProperties.filter(({ value: field }) => field !== undefined)
    const values = valuesOf(
      to,
      fields.map(({ value: field }) => field),
    )
    return new Map(fields.map(({ name }, k) => [name, values[k]]))
  }) ?? new Map()

export interface Place {
  /** URL of the script. */
  readonly url: string
  readonly scriptId: string
  /** It lies in an ES module, as V8 has it: no compiler made it something else. */
  readonly isInModule: boolean
}

export interface MadePlace extends Place {
  /** Made by a function, with variables of its call: another call makes another that looks the same. */
  readonly isInCall: boolean
}

export const isInModule = ({ scopes }: FunctionView): boolean => scopes.some(({ description }) => description === 'Module')

const NOTHING_BUT_ITS_MODULE: readonly Scope[] = [{ description: 'Module', object: {} }]

/** Where a function or class was made; `undefined` for native ones. */
export const placeOf = (fn: AnyFunction): MadePlace | undefined => {
  const known = standing.get(fn)
  const view = known === undefined ? viewOf(fn) : { ...known, scopes: NOTHING_BUT_ITS_MODULE }
  if (view === undefined) return undefined
  const url = urlOfScript(view.scriptId)
  return url === undefined ? undefined : { url, scriptId: view.scriptId, isInModule: isInModule(view), isInCall: isInCall(view.scopes) }
}

/** A CommonJS module is a call itself: its scope is the last of those. */
const isInCall = (scopes: readonly Scope[]): boolean => {
  const calls = scopes.filter(({ description }) => description.startsWith('Closure')).length
  return calls > (scopes.some(({ description }) => description === 'Module') ? 0 : 1)
}

/** Milliseconds before the list is read again for a module that was not in it. */
const STALE_AFTER = 1000

/** True if a module of this URL was loaded in this thread, so that importing it runs nothing. */
export const isLoaded = (url: string): boolean => {
  if (knowsScript(url)) return true
  const to = connect()
  if (to === undefined || performance.now() - listed < STALE_AFTER) return false
  listScripts(to)
  return knowsScript(url)
}

/** The text of a module that is no file (`node -e`, standard input). */
export const sourceOfScript = (scriptId: string): string | undefined => {
  const to = connect()
  if (to === undefined) return undefined
  ask(to, 'Debugger.enable', {})
  const source = ask<{ scriptSource: string }>(to, 'Debugger.getScriptSource', { scriptId })?.scriptSource
  ask(to, 'Debugger.disable', {})
  return source
}
