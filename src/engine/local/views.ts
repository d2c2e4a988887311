/** One view per stored value and thread while somebody has it: on older Nodes each costs the collector as much as its size. */

import type { RawPort } from '../../binding.ts'

interface Kept {
  readonly generation: number
  readonly buffer: WeakRef<ArrayBufferLike>
}

export class Views {
  readonly #raw: RawPort
  /** By slot. */
  readonly #kept = new Map<number, Kept>()
  readonly #registry = new FinalizationRegistry<number>((slot) => {
    // The slot may have a newer view by now.
    if (this.#kept.get(slot)?.buffer.deref() === undefined) this.#kept.delete(slot)
  })

  constructor(raw: RawPort) {
    this.#raw = raw
  }

  /** The view of this value that is in use already, unless somebody wrote into it or gave it away. */
  find(slot: number, generation: number): ArrayBufferLike | undefined {
    const kept = this.#kept.get(slot)
    if (kept === undefined || kept.generation !== generation) return undefined
    const buffer = kept.buffer.deref()
    return buffer !== undefined && buffer.byteLength > 0 && this.#raw.shows(slot, generation) ? buffer : undefined
  }

  keep(slot: number, generation: number, buffer: ArrayBufferLike): void {
    this.#kept.set(slot, { generation, buffer: new WeakRef(buffer) })
    this.#registry.register(buffer, slot)
  }
}
