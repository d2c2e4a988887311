/** Functions that were made here of what came from elsewhere: they travel on as they came. */

import type { FunctionTemplate } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

export interface Revived {
  readonly template: FunctionTemplate
  /** What it was made with: captured values, the class that it extends, private static fields. */
  readonly values: () => readonly unknown[]
}

const all = new WeakMap<AnyFunction, Revived>()

export const noteRevived = (fn: AnyFunction, revived: Revived): void => {
  all.set(fn, revived)
}

/** Its parts, as `functions/capture` takes them from others. */
export const partsOfRevived = (
  fn: AnyFunction,
):
  | { readonly template: FunctionTemplate; readonly values: readonly unknown[]; readonly names: readonly string[]; readonly place: () => string }
  | undefined => {
  const revived = all.get(fn)
  if (revived === undefined) return undefined
  const { template } = revived
  return {
    template,
    values: revived.values(),
    names: [...template.names, ...(template.extends ? ['the class that it extends'] : []), ...template.privates],
    place: () => '',
  }
}
