/** The realms of a program: its own, and the outermost, which is Node's. They differ under jest, vitest's vmThreads and in `vm`, where much of what Node gives is of the outermost. */

import { runInThisContext } from 'node:vm'

type Globals = Record<string, unknown> & { readonly Object: ObjectConstructor; readonly Array: ArrayConstructor; readonly Function: FunctionConstructor }

let found: Globals | undefined

/** The global object of the outermost realm, in which workers run, too. */
export const outermost = (): Globals => {
  found ??= runInThisContext('globalThis') as Globals
  return found
}

/** This code runs in the realm that Node began with. */
export const isOutermost = (): boolean => outermost() === (globalThis as unknown)

export const isObjectPrototype = (value: unknown): boolean => value === Object.prototype || value === outermost().Object.prototype

export const isArrayPrototype = (value: unknown): boolean => value === Array.prototype || value === outermost().Array.prototype

export const isFunctionPrototype = (value: unknown): boolean => value === Function.prototype || value === outermost().Function.prototype
