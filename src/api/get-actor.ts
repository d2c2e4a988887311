/** `getActor`: an actor by its name. */

import { badRange, badType } from '../errors/bad-input.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import { optionalName } from '../options/actor.ts'
import { checkOptions } from '../options/check.ts'
import { handleOf } from '../runtime/actor-methods.ts'
import type { ActorOf } from './actor-types.ts'
import { runtimeOrDefault } from './init.ts'

export interface GetActorOptions {
  /** Default: that of `init({ namespace })`. */
  readonly namespace?: string
}

/**
 * A handle to the living actor of a name, from any thread of the runtime. The type argument is the remote class, the class, or its
 * instance's type.
 *
 * @throws {MobulaError} `ERR_ACTOR_NAME` if no actor has that name in the namespace
 * @example
 * ```ts
 * import { get, getActor, remote } from 'mobula'
 * const Counter = remote(class Counter { n = 0; add(k: number) { this.n += k; return this.n } })
 * const keeper = Counter.options({ name: 'visits' }).remote()
 * await get(keeper.add.remote(1))
 * console.log(await get(getActor<typeof Counter>('visits').add.remote(1))) // 2
 * ```
 */
export const getActor = <T>(name: string, options?: GetActorOptions): ActorOf<T> => {
  if (typeof name !== 'string') throw badType('name', 'a string', name)
  if (name === '') throw badRange('name', 'a name that is not empty', name)
  const raw = checkOptions(options, 'getActor: options', ['namespace'], [])
  const { engine, info } = runtimeOrDefault()
  const namespace = optionalName(raw.namespace, 'options.namespace') ?? info.namespace
  const found = engine.findActor({ namespace, name })
  if (found !== undefined) return handleOf(engine, found) as unknown as ActorOf<T>
  throw new MobulaError(`getActor: no living actor is named '${name}' in namespace '${namespace}'`, { code: ERROR_CODES.ERR_ACTOR_NAME })
}
