/** The types that users see: what a call takes, what it gives, and what the store makes of values. */

import type { ObjectRef } from '../refs/object-ref.ts'
import type { ObjectRefGenerator } from '../refs/object-ref-generator.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a function takes and gives is its own business, and calls of it must check
export type AnyFunction = (...args: any[]) => any

type Plain =
  | Date
  | RegExp
  | Error
  | URL
  | Headers
  | URLSearchParams
  | ObjectRef<unknown>
  | Map<unknown, unknown>
  | Set<unknown>
  | Promise<unknown>
  // Handles of actors, whose types may refer to themselves.
  | { [Symbol.asyncDispose](): Promise<void> }
  | AnyFunction

type StoredView<T> = T extends Buffer
  ? Buffer<ArrayBufferLike>
  : T extends Uint8Array
    ? Uint8Array<ArrayBufferLike>
    : T extends Uint8ClampedArray
      ? Uint8ClampedArray<ArrayBufferLike>
      : T extends Int8Array
        ? Int8Array<ArrayBufferLike>
        : T extends Uint16Array
          ? Uint16Array<ArrayBufferLike>
          : T extends Int16Array
            ? Int16Array<ArrayBufferLike>
            : T extends Uint32Array
              ? Uint32Array<ArrayBufferLike>
              : T extends Int32Array
                ? Int32Array<ArrayBufferLike>
                : T extends Float32Array
                  ? Float32Array<ArrayBufferLike>
                  : T extends Float64Array
                    ? Float64Array<ArrayBufferLike>
                    : T extends BigInt64Array
                      ? BigInt64Array<ArrayBufferLike>
                      : T extends BigUint64Array
                        ? BigUint64Array<ArrayBufferLike>
                        : T extends DataView
                          ? DataView<ArrayBufferLike>
                          : T

/**
 * What a value is once it was in the store: typed arrays, `Buffer` and `DataView`, also inside of plain objects, arrays and
 * tuples, are over `ArrayBufferLike`, since they may be views of shared memory.
 */
export type Stored<T> =
  IsAny<T> extends true
    ? T
    : T extends ArrayBufferView | ArrayBuffer
      ? StoredView<T>
      : T extends Plain
        ? T
        : T extends readonly unknown[]
          ? { [K in keyof T]: Stored<T[K]> }
          : T extends object
            ? IsPlain<T> extends true
              ? { [K in keyof T]: Stored<T[K]> }
              : T
            : T

type IsAny<T> = 0 extends 1 & T ? true : false

/** An object without methods: classes with methods are left as they are. */
type IsPlain<T> = true extends { [K in keyof T]: T[K] extends AnyFunction ? true : never }[keyof T] ? false : true

/** Each argument may be the value or a ref to it. */
export type Args<P extends readonly unknown[]> = { [K in keyof P]: P[K] | ObjectRef<P[K]> }

/** A ref for each element of what a function with several returns gives. */
type Split<V> = V extends readonly [] ? [] : V extends readonly unknown[] ? { -readonly [K in keyof V]: ObjectRef<V[K]> } : ObjectRef[]

/**
 * What `.remote()` gives: a ref to what the function's promise or value will be in the store; of a generator function, refs to its items,
 * one by one; with `numReturns` n, a ref to each of the n elements or items; with 0, nothing.
 */
export type Returned<R, N = 1> = [N] extends [0]
  ? // biome-ignore lint/suspicious/noConfusingVoidType: there is nothing to be used
    void
  : IsAny<R> extends true
    ? [N] extends [1]
      ? ObjectRef<R>
      : ObjectRef<R>[]
    : [R] extends [never]
      ? ObjectRef<never>
      : [R] extends [Generator<infer Y, unknown, never> | AsyncGenerator<infer Y, unknown, never>]
        ? [N] extends [1]
          ? ObjectRefGenerator<Stored<Y>>
          : ObjectRef<Stored<Y>>[]
        : [N] extends [1]
          ? ObjectRef<Stored<Awaited<R>>>
          : Split<Stored<Awaited<R>>>

/** `numReturns` among the options, else what it was before. */
export type ReturnsOf<O, Otherwise> = O extends { readonly numReturns: infer N extends number } ? N : Otherwise

/** The values behind a list or a tuple of refs. */
export type Values<T extends readonly ObjectRef<unknown>[]> = { -readonly [K in keyof T]: T[K] extends ObjectRef<infer V> ? V : never }
