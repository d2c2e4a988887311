/** Counts bytes: what was copied into the store, once, and what was read there without another copy. */

export interface Traffic {
  readonly what: string
  readonly objects: number
  readonly written: number
  readonly read: number
  readonly readers: string
}

/** The bytes of the arrays in a value. What stands around them (names, small numbers) is some hundred bytes per object and is not counted. */
export const bytesIn = (value: unknown): number => {
  if (ArrayBuffer.isView(value)) return value.byteLength
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce<number>((bytes, part) => bytes + bytesIn(part), 0)
}
