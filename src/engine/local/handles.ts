/**
 * Who tells that a handle was forgotten. A `FinalizationRegistry` costs more than a small task does: what it watches outlives every
 * minor collection, and each entry is a callback. So a fresh handle is watched late: most are settled, or disposed, before that. Those
 * of small values are watched in groups, and let go of together when the last of a group is forgotten; everything else by itself.
 */

import { clearTimeout, setTimeout } from 'node:timers'
import { type Group, type ObjectRef, partsOf, type RefParts } from '../../refs/object-ref.ts'

/** A value that nobody has any more may wait for its neighbours: so many bytes of it at most. */
export const SMALL_MAX = 256
/** As many as may be kept by one that is not forgotten. */
const GROUP_MAX = 16
/** Fresh handles are held until there are so many of them, or for so long. */
const FRESH_MAX = 4096
const FRESH_MS = 50

/** Instead of a slot: let go of already. */
const GONE = -1
/** Instead of a place: not among the fresh, and in no group. */
export const NOWHERE: number = -1

export class Handles {
  readonly #single: FinalizationRegistry<RefParts>
  readonly #groups: FinalizationRegistry<readonly number[]>
  #fresh: (ObjectRef | undefined)[] = []
  /** The group that takes more. */
  #open: Group | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(letGo: (slot: number, generation: number) => void) {
    this.#single = new FinalizationRegistry((parts) => {
      if (parts.released) return
      parts.released = true
      letGo(parts.slot, parts.generation)
    })
    this.#groups = new FinalizationRegistry((keys) => {
      for (let at = 0; at < keys.length; at += 2) {
        if (keys[at] !== GONE) letGo(keys[at] as number, keys[at + 1] as number)
      }
    })
  }

  /** A handle of a value that is there, or was met inside of another: of what size is not known. */
  watch(ref: ObjectRef, parts: RefParts): void {
    this.#single.register(ref, parts)
  }

  /** The handle of an object that is not there yet. */
  watchLate(ref: ObjectRef, parts: RefParts): void {
    parts.place = this.#fresh.push(ref) - 1
    if (parts.place >= FRESH_MAX) this.#age(FRESH_MAX / 2)
    this.#timer ??= setTimeout(() => this.settle(), FRESH_MS).unref()
  }

  /** The handle of a small value that refers to nothing. */
  watchSmall(parts: RefParts): void {
    let group = this.#open
    if (group === undefined) {
      group = { keys: [] }
      this.#open = group
      this.#groups.register(group, group.keys)
      this.#timer ??= setTimeout(() => this.settle(), FRESH_MS).unref()
    }
    parts.group = group
    parts.place = group.keys.push(parts.slot, parts.generation) - 2
    if (group.keys.length === 2 * GROUP_MAX) this.#open = undefined
  }

  /** The value is there: a fresh handle finds its place. */
  sized(ref: ObjectRef, parts: RefParts, isSmall: boolean): void {
    if (parts.group !== undefined || parts.place === NOWHERE) return
    this.#fresh[parts.place] = undefined
    parts.place = NOWHERE
    if (isSmall) this.watchSmall(parts)
    else this.watch(ref, parts)
  }

  /** It was let go of: nobody needs to tell any more. */
  unwatch(parts: RefParts): void {
    if (parts.group !== undefined) parts.group.keys[parts.place] = GONE
    else if (parts.place !== NOWHERE) this.#fresh[parts.place] = undefined
    // Its value may still be met, by a fetch that is under way.
    parts.group = undefined
    parts.place = NOWHERE
  }

  /** Whatever is forgotten now is found by the next collection, unless it is in a group with something that is not. */
  settle(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#open = undefined
    this.#age(this.#fresh.length)
  }

  /** Nothing is let go of any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.#fresh = []
  }

  /** The oldest of the fresh are watched by themselves from now on. */
  #age(count: number): void {
    const fresh = this.#fresh
    this.#fresh = fresh.slice(count)
    for (let k = 0; k < count; k++) {
      const ref = fresh[k]
      if (ref === undefined) continue
      const parts = partsOf(ref)
      parts.place = NOWHERE
      this.watch(ref, parts)
    }
    for (let k = 0; k < this.#fresh.length; k++) {
      const ref = this.#fresh[k]
      if (ref !== undefined) partsOf(ref).place = k
    }
  }
}
