/** Lets the cases run without workers (`node --import ./local.mjs run.mjs`): `mobula` is local-api.mjs. So cases are tested, not capture. */

import * as modules from 'node:module'

const api = new URL('./local-api.mjs', import.meta.url).href

if (typeof modules.registerHooks === 'function') {
  modules.registerHooks({ resolve: (specifier, context, next) => (specifier === 'mobula' ? { url: api, shortCircuit: true } : next(specifier, context)) })
} else {
  const source = `export const resolve = (specifier, context, next) =>
    specifier === 'mobula' ? { url: ${JSON.stringify(api)}, shortCircuit: true } : next(specifier, context)`
  modules.register(`data:text/javascript,${encodeURIComponent(source)}`)
}
