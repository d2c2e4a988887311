/** A buffer of the store before it is an object. */

import { encodeBlank } from '../codec/codec.ts'
import type { EngineDraft } from '../engine/engine.ts'
import { ERROR_CODES } from '../errors/codes.ts'
import { MobulaError } from '../errors/errors.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import type { Runtime } from './current.ts'
import { putValue } from './put.ts'

const goesWithBuffer: ReadonlySet<string> = new Set([ERROR_CODES.ERR_SHUTDOWN, ERROR_CODES.ERR_DRAFT_CLOSED, ERROR_CODES.ERR_DRAFT_LOCKED])

/**
 * Memory of the object store that only its maker sees, until `seal` makes it an object. Forgetting an unsealed draft, or
 * `draft[Symbol.dispose]()`, gives the memory back.
 */
export class Draft {
  /** The memory, to be written in place. Empty once the draft was sealed or given up. It cannot be transferred to another thread. */
  readonly buffer: Uint8Array<ArrayBuffer>
  readonly #seal: () => ObjectRef
  readonly #abandon: () => void
  #end: 'sealed' | 'given up' | undefined

  /** @internal */
  constructor(runtime: Runtime, byteLength: number) {
    // Of no bytes there is no memory to lend.
    const draft: EngineDraft =
      byteLength === 0
        ? { buffer: new ArrayBuffer(0), seal: () => putValue(runtime, new Uint8Array(0)), abandon: () => {} }
        : runtime.engine.draft(encodeBlank(byteLength))
    this.buffer = new Uint8Array(draft.buffer)
    this.#seal = draft.seal
    this.#abandon = draft.abandon
  }

  /**
   * Makes an object of the bytes, without a copy. `draft.buffer` is empty from then on. Nothing may still be under way that
   * writes into it: an `fs.read` that ends later writes into memory that is somebody else's by then.
   *
   * @throws {MobulaError} `ERR_DRAFT_CLOSED` if it was sealed or given up before, or its buffer was moved away by `transfer()`;
   *   `ERR_DRAFT_LOCKED` if its buffer was locked by `markAsUntransferable()` (Node 24 and later)
   */
  seal(): ObjectRef<Uint8Array> {
    if (this.#end !== undefined) {
      throw new MobulaError(`draft.seal: the draft was ${this.#end} already; make another by createBuffer`, { code: ERROR_CODES.ERR_DRAFT_CLOSED })
    }
    const ref = this.#seal() as ObjectRef<Uint8Array>
    this.#end = 'sealed'
    return ref
  }

  /** Gives the memory back now; nothing is kept of it. Harmless when done twice, or after `seal`. */
  [Symbol.dispose](): void {
    if (this.#end !== undefined) return
    this.#end = 'given up'
    try {
      this.#abandon()
    } catch (error) {
      // After a shutdown, or if the buffer was moved away or locked, the memory goes with the buffer.
      if (!(error instanceof MobulaError && goesWithBuffer.has(error.code))) throw error
    }
  }
}
