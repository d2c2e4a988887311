/** The user's handle to an object that may not exist yet: an identity, and no behaviour. */

/** Where the type of the value is kept; no such property exists. */
declare const phantom: unique symbol
const BRAND: unique symbol = Symbol.for('mobula.ObjectRef') as never
const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never

/** The class's member for its type parameter: an interface, since a class may not declare it under isolated declarations. */
export interface ObjectRef<out T = unknown> {
  readonly [phantom]?: T
}

/** Where a ref was minted: the isolate's 64 random bits, as text and as words. Shared by all refs of that isolate. */
export interface Origin {
  readonly runtime: number
  readonly high: number
  readonly low: number
}

/** Handles that are watched together; their parts alone refer to it, so that it is alive as long as one of them is. */
export interface Group {
  /** Slot and generation of each, in turn. */
  readonly keys: number[]
}

/** What the runtime needs to know of a ref. Slots and generations are private to Rust; no user sees them. */
export interface RefParts {
  readonly origin: Origin
  readonly serial: number
  readonly slot: number
  readonly generation: number
  readonly index: number
  /** Disposed: the finalizer that comes later does nothing. Marking is cheaper than unregistering. */
  released: boolean
  /** Known to be settled, which is for ever: who asks again need not ask the runtime. */
  settled: boolean
  /** Gets that have not ended: `using ref = …; return get(ref)` disposes a ref before its value was read. */
  uses: number
  /** The last call that met it in a list of distinct refs. */
  seenBy: number
  /** Those with which it is watched, if it is not watched by itself. */
  group: Group | undefined
  /** Where it stands in its group, or among the fresh; -1: nowhere. */
  place: number
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')

let isRef: (value: object) => value is ObjectRef
let partsIn: (ref: ObjectRef) => RefParts
let isDisposed: (ref: ObjectRef) => boolean
let usable: (value: unknown) => RefParts | undefined

/**
 * A reference to an object in the store, or to the result of a task that has not finished.
 *
 * Opaque, immutable and cheap. It is not thenable: `await ref` gives the ref itself, and only `get(ref)` fetches the value.
 * The value lives as long as some ref to it does.
 *
 * @example
 * ```ts
 * import { get, put } from 'mobula'
 * const ref = put({ rows: 3 })
 * console.log(await get(ref)) // { rows: 3 }
 * ```
 */
// biome-ignore lint/correctness/noUnusedVariables: the interface above uses it
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: as above
export class ObjectRef<out T = unknown> {
  readonly #parts: RefParts
  #disposed = false

  /** @internal */
  constructor(parts: RefParts) {
    this.#parts = parts
  }

  /** The object's 128-bit public id and its index, as hexadecimal text. Made only when asked for. */
  get id(): string {
    const { origin, serial, index } = this.#parts
    const id = hex(origin.high) + hex(origin.low) + hex(Math.floor(serial / 2 ** 32)) + hex(serial)
    return index === 0 ? id : `${id}.${index}`
  }

  toString(): string {
    return `ObjectRef(${this.id})`
  }

  /** Lets go of this handle: `get`, `wait` and `.remote()` refuse it afterwards. The value stays while other refs hold it. */
  [Symbol.dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#parts.released = true
    if (this.#parts.uses === 0) onDispose?.(this.#parts)
  }

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true })
    Object.defineProperty(this.prototype, INSPECT, {
      value(this: ObjectRef): string {
        return this.toString()
      },
    })
    isRef = (value): value is ObjectRef => #parts in value
    partsIn = (ref) => ref.#parts
    isDisposed = (ref) => ref.#disposed
    usable = (value) => (typeof value === 'object' && value !== null && #parts in value && !value.#disposed ? value.#parts : undefined)
  }
}

let onDispose: ((parts: RefParts) => void) | undefined

/** Tells the registry's release to the class, so that disposal reaches it without an import upwards. */
export const setDispose = (release: (parts: RefParts) => void): void => {
  onDispose = release
}

/** The object stays until `endUse`, also if the ref is disposed before. */
export const beginUse = (ref: ObjectRef): void => {
  partsIn(ref).uses += 1
}

export const endUse = (ref: ObjectRef): void => {
  const parts = partsIn(ref)
  parts.uses -= 1
  if (parts.uses === 0 && parts.released) onDispose?.(parts)
}

/** The parts of a ref made by this copy of the package. */
export const partsOf = (ref: ObjectRef): RefParts => partsIn(ref)

/** The parts of what is a ref of this copy of the package and was not disposed of: one look where lists of them are gone through. */
export const usablePartsOf = (value: unknown): RefParts | undefined => usable(value)

export const wasDisposed = (ref: ObjectRef): boolean => isDisposed(ref)

/** True for refs of this copy of the package, by private state. */
export const isObjectRef = (value: unknown): value is ObjectRef => typeof value === 'object' && value !== null && isRef(value)

/** True for refs of another copy of the package: same brand, other class. They are refused by name. */
export const isForeignRef = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !isRef(value) && (value as { [BRAND]?: unknown })[BRAND] === true
