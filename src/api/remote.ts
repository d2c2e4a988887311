/** `remote`: a function that runs elsewhere. */

import { allowModule } from '../functions/classes.ts'
import { exportsClass } from '../functions/modules.ts'
import { type Described, describeClass, describeExport, describeFunction, isClass } from '../functions/record.ts'
import '../functions/ship.ts'
import { type ActorOptions, resolveActor } from '../options/actor.ts'
import { resolveTask, type TaskOptions } from '../options/task.ts'
import { makeClassTarget } from '../runtime/actor-class.ts'
import { makeTarget } from '../runtime/remote.ts'
import { RemoteClassHandle } from '../runtime/remote-class.ts'
import { RemoteHandle, setDefaultRuntime } from '../runtime/remote-handle.ts'
import type { AnyClass, RemoteClass } from './actor-types.ts'
import { runtimeOrDefault } from './init.ts'
import type { Call, EarlierCalls } from './overloads.ts'
import type { AnyFunction, Returned, ReturnsOf } from './types.ts'

/** A function whose calls are tasks. */
export interface RemoteFunction<F extends AnyFunction, N extends number = 1> {
  /**
   * Submits a task and returns a ref to its result at once; of a generator function, refs to its items, one by one (docs/streams.md). Arguments are taken by value now; a ref among them is resolved before
   * the task starts, refs nested inside of values are passed as refs.
   *
   * @throws {SerializationError} for an argument that cannot travel, naming its path, e.g. `args[0].cb`
   * @throws {ShutdownError} for a ref of a runtime that was shut down
   * @throws {PendingCallsLimitError} for one call more than `init({ maxPendingTasks })` allows
   */
  readonly remote: EarlierCalls<F, N> & Call<Parameters<F>, Returned<ReturnType<F>, N>>['remote']
  /** The same function with other options; those not named stay as they are. */
  options<const O extends TaskOptions>(options: O): RemoteFunction<F, ReturnsOf<O, N>>
}

setDefaultRuntime(runtimeOrDefault)

const make = <F extends AnyFunction, N extends number>(described: Described, options: TaskOptions | undefined): RemoteFunction<F, N> =>
  new RemoteHandle(makeTarget(described, resolveTask(options, 'remote'))) as unknown as RemoteFunction<F, N>

/** The name says it, or the module's file: nobody runs that here. */
const isClassOfModule = (described: Described, name: string): boolean =>
  /^\p{Lu}/u.test(name) || (described.kind === 'module' && exportsClass(described.url, name))

const makeClass = (described: Described, options: unknown): RemoteClassHandle =>
  new RemoteClassHandle(makeClassTarget(described, resolveActor(options, 'remote')))

/**
 * Makes a function remote: `f.remote(…)` runs it as a task on a worker thread.
 *
 * The function may stand anywhere, and takes along what it uses of its surroundings: bindings of `import` and `require` by reference (workers
 * import the same module, once each), everything else by value, functions and classes of the same file included. That is read at the first
 * `.remote()`; what is changed later does not reach the workers. Reading it takes 0.2 to 1 ms, once for each function; docs/functions.md
 * says what travels how.
 *
 * @throws {TypeError} if `fn` is no function; {@link CaptureError}, here or by the first `.remote()`, if it or something it takes along
 * cannot travel: the message names the variable and the way to it
 * @throws {MobulaError} `ERR_NOT_SUPPORTED` for options that this version has not
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
  <C extends AnyClass>(Class: C, options?: ActorOptions): RemoteClass<C>
  /**
   * Names an exported function or class instead. What begins with a capital letter is a class, and what the module's file, or one that it
   * passes on, declares as such. It takes nothing along:
   * workers import the module, once each. For modules with much state of their own, and where Node's inspector may not be used. Errors
   * of classes that the module exports come back as those classes.
   *
   * @example
   * ```ts
   * import { remote } from 'mobula'
   * const basename = remote.module<(path: string) => string>('node:path', 'basename')
   * ```
   */
  module<F extends AnyFunction = AnyFunction>(url: URL | string, name: string): RemoteFunction<F>
  module<C extends AnyClass>(url: URL | string, name: string): RemoteClass<C>
} = Object.assign(
  (fn: AnyFunction | AnyClass, options?: TaskOptions | ActorOptions): unknown =>
    isClass(fn) ? makeClass(describeClass(fn), options) : make(describeFunction(fn), options as TaskOptions | undefined),
  {
    module: (url: URL | string, name: string): unknown => {
      const described = describeExport(url, name)
      if (described.kind === 'module') allowModule(described.url)
      return isClassOfModule(described, name) ? makeClass(described, undefined) : make(described, undefined)
    },
  },
) as never
