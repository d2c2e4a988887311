/** What goes on on a thread after it has returned, in no order: each knows its place, so that it comes and goes without being looked for. */

/** Its place in the list that it is in; -1: in none. */
export interface Placed {
  place: number
}

export class InFlight<T extends Placed> {
  readonly #all: T[] = []

  get size(): number {
    return this.#all.length
  }

  add(one: T): void {
    one.place = this.#all.push(one) - 1
  }

  /** The last takes its place. */
  delete(one: T): void {
    const at = one.place
    const last = this.#all.pop()
    if (last === undefined) return
    if (last !== one) {
      this.#all[at] = last
      last.place = at
    }
    one.place = -1
  }

  find(isIt: (one: T) => boolean): T | undefined {
    return this.#all.find(isIt)
  }

  filter(isIt: (one: T) => boolean): T[] {
    return this.#all.filter(isIt)
  }
}
