/** A refusal of something that a function takes along, or of a function itself. */

import { Refusal } from '../codec/refusal.ts'

export const captureRefusal = (reason: string): Refusal => {
  const refusal = new Refusal(reason)
  refusal.isCapture = true
  return refusal
}
