/** `remote`: a function that runs elsewhere. */

import { allowModule } from '../functions/classes.ts'
import { callPlace, describeExport, describeFunction, type ShippedFunction } from '../functions/record.ts'
import { resolveTask, type TaskOptions } from '../options/task.ts'
import { makeTarget, type RemoteTarget, submitCall } from '../runtime/remote.ts'
import { runtimeOrDefault } from './init.ts'
import type { AnyFunction, Args, Returned, ReturnsOf } from './types.ts'

/** A function whose calls are tasks. */
export interface RemoteFunction<F extends AnyFunction, N extends number = 1> {
  /**
   * Submits a task and returns a ref to its result at once. Arguments are taken by value now; a ref among them is resolved before
   * the task starts, refs nested inside of values are passed as refs.
   *
   * @throws {SerializationError} for an argument that cannot travel, naming its path, e.g. `args[0].cb`
   * @throws {ShutdownError} for a ref of a runtime that was shut down
   * @throws {PendingCallsLimitError} for one call more than `init({ maxPendingTasks })` allows
   */
  remote(...args: Args<Parameters<F>>): Returned<ReturnType<F>, N>
  /** The same function with other options; those not named stay as they are. */
  options<const O extends TaskOptions>(options: O): RemoteFunction<F, ReturnsOf<O, N>>
}

const bind = <F extends AnyFunction, N extends number>(target: RemoteTarget): RemoteFunction<F, N> => ({
  remote: (...args: unknown[]) => submitCall(runtimeOrDefault(), target, args) as Returned<ReturnType<F>, N>,
  options: (options) => bind(makeTarget(target.shipped, { ...target.options, ...resolveTask(options, '.options()') })),
})

const make = <F extends AnyFunction, N extends number>(shipped: ShippedFunction, options: TaskOptions | undefined): RemoteFunction<F, N> =>
  bind(makeTarget(shipped, resolveTask(options, 'remote')))

/**
 * Makes a function remote: `f.remote(…)` runs it as a task on a worker thread.
 *
 * In this version the function travels as its text and must be self-contained: it may use its arguments, globals and
 * `await import(…)`, not variables around it. A function with imports of its own is named by `remote.module`.
 *
 * @throws {TypeError} if `fn` is no function; {@link CaptureError} if it has no text to send (native, bound)
 * @throws {MobulaError} `ERR_NOT_SUPPORTED` for classes, generator functions and options that this version has not
 * @example
 * ```ts
 * import { get, remote } from 'mobula'
 * const mul = remote((x: number, k: number) => x * k)
 * console.log(await get(mul.remote(6, mul.remote(1, 7)))) // 42
 * ```
 */
export const remote: {
  // biome-ignore lint/complexity/noBannedTypes: no options are an object without properties
  <F extends AnyFunction, const O extends TaskOptions = {}>(fn: F, options?: O): RemoteFunction<F, ReturnsOf<O, 1>>
  /**
   * Names an exported function instead: workers import the module, once each. Errors of classes that the module exports come
   * back as those classes.
   *
   * @example
   * ```ts
   * import { remote } from 'mobula'
   * const basename = remote.module<(path: string) => string>('node:path', 'basename')
   * ```
   */
  module<F extends AnyFunction = AnyFunction>(url: URL | string, name: string): RemoteFunction<F>
} = Object.assign(
  <F extends AnyFunction, N extends number>(fn: F, options?: TaskOptions): RemoteFunction<F, N> => make(describeFunction(fn, callPlace()), options),
  {
    module: <F extends AnyFunction = AnyFunction>(url: URL | string, name: string): RemoteFunction<F> => {
      const shipped = describeExport(url, name)
      if (shipped.source.kind === 'module') allowModule(shipped.source.url)
      return make<F, 1>(shipped, undefined)
    },
  },
)
