/** Who takes the most of the store, in words: what a message about a full one should say. */

import { holdings } from '../../binding.ts'

const SHOWN_MAX = 3

/** " It holds 12 results of 'decode' (96.0 MB), 3 values put (30.0 MB)."; empty if it holds nothing large. */
export const largestHolders = (): string => {
  const all = holdings()
  if (all.length === 0) return ''
  const shown = all.slice(0, SHOWN_MAX).map(({ kind, name, objects, bytes }) => `${what(kind, name, objects)} (${(bytes / 1e6).toFixed(1)} MB)`)
  const rest = all.length - shown.length
  return ` It holds ${shown.join(', ')}${rest > 0 ? ` and ${rest} more kinds` : ''}.`
}

const what = (kind: string, name: string, count: number): string => {
  const plural = count === 1 ? '' : 's'
  if (kind === 'put') return `${count} value${plural} put`
  return kind === 'result' ? `${count} result${plural} of '${name}'` : `arguments of ${count} call${plural} of '${name}'`
}
