/** How much a function may take along: as in Ray, a warning from 10 MB on, a refusal from 100 MB on. */

import { CaptureError } from '../errors/errors.ts'

const WARN_BYTES = 10_000_000
const MAX_BYTES = 100_000_000

const WAY_ROUND = 'put large data into the store once (const ref = put(data)), and pass the ref as an argument'

const sizeOf = (byteLength: number): string => `${(byteLength / 1e6).toFixed(1)} MB`

/** `place`: where the function stands, asked for messages alone. */
export const refuseSize = (name: string, byteLength: number, place: () => string): void => {
  if (byteLength > MAX_BYTES)
    throw new CaptureError(`cannot ship '${name}' (${place()}), which takes ${sizeOf(byteLength)} of captured data along, more than 100 MB; ${WAY_ROUND}`)
}

const warned = new Set<string>()

export const checkSize = (name: string, byteLength: number, place: () => string): void => {
  refuseSize(name, byteLength, place)
  if (byteLength <= WARN_BYTES || warned.has(name)) return
  warned.add(name)
  process.emitWarning(`task '${name}' (${place()}) takes ${sizeOf(byteLength)} of captured data along; ${WAY_ROUND}`, 'MobulaWarning')
}
