/** Keeps modules from bringing the program's own file into a worker, where it would run again. */

import * as modules from 'node:module'
import { CaptureError } from '../errors/errors.ts'
import { programEntries, runsTasks } from './entry.ts'

interface Context {
  readonly parentURL?: string
}
interface Resolved {
  readonly url: string
}
type Resolve = (specifier: string, context: Context, next: (specifier: string, context: Context) => Resolved) => Resolved

/** Newer Nodes than the types know, from 22.15 on. */
const { registerHooks } = modules as unknown as { readonly registerHooks?: (hooks: { readonly resolve: Resolve }) => unknown }

let isGuarded = false

/** Called before this thread imports something for a function. */
export const guardEntry = (): void => {
  if (isGuarded || !runsTasks()) return
  isGuarded = true
  registerHooks?.({
    resolve: (specifier, context, next) => {
      const found = next(specifier, context)
      if (programEntries().includes(found.url.replace(/[?#].*$/, ''))) {
        throw new CaptureError(
          `${context.parentURL ?? 'a module'} imports ${found.url}, the program's own file, which workers never run; move what both need to a module of its own`,
        )
      }
      return found
    },
  })
}
