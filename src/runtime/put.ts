/** Puts a value into the store. */

import { encode } from '../codec/codec.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { checkRef, type Runtime, refStopped } from './current.ts'

/** The value is taken now: changing it afterwards changes nothing. */
export const putValue = ({ engine }: Runtime, value: unknown): ObjectRef => {
  const encoded = encode(value, 'value')
  for (const ref of encoded.refs) {
    const stopped = refStopped(checkRef(ref, 'value'))
    if (stopped !== undefined) throw stopped
  }
  return engine.put(encoded)
}
