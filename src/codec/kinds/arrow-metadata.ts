/**
 * Checks the metadata of an Arrow stream before apache-arrow believes it: that every offset, length and count in it stays inside.
 * apache-arrow checks none of them: a damaged count would be a loop of billions of steps, a damaged length a view of memory elsewhere.
 */

/** Throws by `damaged` unless the bytes are messages that fit, from the schema to the last batch. */
export const checkArrowStream = (bytes: Uint8Array, damaged: (what: string) => never): void => {
  const metadata = new Metadata(bytes, damaged)
  let at = 0
  for (;;) {
    if (at === bytes.length) return
    let length = metadata.int(at)
    at += 4
    // Since Arrow 0.15 a mark of four bytes comes before the length.
    if (length === -1) {
      length = metadata.int(at)
      at += 4
    }
    if (length === 0) return
    if (length < 0 || at + length > bytes.length) damaged('an Arrow message beyond its stream')
    at += length + metadata.message(at, length)
    if (at > bytes.length) damaged('an Arrow batch beyond its stream')
  }
}

const HEADER = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const
/** Of all types two refer to something: a timestamp to the name of its zone, a union to the ids of its members. */
const TYPE = { timestamp: 10, union: 14 } as const

/** The parts of a flatbuffer. A table has its fields in numbered slots; one that is not there has its default. */
class Metadata {
  readonly #view: DataView
  readonly #damaged: (what: string) => never
  /** Where the message ends that is looked at. */
  #start = 0
  #end = 0
  /** How often tables may still be looked at: no more than there are bytes, or they refer to each other in ways that multiply. */
  #tablesLeft = 0

  constructor(bytes: Uint8Array, damaged: (what: string) => never) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#damaged = damaged
    this.#end = bytes.length
  }

  int(at: number): number {
    this.#expect(at, 4)
    return this.#view.getInt32(at, true)
  }

  /** Checks the message at `start`, and returns the length of the body behind it. */
  message(start: number, length: number): number {
    this.#start = start
    this.#end = start + length
    this.#tablesLeft = length
    const message = this.#target(start)
    const kind = this.#byte(message, 1)
    const header = this.#reference(message, 2)
    const body = this.#long(message, 3)
    this.#pairs(message, 4)
    if (header === 0 || body < 0) return this.#damaged('an Arrow message without content')
    if (kind === HEADER.schema) this.#schema(header)
    else if (kind === HEADER.recordBatch) this.#batch(header, body)
    else if (kind === HEADER.dictionaryBatch) this.#batch(this.#reference(header, 1), body)
    else this.#damaged('an Arrow message of unknown kind')
    this.#end = this.#view.byteLength
    this.#start = 0
    return kind === HEADER.schema ? 0 : body
  }

  #schema(schema: number): void {
    this.#tables(schema, 1, (field) => this.#field(field))
    this.#pairs(schema, 2)
    this.#vector(schema, 3, 8)
  }

  #field(field: number): void {
    this.#vector(field, 0, 1)
    const type = this.#reference(field, 3)
    if (type !== 0) {
      const kind = this.#byte(field, 2)
      if (kind === TYPE.union) this.#vector(type, 1, 4)
      if (kind === TYPE.timestamp) this.#vector(type, 1, 1)
      this.#table(type)
    }
    const dictionary = this.#reference(field, 4)
    if (dictionary !== 0) this.#reference(dictionary, 1)
    this.#tables(field, 5, (child) => this.#field(child))
    this.#pairs(field, 6)
  }

  #batch(batch: number, body: number): void {
    const rows = this.#long(batch, 0)
    const nodes = this.#vector(batch, 1, 16)
    const buffers = this.#vector(batch, 2, 16)
    if (this.#reference(batch, 3) !== 0) this.#damaged('a compressed Arrow batch')
    const counts = this.#vector(batch, 4, 8)
    for (let index = 0; index < counts.length; index++) {
      if (this.#longAt(counts.at + index * 8) > buffers.length) this.#damaged('more Arrow buffers than there are')
    }
    // A column of another length is filled up to the batch's: so many bits must not be believed without as many bytes.
    for (let index = 0; index < nodes.length && rows > body * 8; index++) {
      if (this.#longAt(nodes.at + index * 16) !== rows) this.#damaged('an Arrow batch longer than its columns')
    }
  }

  #pairs(table: number, slot: number): void {
    this.#tables(table, slot, (pair) => {
      this.#vector(pair, 0, 1)
      this.#vector(pair, 1, 1)
    })
  }

  #tables(table: number, slot: number, visit: (table: number) => void): void {
    const { at, length } = this.#vector(table, slot, 4)
    for (let index = 0; index < length; index++) visit(this.#target(at + index * 4))
  }

  #vector(table: number, slot: number, elementBytes: number): { at: number; length: number } {
    const at = this.#reference(table, slot)
    if (at === 0) return { at, length: 0 }
    this.#expect(at, 4)
    const length = this.#view.getUint32(at, true)
    this.#expect(at + 4, length * elementBytes)
    return { at: at + 4, length }
  }

  /** What a slot refers to, or 0 if it is empty. */
  #reference(table: number, slot: number): number {
    const at = this.#slot(table, slot, 4)
    return at === 0 ? 0 : this.#target(at)
  }

  #target(at: number): number {
    this.#expect(at, 4)
    const target = at + this.#view.getUint32(at, true)
    this.#expect(target, 4)
    return target
  }

  #byte(table: number, slot: number): number {
    const at = this.#slot(table, slot, 1)
    return at === 0 ? 0 : this.#view.getUint8(at)
  }

  #long(table: number, slot: number): number {
    const at = this.#slot(table, slot, 8)
    return at === 0 ? 0 : this.#longAt(at)
  }

  #longAt(at: number): number {
    return Number(this.#view.getBigInt64(at, true))
  }

  /** Where a field of so many bytes lies, or 0 if the table has it not. */
  #slot(table: number, slot: number, bytes: number): number {
    const fields = this.#table(table)
    if (4 + slot * 2 >= this.#view.getUint16(fields, true)) return 0
    const offset = this.#view.getUint16(fields + 4 + slot * 2, true)
    if (offset === 0) return 0
    this.#expect(table + offset, bytes)
    return table + offset
  }

  /** Checks a table, and returns where the places of its fields are listed. */
  #table(table: number): number {
    if (--this.#tablesLeft < 0) this.#damaged('Arrow metadata that refer to each other without end')
    this.#expect(table, 4)
    const fields = table - this.#view.getInt32(table, true)
    this.#expect(fields, 4)
    this.#expect(fields, this.#view.getUint16(fields, true))
    return fields
  }

  #expect(at: number, bytes: number): void {
    if (at < this.#start || at + bytes > this.#end) this.#damaged('Arrow metadata beyond their end')
  }
}
