/** Whether this program runs under tsx, and how a worker thread gets it too. */

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** Threads of newer Nodes inherit the loader hooks that `--import tsx` installs. */
const THREADS_INHERIT_FROM = 22

/** URL of tsx's registration module, if threads of this program need it. */
export const tsxRegistration = (): string | undefined => {
  if (Number.parseInt(process.versions.node, 10) >= THREADS_INHERIT_FROM) return undefined
  const options = `${process.execArgv.join(' ')} ${process.env.NODE_OPTIONS ?? ''}`
  if (!/\btsx\b/.test(options)) return undefined
  for (const from of [() => process.argv[1], () => `${process.cwd()}/package.json`, () => import.meta.url]) {
    try {
      // `require` finds the CommonJS build; the one beside it is for `import`.
      return pathToFileURL(
        createRequire(from() ?? import.meta.url)
          .resolve('tsx/esm/api')
          .replace(/\.cjs$/, '.mjs'),
      ).href
    } catch {
      // Not installed beside this one, or this one is gone: ask the next.
    }
  }
  return undefined
}
