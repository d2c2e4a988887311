/** The numbers of the encoded form: header, tags and limits, as `docs/object-format.md` draws them. */

/** "MOBV", read as a little-endian word. */
export const MAGIC = 0x56424f4d
export const VERSION = 1

/** Set when the text is two bytes a unit: some character of it does not fit in one. */
export const FLAG_WIDE_TEXT = 1

/** Byte offsets of the header's fields. */
export const HEADER = {
  magic: 0,
  version: 4,
  flags: 6,
  byteLength: 8,
  streamBytes: 16,
  textBytes: 20,
  tableAt: 24,
  bufferCount: 28,
  refCount: 32,
  reserved: 36,
} as const
export const HEADER_BYTES = 40
export const HEADER_WORDS: number = HEADER_BYTES / 4

/** One entry of the buffer table: offset, length, and what is known of the `ArrayBuffer` itself, each 64 bits. */
export const TABLE_ENTRY_BYTES = 24
export const BUFFER_ALIGNMENT = 64

/** The low seven bits of a head word say what follows, the next one whether something refers back to it, the upper 24 are its payload. */
export const TAG = {
  undefined: 1,
  null: 2,
  true: 3,
  false: 4,
  smallInt: 5,
  int32: 6,
  double: 7,
  bigint: 8,
  string: 9,
  longString: 10,
  backReference: 11,
  object: 12,
  objectNewShape: 13,
  dictionary: 14,
  array: 15,
  int32Array: 16,
  doubleArray: 17,
  holes: 18,
  withProperties: 19,
  map: 20,
  set: 21,
  date: 22,
  regexp: 23,
  boxed: 24,
  view: 25,
  arrayBuffer: 26,
  arrow: 27,
  error: 28,
  taskError: 29,
  domException: 30,
  url: 31,
  searchParams: 32,
  headers: 33,
  ref: 34,
  dependency: 35,
  args: 36,
  instance: 37,
  coded: 38,
  capsule: 39,
} as const
export const TAG_MASK = 0x7f
export const REFERENCED = 0x80
export const PAYLOAD_SHIFT = 8
export const PAYLOAD_MAX = 0xff_ffff

/** Levels of nesting. Both directions recurse: this many take 50 to 75 % of a main thread's default stack (984 KB) on Node 20 to 26, a worker's holds four times as much. */
export const DEPTH_MAX = 1_000
/** Longer strings lie in a buffer of their own, so that one wide character does not double megabytes and no slice keeps megabytes alive. */
export const TEXT_UNITS_MAX = 2_048
/** Smaller binary data lies in the stream: a buffer of its own would cost a table entry and up to 63 bytes of padding. */
export const INLINE_BYTES_MAX = 128
/** The most that a resizable buffer may grow to. It is address space, and where there is not enough, Node 26 ends a worker that has limits instead of throwing. */
export const RESIZABLE_BYTES_MAX: number = 2 ** 36
