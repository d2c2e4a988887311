/** `put`: a value enters the store. */

import type { ObjectRef } from '../refs/object-ref.ts'
import { putValue } from '../runtime/put.ts'
import { runtimeOrDefault } from './init.ts'
import type { Stored } from './types.ts'

/**
 * Puts a value into the object store and returns a ref to it. Synchronous: the value is taken now, and changing it afterwards
 * changes nothing. Binary data (typed arrays, `Buffer`, `DataView`, Arrow tables) is copied once, at memory speed, and never again
 * by any `get`.
 *
 * @throws {SerializationError} for what cannot travel, naming the path inside the value
 * @throws {ObjectStoreFullError} when the store has no room
 * @example
 * ```ts
 * import { get, put } from 'mobula'
 * const ref = put(new Float64Array(1_000_000))
 * console.log((await get(ref)).length) // 1000000
 * ```
 */
export const put = <T>(value: T): ObjectRef<Stored<T>> => putValue(runtimeOrDefault(), value) as ObjectRef<Stored<T>>
