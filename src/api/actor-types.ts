/** The types of remote classes and of handles to their actors. */

import type { ActorOptions } from '../options/actor.ts'
import type { ActorCallOptions } from '../options/actor-call.ts'
import type { Call, EarlierCalls, EarlierConstructors } from './overloads.ts'
import type { AnyFunction, Returned, ReturnsOf } from './types.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a constructor takes is its own business, and calls of it must check
export type AnyClass = new (...args: any[]) => any

/** A method of an actor's. */
export interface ActorMethod<F extends AnyFunction, N extends number = 1> {
  /**
   * Sends a call to the actor and returns a ref to its result at once. Arguments are taken by value now; a ref among them is resolved before
   * the call begins. Calls of one caller (a task, an actor, the program) begin in the order in which they were made.
   *
   * @throws {SerializationError} for an argument that cannot travel; {@link PendingCallsLimitError} for one call more than `maxPendingCalls` allows
   * @throws {TypeError} for a method that the class has not, with the nearest name; {@link ShutdownError} after `shutdown`
   */
  readonly remote: EarlierCalls<F, N> & Call<Parameters<F>, Returned<ReturnType<F>, N>>['remote']
  /** The same method with other options for the calls made through it. */
  options<const O extends ActorCallOptions>(options: O): ActorMethod<F, ReturnsOf<O, N>>
}

/** Tells handles from other objects; no such property exists. */
declare const actor: unique symbol

/** A handle to an actor of whatever class. */
export interface AnyActorHandle {
  readonly [actor]?: true
  /** Lets go of this handle. If it was the last, waits until the actor has ended, after its queued calls. */
  [Symbol.asyncDispose](): Promise<void>
}

type MethodsOf<C> = C extends { readonly methods: infer M } ? M : unknown

/** What `static methods` of a class says of how many objects a method returns. */
type SaidReturns<M, K> = K extends keyof M ? ReturnsOf<M[K], 1> : 1

/**
 * A handle to an actor: the public methods of its class, each with `.remote()`. Fields that hold functions are methods, too; other fields
 * and accessors are `never`. (They are not left out: a class whose fields hold handles to its own kind could not be typed.) It may be
 * passed to tasks and actors, put, returned and captured; the actor lives as long as one of its handles does, anywhere.
 */
export type ActorHandle<I, M = unknown> = {
  readonly [K in keyof I]: K extends string ? (I[K] extends AnyFunction ? ActorMethod<I[K], SaidReturns<M, K>> : never) : never
} & AnyActorHandle

/** A class whose instances are actors. */
export interface RemoteClass<C extends AnyClass> {
  /**
   * Creates an actor and returns a handle at once; its constructor runs on the actor's thread as soon as its arguments are there. A
   * constructor that throws fails each call with its error as the `cause`.
   *
   * @throws {CaptureError} if the class cannot ship, naming the variable that it uses; {@link SerializationError} for an argument
   * @throws {MobulaError} `ERR_ACTOR_NAME` if there is an actor of that name, unless `getIfExists`
   */
  readonly remote: EarlierConstructors<C, MethodsOf<C>> & Call<ConstructorParameters<C>, ActorHandle<InstanceType<C>, MethodsOf<C>>>['remote']
  /** The same class with other options; those not named stay as they are. */
  options(options: ActorOptions): RemoteClass<C>
}

/** The handle of a remote class, or of a class. */
export type ActorOf<T> =
  T extends RemoteClass<infer C> ? ActorHandle<InstanceType<C>, MethodsOf<C>> : T extends AnyClass ? ActorHandle<InstanceType<T>, MethodsOf<T>> : ActorHandle<T>
