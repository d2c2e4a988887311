/** `createBuffer`: memory of the store to write results into, without any copy. */

import { constants } from 'node:buffer'
import { badType } from '../errors/bad-input.ts'
import { checkOptions, optionalBoolean, optionalInteger } from '../options/check.ts'
import { Draft } from '../runtime/draft.ts'
import { runtimeOrDefault } from './init.ts'

export interface BufferOptions {
  /** Fill the memory with zeros first. Otherwise it holds what was there before. Default: false. */
  readonly zero?: boolean
}

/**
 * Memory of the object store, to be written in place and then sealed into an object: where `put` would copy, this does not.
 * A draft that is forgotten unsealed gives its memory back at a turn of the event loop: code that never yields says `using`.
 *
 * @param byteLength from 0 to the longest `ArrayBuffer` of this Node
 * @returns a draft: write into `draft.buffer`, then `draft.seal()` gives a ref to a `Uint8Array`
 * @throws {ObjectStoreFullError} when the store has no room
 * @example
 * ```ts
 * import { createBuffer, get } from 'mobula'
 * using draft = createBuffer(8 * 1000)
 * const numbers = new Float64Array(draft.buffer.buffer)
 * for (let k = 0; k < numbers.length; k++) numbers[k] = k / 2
 * const ref = draft.seal()
 * console.log((await get(ref)).byteLength) // 8000
 * ```
 */
export const createBuffer = (byteLength: number, options?: BufferOptions): Draft => {
  const length = optionalInteger(byteLength, 'byteLength', 0, constants.MAX_LENGTH)
  if (length === undefined) throw badType('byteLength', 'a number', byteLength)
  const { zero } = checkOptions(options, 'createBuffer: options', ['zero'], [])
  const isZeroed = optionalBoolean(zero, 'options.zero') ?? false
  const draft = new Draft(runtimeOrDefault(), length)
  if (isZeroed) draft.buffer.fill(0)
  return draft
}
