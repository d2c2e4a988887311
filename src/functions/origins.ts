/** Classes and symbols that travel by value have a name that is theirs on all threads, so that each thread has one of them, and the first has its own back. */

import { randomWords } from '../binding.ts'

let prefix = ''
let minted = 0

/** A name that nothing else in any thread has. */
export const mint = (): string => {
  if (prefix === '')
    prefix = randomWords(2)
      .map((word) => word.toString(16).padStart(8, '0'))
      .join('')
  minted += 1
  return `${prefix}.${minted.toString(36)}`
}

/** TypeScript does not know yet that symbols may be held weakly. */
type Thing = object | symbol

const ids = new WeakMap<object, string>()
const things = new Map<string, WeakRef<object>>()
/** It may have come again before its end is told. */
const forget = new FinalizationRegistry<string>((id) => {
  if (thingOf(id) === undefined) things.delete(id)
})

export const idOf = (thing: Thing): string | undefined => ids.get(thing as object)

/** Its name, a new one if it has none. */
export const nameThing = (thing: Thing): string => {
  const known = ids.get(thing as object)
  if (known !== undefined) return known
  const id = mint()
  keepThing(id, thing)
  return id
}

/** What has come by this name. */
export const keepThing = (named: string, thing: Thing): void => {
  const id = bare(named)
  ids.set(thing as object, id)
  things.set(id, new WeakRef(thing as object))
  forget.register(thing as object, id)
}

export const thingOf = (id: string): object | undefined => things.get(bare(id))?.deref()

/** Names may say which state of a thing is meant: `name@version`. */
const bare = (id: string): string => id.replace(/@\d+$/, '')

export const versionOf = (id: string): number => Number(/@(\d+)$/.exec(id)?.[1] ?? 0)
