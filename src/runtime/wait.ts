/** Waits until some of several objects are settled, and tells which. */

import type { Engine } from '../engine/engine.ts'
import { ShutdownError } from '../errors/errors.ts'
import type { Limits } from '../options/get.ts'
import { type ObjectRef, partsOf } from '../refs/object-ref.ts'
import { limited, ownerOf } from './limits.ts'

export interface WaitSome extends Limits {
  readonly refs: readonly ObjectRef[]
  readonly numReturns: number
}

/** After so many answers in a row without a wait the event loop gets a turn: who polls must not starve timers and finalizers. */
const STRAIGHT_MAX = 64
let straight = 0

/** The positions of at most `numReturns` settled refs, in input order; failed ones count. */
export const waitSome = async (engine: Engine, request: WaitSome): Promise<readonly number[]> => {
  const { refs, numReturns } = request
  request.signal?.throwIfAborted()
  if (refs.length === 0) return []
  straight = (straight + 1) % STRAIGHT_MAX
  if (straight === 0) await new Promise(setImmediate)
  const known = settledAmong(refs, numReturns)
  if (known.length === numReturns) return known
  const found = ask(engine, refs, numReturns)
  if (found.length === numReturns || request.timeout === 0) return found
  const status = await limited(engine.wait({ refs, count: numReturns, owner: ownerOf(request) }), request)
  if (typeof status !== 'string') throw status
  if (status === 'stopped') throw new ShutdownError('the runtime was shut down during wait')
  return ask(engine, refs, numReturns)
}

/** What is known already. The first is found soon when refs are taken off one by one. */
const settledAmong = (refs: readonly ObjectRef[], count: number): number[] => {
  const ready: number[] = []
  for (let k = 0; k < refs.length && ready.length < count; k++) if (partsOf(refs[k] as ObjectRef).settled) ready.push(k)
  return ready
}

const ask = (engine: Engine, refs: readonly ObjectRef[], count: number): number[] => {
  const ready: number[] = []
  engine.settled(refs, (position) => {
    if (ready.length < count) ready.push(position)
  })
  return ready
}
