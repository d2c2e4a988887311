/** Which file a function stands in, asked of V8's inspector in this very thread. Nothing is paused, and no debugger is disturbed. */

import type * as Inspector from 'node:inspector'
import { createRequire } from 'node:module'

type AnyFunction = abstract new (...args: never[]) => unknown

interface Remote {
  readonly result: { readonly objectId?: string }
}
interface Properties {
  readonly internalProperties?: readonly { readonly name: string; readonly value?: { readonly value?: { readonly scriptId: string } } }[]
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

/** The URL of the script that a function or class was made in; `undefined` for native ones. About 0.3 ms, 20 to 150 the first time. */
export const scriptOf = (fn: AnyFunction): string | undefined => {
  const to = connect()
  if (to === undefined) return undefined
  const holder = globalThis as Record<string, unknown>
  try {
    holder[SLOT] = fn
    const objectId = ask<Remote>(to, 'Runtime.evaluate', { expression: `globalThis.${SLOT}`, objectGroup: GROUP })?.result.objectId
    if (objectId === undefined) return undefined
    const found = ask<Properties>(to, 'Runtime.getProperties', { objectId, ownProperties: true })
    const scriptId = found?.internalProperties?.find(({ name }) => name === '[[FunctionLocation]]')?.value?.value?.scriptId
    if (scriptId === undefined) return undefined
    if (!urls.has(scriptId)) listScripts(to)
    return urls.get(scriptId)
  } finally {
    delete holder[SLOT]
    ask(to, 'Runtime.releaseObjectGroup', { objectGroup: GROUP })
  }
}

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
