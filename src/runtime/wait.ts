/** Waits until some of several objects are settled, and tells which. */

import type { Engine } from '../engine/engine.ts'
import { ShutdownError } from '../errors/errors.ts'
import type { Limits } from '../options/get.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { limited } from './limits.ts'

export interface WaitSome extends Limits {
  readonly refs: readonly ObjectRef[]
  readonly numReturns: number
}

/** The positions of at most `numReturns` settled refs, in input order; failed ones count. */
export const waitSome = async (engine: Engine, request: WaitSome): Promise<number[]> => {
  const { refs, numReturns } = request
  request.signal?.throwIfAborted()
  if (refs.length === 0) return []
  if (request.timeout !== 0) {
    const status = await limited(engine.wait({ refs, count: numReturns }), request)
    if (status === 'stopped') throw new ShutdownError('the runtime was shut down during wait')
  }
  const ready: number[] = []
  engine.settled(refs, (position) => {
    if (ready.length < numReturns) ready.push(position)
  })
  return ready
}
