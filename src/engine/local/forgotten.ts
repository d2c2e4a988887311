/**
 * Handles of stored values that nobody has any more, found without a turn of the event loop: code that never yields would fill a store
 * that cannot spill with what it has forgotten. A `WeakRef` does not do: it holds its target until the loop turns.
 */

import type { RawPort } from '../../binding.ts'
import type { ObjectRef, RefParts } from '../../refs/object-ref.ts'
import { collectHere } from './collect.ts'

const SWEEP_AT_LEAST = 64

export class Forgotten {
  readonly #raw: RawPort
  /** By the number under which the addon watches the handle. */
  readonly #watched = new Map<number, RefParts>()
  #sweepAt = SWEEP_AT_LEAST

  constructor(raw: RawPort) {
    this.#raw = raw
  }

  watch(ref: ObjectRef, parts: RefParts): void {
    if (this.#watched.size >= this.#sweepAt) {
      this.#sweep(() => false)
      this.#sweepAt = Math.max(SWEEP_AT_LEAST, 2 * this.#watched.size)
    }
    this.#watched.set(this.#raw.guard(ref), parts)
  }

  /** Collects, and lets go of what is found. */
  release(letGo: (parts: RefParts) => void): void {
    collectHere()
    this.#sweep((number, parts) => {
      if (!this.#raw.gone(number)) return false
      parts.released = true
      letGo(parts)
      return true
    })
  }

  /** Takes those out that were released, or are now. */
  #sweep(release: (number: number, parts: RefParts) => boolean): void {
    for (const [number, parts] of this.#watched) {
      if (!parts.released && !release(number, parts)) continue
      this.#raw.unguard(number)
      this.#watched.delete(number)
    }
  }
}
