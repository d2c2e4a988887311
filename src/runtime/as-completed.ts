/** Gives refs back in the order in which they settle. */

import type { Engine, PendingWait, WaitStatus } from '../engine/engine.ts'
import { GetTimeoutError, ShutdownError } from '../errors/errors.ts'
import type { Limits } from '../options/get.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { isRefGenerator, type ObjectRefGenerator, streamOf } from '../refs/object-ref-generator.ts'
import { limited } from './limits.ts'

/** Each ref has a native wait of its own, so that the whole takes time in proportion to their number. */
export async function* refsAsCompleted<R extends ObjectRef | ObjectRefGenerator>(
  engine: Engine,
  refs: readonly R[],
  { timeout, signal }: Limits,
  stopped: ShutdownError | undefined,
): AsyncIterableIterator<R> {
  if (stopped !== undefined) throw stopped
  const deadline = timeout === undefined ? undefined : performance.now() + timeout
  const settled: R[] = []
  let tell: (status: WaitStatus) => void = () => {}
  const watches = new Set<number>()
  for (const ref of refs) {
    const watch = engine.watch(isRefGenerator(ref) ? streamOf(ref).peek() : (ref as ObjectRef), (status) => {
      watches.delete(watch)
      if (status === 'ready') settled.push(ref)
      tell(status)
    })
    watches.add(watch)
  }
  engine.flush()
  /** The next ref that settles, as something that can be waited for. */
  const next = (): PendingWait => {
    let resolve: (status: WaitStatus) => void = () => {}
    const done = new Promise<WaitStatus>((settle) => {
      resolve = settle
    })
    tell = resolve
    return { done, end: () => resolve('ended') }
  }
  try {
    for (let given = 0; given < refs.length; given++) {
      signal?.throwIfAborted()
      if (given >= settled.length) {
        const status = await limited(next(), { timeout: deadline === undefined ? undefined : Math.max(0, deadline - performance.now()), signal })
        if (status === 'stopped') throw new ShutdownError('asCompleted: the runtime was shut down before all refs had settled')
        if (given >= settled.length) throw new GetTimeoutError(`asCompleted: ${refs.length - given} of ${refs.length} refs did not settle within ${timeout} ms`)
      }
      yield settled[given] as R
    }
  } finally {
    for (const watch of watches) engine.endWatch(watch)
  }
}
