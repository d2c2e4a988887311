/** Functions that were made here of what came from elsewhere: they travel on as they came. */

import type { FunctionTemplate } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

export interface Revived {
  readonly template: FunctionTemplate
  /** What it was made with: captured values, the class that it extends, private static fields, and what was added to it. */
  readonly values: readonly unknown[]
  /** The captured values as they are now, where the function assigns some. */
  readonly read: (() => readonly unknown[]) | undefined
}

/** Gives back what it is called with: so a class that extends it has fields in objects that are there already. */
class Given {
  constructor(fn: object) {
    // biome-ignore lint/correctness/noConstructorReturn: this is what it is for
    return fn
  }
}

/** A field that nobody else can see. A weak map of all that was ever made takes as long as the making, most of it in the collector. */
class Note extends Given {
  readonly #revived: Revived

  constructor(fn: AnyFunction, revived: Revived) {
    super(fn)
    this.#revived = revived
  }

  static of(fn: AnyFunction): Revived | undefined {
    return #revived in fn ? (fn as unknown as Note).#revived : undefined
  }
}

/** Once for each function, before anything is closed. */
export const noteRevived = (fn: AnyFunction, revived: Revived): void => {
  new Note(fn, revived)
}

/** Its parts, as `functions/capture` takes them from others. */
export const partsOfRevived = (
  fn: AnyFunction,
):
  | { readonly template: FunctionTemplate; readonly values: readonly unknown[]; readonly names: readonly string[]; readonly place: () => string }
  | undefined => {
  const revived = Note.of(fn)
  if (revived === undefined) return undefined
  const { template, values, read } = revived
  const count = template.names.length
  const given = count + (template.extends ? 1 : 0) + template.privates.length
  return {
    template: template.steps.length === 0 ? template : { ...template, steps: [] },
    values: [...(read === undefined ? values.slice(0, count) : read()), ...values.slice(count, given)],
    names: [...template.names, ...(template.extends ? ['the class that it extends'] : []), ...template.privates],
    place: () => '',
  }
}
