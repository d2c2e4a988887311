/** A module as vitest shows it: what CommonJS exports is there by name, also where Node finds the names not, and `default` is what the exports call so. */

type Exports = Readonly<Record<PropertyKey, unknown>>

const isThing = (value: unknown): value is Exports => (typeof value === 'object' && value !== null) || typeof value === 'function'

export const withInterop = (namespace: Exports): object => {
  const given = 'default' in namespace ? namespace['default'] : namespace
  const isCompiled = isThing(given) && '__esModule' in given
  const module = isCompiled ? given : namespace
  const fallback = isCompiled && 'default' in given ? given['default'] : given
  const inFallback = (key: PropertyKey): boolean => isThing(fallback) && key in fallback
  return new Proxy(module, {
    get: (_module, key) => (key === 'default' ? fallback : (module[key] ?? (inFallback(key) ? (fallback as Exports)[key] : undefined))),
    has: (_module, key) => (key === 'default' ? fallback !== undefined : key in module || inFallback(key)),
  })
}
