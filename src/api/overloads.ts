/** What `.remote` takes of functions and classes with several signatures: the last four, since types can read only as many as they name. */

import type { ActorHandle, AnyClass } from './actor-types.ts'
import type { AnyFunction, Args, Returned } from './types.ts'

/** One signature of `.remote`. A method, so that its arguments are compared as leniently as those of methods are. */
export interface Call<A extends readonly unknown[], R> {
  remote(...args: Args<A>): R
}

/**
 * The signatures of `.remote` that come before that of a function's last overload; `unknown`, which adds nothing, if it has but one. Where
 * there are fewer than are asked for, TypeScript takes the first for those that are missing: of an ordinary function all are the same. Two
 * are asked for to begin with, since that is what most methods pay.
 */
export type EarlierCalls<F extends AnyFunction, N extends number> = F extends {
  (...args: infer A1): infer R1
  (...args: infer A2): infer R2
}
  ? IsSame<[A1, R1], [A2, R2]> extends true
    ? unknown
    : ThreeCalls<F, N>
  : unknown

type ThreeCalls<F extends AnyFunction, N extends number> = F extends {
  (...args: infer A1): infer R1
  (...args: infer A2): infer R2
  (...args: infer A3): infer R3
  (...args: never[]): unknown
}
  ? Call<A1, Returned<R1, N>>['remote'] & Call<A2, Returned<R2, N>>['remote'] & Call<A3, Returned<R3, N>>['remote']
  : unknown

/** The same for the constructors of a class. `M` is what its `static methods` says. */
export type EarlierConstructors<C extends AnyClass, M> = C extends {
  new (...args: infer A1): infer I1
  new (...args: infer A2): infer I2
  new (...args: infer A3): infer I3
  new (...args: infer A4): infer I4
}
  ? IsSame<[A3, I3], [A4, I4]> extends true
    ? unknown
    : Call<A1, ActorHandle<I1, M>>['remote'] & Call<A2, ActorHandle<I2, M>>['remote'] & Call<A3, ActorHandle<I3, M>>['remote']
  : unknown

type IsSame<A, B> = [A, B] extends [B, A] ? true : false
