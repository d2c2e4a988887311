/** Memory in which encoded values lie, as bytes and as words: the same memory, from the same start. */

export interface Region {
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

/** More words than any value's header and stream have. */
const WORDS_MAX = 0x2000_0000

/** A region of these bytes; the words are a copy's if the bytes do not begin at a multiple of four. */
export const regionOf = (bytes: Uint8Array): Region => {
  const length = Math.min(Math.floor(bytes.length / 4), WORDS_MAX)
  const words = bytes.byteOffset % 4 === 0 ? new Int32Array(bytes.buffer, bytes.byteOffset, length) : new Int32Array(bytes.slice(0, length * 4).buffer)
  return { bytes, words }
}
