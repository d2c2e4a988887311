/** Text as bytes: which encoding it takes, and how it is cut out again. */

/** True for text that does not fit in Latin-1, one byte a unit. V8 answers at once for strings it stores in one byte a unit itself. */
export const isWide = (text: string): boolean => WIDE.test(text)

const WIDE = /[\u0100-\uffff]/

/** Writes text that has room there. */
export const writeText = (bytes: Buffer, text: string, at: number, wide: boolean): void => {
  if (wide) bytes.write(text, at, 'utf16le')
  else bytes.write(text, at, 'latin1')
}

type Slice = (bytes: Uint8Array, start: number, end: number) => string

/** Buffer's own slices take any `Uint8Array`; making a Buffer of it first would cost more than the slice. They are undocumented, hence the other way. */
const sliceBy = (method: 'latin1Slice' | 'ucs2Slice', encoding: BufferEncoding): Slice => {
  const slice = (Buffer.prototype as unknown as Record<string, ((start: number, end: number) => string) | undefined>)[method]
  if (slice === undefined) return (bytes, start, end) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding, start, end)
  return (bytes, start, end) => slice.call(bytes, start, end)
}

export const latin1: Slice = sliceBy('latin1Slice', 'latin1')
export const utf16: Slice = sliceBy('ucs2Slice', 'utf16le')
