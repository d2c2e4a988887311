/** The objects that an encoding has met, and where each was written: one that is met again becomes a reference back. */

/** Up to here a linear search is faster than hashing. */
const FEW = 16
/** Positions of so many are kept for the next encoding; the objects never are. */
const POSITIONS_KEPT_MAX = 1 << 16
const NOWHERE = -1

/**
 * Nearly all objects are met once. So they go into a set, whose size tells in one look-up whether one is new, and their positions into
 * an array in the same order; a map from one to the other is made when the first of many is met again.
 */
export class Met {
  readonly #few: (object | undefined)[] = new Array(FEW).fill(undefined)
  #positions = new Int32Array(1_024)
  #count = 0
  /** The one that was met last: the next to be placed. */
  #last: object | undefined
  #many: Set<object> | undefined
  #byObject: Map<object, number> | undefined

  /** Where this very object was written, or -1; then it counts as met, and `place` says where it goes. */
  meet(value: object): number {
    if (this.#byObject !== undefined) return this.#byObject.get(value) ?? NOWHERE
    const count = this.#count
    if (this.#many === undefined) {
      for (let index = 0; index < count; index++) if (this.#few[index] === value) return this.#positions[index] as number
      if (count < FEW) {
        this.#few[count] = value
        this.#add(value)
        return NOWHERE
      }
      this.#many = new Set(this.#few as object[])
    }
    this.#many.add(value)
    if (this.#many.size === count) return this.#index(this.#many).get(value) ?? NOWHERE
    this.#add(value)
    return NOWHERE
  }

  /** Says where an object is written; it is nearly always the one that was met last. */
  place(value: object, position: number): void {
    if (this.#byObject !== undefined) this.#byObject.set(value, position)
    else if (this.#last === value) this.#positions[this.#count - 1] = position
    else this.#index(this.#many ?? (this.#few.slice(0, this.#count) as object[])).set(value, position)
  }

  clear(): void {
    if (this.#count === 0) return
    const { length } = this.#few
    for (let index = 0; index < length && index < this.#count; index++) this.#few[index] = undefined
    this.#count = 0
    this.#last = undefined
    this.#many = undefined
    this.#byObject = undefined
    if (this.#positions.length > POSITIONS_KEPT_MAX) this.#positions = new Int32Array(1_024)
  }

  #add(value: object): void {
    if (this.#count === this.#positions.length) {
      const more = new Int32Array(this.#count * 2)
      more.set(this.#positions)
      this.#positions = more
    }
    this.#positions[this.#count++] = NOWHERE
    this.#last = value
  }

  #index(objects: Iterable<object>): Map<object, number> {
    const byObject = new Map<object, number>()
    let index = 0
    for (const object of objects) byObject.set(object, this.#positions[index++] as number)
    this.#byObject = byObject
    return byObject
  }
}
