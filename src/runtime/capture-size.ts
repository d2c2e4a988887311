/** How much a function may take along: as in Ray, a warning from 10 MB on, a refusal from 100 MB on. */

import { CaptureError } from '../errors/errors.ts'

const WARN_BYTES = 10_000_000
const MAX_BYTES = 100_000_000

const warned = new Set<string>()

/** `place`: where the function stands, asked for messages alone. */
export const checkSize = (name: string, byteLength: number, place: () => string): void => {
  if (byteLength <= WARN_BYTES) return
  const size = `${(byteLength / 1e6).toFixed(1)} MB`
  const way = 'put large data into the store once (const ref = put(data)), and pass the ref as an argument'
  if (byteLength > MAX_BYTES) throw new CaptureError(`cannot ship '${name}' (${place()}), which takes ${size} of captured data along, more than 100 MB; ${way}`)
  if (warned.has(name)) return
  warned.add(name)
  process.emitWarning(`task '${name}' (${place()}) takes ${size} of captured data along; ${way}`, 'MobulaWarning')
}
