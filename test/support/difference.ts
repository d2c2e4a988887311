/** How two values differ, by a comparison that knows -0, NaN, holes, order, classes, identity within a graph, and views of common memory. */

import { types } from 'node:util'
import { ObjectRef } from '../../src/refs/object-ref.ts'

/** Where and how the values differ, or `undefined` if they are the same but for their own identity. */
export const difference = (left: unknown, right: unknown): string | undefined => {
  const comparison = new Comparison()
  try {
    comparison.values(left, right, 'value')
    comparison.memory()
    return undefined
  } catch (error) {
    if (error instanceof Differs) return error.message
    throw error
  }
}

class Differs extends Error {}

const differ = (path: string, what: string): never => {
  throw new Differs(`${path}: ${what}`)
}

/** Memory that a view, or a bare `ArrayBuffer`, shows. */
interface Site {
  readonly path: string
  readonly left: Span
  readonly right: Span
}

interface Span {
  readonly buffer: ArrayBufferLike
  readonly start: number
  readonly end: number
}

/** As much of apache-arrow's values as is compared. */
interface ArrowLike {
  readonly schema?: object
  readonly type?: object
  toArray(): Iterable<unknown>
}

/** Node cuts small Buffers from pools: two of them belong together only where they overlap. */
const poolBytes = Buffer.allocUnsafe(1).buffer.byteLength

class Comparison {
  readonly #rightOf = new Map<object, object>()
  readonly #leftOf = new Map<object, object>()
  readonly #sites: Site[] = []

  values(left: unknown, right: unknown, path: string): void {
    if (typeof left !== 'object' || left === null || typeof right !== 'object' || right === null) {
      if (!Object.is(left, right)) differ(path, `${shown(left)} became ${shown(right)}`)
      return
    }
    const known = this.#rightOf.get(left)
    if (known !== undefined || this.#leftOf.has(right)) {
      if (known !== right) differ(path, 'is another object than before, or no longer apart from one')
      return
    }
    this.#rightOf.set(left, right)
    this.#leftOf.set(right, left)
    if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) differ(path, 'has another prototype')
    this.#content(left, right, path)
  }

  #content(left: object, right: object, path: string): void {
    if (left instanceof ObjectRef) {
      if (left !== right) differ(path, 'is another ref')
    } else if (ArrayBuffer.isView(left)) {
      this.#memories(spanOf(left), spanOf(right as ArrayBufferView), path)
    } else {
      this.#inside(left, right, path)
      this.#properties(left, right, path)
    }
  }

  /** What an object has beside its properties. Both have the same prototype. */
  #inside(left: object, right: object, path: string): void {
    if (left instanceof Error) this.#errors(left, right as Error, path)
    else if (left instanceof URL) this.#fields(left, right, ['href'], path)
    else if (left instanceof URLSearchParams || left instanceof Headers) this.#lists([...left].flat(), [...(right as Headers)].flat(), `${path}.entries()`)
    else if (isArrow(left)) this.#lists(arrowText(left), arrowText(right as ArrowLike), path)
    else if (Array.isArray(left)) this.values(left.length, (right as unknown[]).length, `${path}.length`)
    else if (types.isMap(left)) this.#lists([...left.entries()].flat(), [...(right as Map<unknown, unknown>).entries()].flat(), `${path}.entries()`)
    else if (types.isSet(left)) this.#lists([...left], [...(right as Set<unknown>)], `${path}.values()`)
    else if (types.isDate(left)) this.values(Date.prototype.getTime.call(left), Date.prototype.getTime.call(right), `${path}.getTime()`)
    else if (types.isRegExp(left)) this.#fields(left, right, ['source', 'flags', 'lastIndex'], path)
    else if (types.isBoxedPrimitive(left)) this.values(unboxed(left), unboxed(right), `${path}.valueOf()`)
    else if (types.isArrayBuffer(left)) this.#buffers(left, right as ArrayBuffer, path)
  }

  #errors(left: Error, right: Error, path: string): void {
    if (types.isNativeError(left) && !types.isNativeError(right)) differ(path, 'is no native error')
    this.#fields(left, right, ['name', 'message', 'stack', 'code'], path)
    for (const key of ['cause', 'errors']) {
      if (Object.hasOwn(left, key) !== Object.hasOwn(right, key)) differ(path, `has or has no ${key}`)
      this.#fields(left, right, [key], path)
    }
  }

  #buffers(left: ArrayBuffer, right: ArrayBuffer, path: string): void {
    this.#fields(left, right, ['resizable', 'maxByteLength'], path)
    this.#memories(spanOf(left), spanOf(right), path)
  }

  #fields(left: object, right: object, keys: readonly string[], path: string): void {
    for (const key of keys) this.values((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key], `${path}.${key}`)
  }

  #lists(left: readonly unknown[], right: readonly unknown[], path: string): void {
    if (left.length !== right.length) differ(path, `has ${right.length} members, not ${left.length}`)
    for (const [index, member] of left.entries()) this.values(member, right[index], `${path}[${index}]`)
  }

  /** Own enumerable properties, in their order. Holes are indices that are none of them. */
  #properties(left: object, right: object, path: string): void {
    // Arrow values keep caches of their own there; of errors, cause and errors were compared, enumerable or not.
    if (isArrow(left)) return
    const wanted = keysOf(left)
    const keys = keysOf(right)
    if (wanted.length !== keys.length || wanted.some((key, index) => key !== keys[index])) {
      differ(path, `has the keys ${shown(keys)}, not ${shown(wanted)}`)
    }
    for (const key of keys) {
      const property = Object.getOwnPropertyDescriptor(right, key)
      const boxed = types.isStringObject(right) && /^\d+$/.test(key)
      if (!boxed && (property?.writable !== true || property.configurable !== true)) differ(path, `${key} is no ordinary property`)
      this.values((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key], `${path}[${JSON.stringify(key)}]`)
    }
  }

  #memories(left: Span, right: Span, path: string): void {
    const [wanted, bytes] = [bytesIn(left), bytesIn(right)]
    if (wanted.length !== bytes.length) differ(path, `has ${bytes.length} bytes, not ${wanted.length}`)
    if (Buffer.compare(wanted, bytes) !== 0) differ(path, 'has other bytes')
    // Nothing can be shared of nothing.
    if (wanted.length > 0) this.#sites.push({ path, left, right })
  }

  /** Views that shared memory share it still, at the same distance; others do not overlap. */
  memory(): void {
    const groups = this.#groups()
    for (const sites of groups) {
      const first = sites[0] as Site
      for (const { path, left, right } of sites) {
        if (right.buffer !== first.right.buffer) differ(path, `no longer shares memory with ${first.path}`)
        if (right.start - left.start !== first.right.start - first.left.start) differ(path, `is at another distance from ${first.path}`)
      }
    }
    for (const [index, sites] of groups.entries()) {
      for (const { path, right } of sites) {
        const other = groups
          .slice(0, index)
          .flat()
          .find((one) => overlap(one.right, right))
        if (other !== undefined) differ(path, `shares memory with ${other.path}`)
      }
    }
  }

  #groups(): Site[][] {
    const groups: Site[][] = []
    for (const buffer of new Set(this.#sites.map(({ left }) => left.buffer))) {
      const sites = this.#sites.filter(({ left }) => left.buffer === buffer)
      if (buffer.byteLength !== poolBytes) {
        groups.push(sites)
        continue
      }
      let end = -1
      for (const site of sites.toSorted((one, other) => one.left.start - other.left.start)) {
        if (site.left.start < end) (groups.at(-1) as Site[]).push(site)
        else groups.push([site])
        end = Math.max(end, site.left.end)
      }
    }
    return groups
  }
}

const spanOf = (memory: ArrayBufferView | ArrayBuffer): Span => {
  if (!ArrayBuffer.isView(memory)) return { buffer: memory, start: 0, end: memory.byteLength }
  return { buffer: memory.buffer, start: memory.byteOffset, end: memory.byteOffset + memory.byteLength }
}

const bytesIn = ({ buffer, start, end }: Span): Uint8Array => new Uint8Array(buffer, start, end - start)

const overlap = (one: Span, other: Span): boolean => one.buffer === other.buffer && one.start < other.end && other.start < one.end

const keysOf = (value: object): string[] => {
  const keys = Object.keys(value)
  return value instanceof Error ? keys.filter((key) => key !== 'cause' && key !== 'errors') : keys
}

/** By the class's own method: the box may have a property of that name. */
const unboxed = (box: object): unknown => {
  if (types.isNumberObject(box)) return Number.prototype.valueOf.call(box)
  if (types.isStringObject(box)) return String.prototype.valueOf.call(box)
  return types.isBooleanObject(box) ? Boolean.prototype.valueOf.call(box) : BigInt.prototype.valueOf.call(box)
}

const isArrow = (value: object): value is ArrowLike => typeof (value as { getChildAt?: unknown }).getChildAt === 'function'

const arrowText = (value: ArrowLike): string[] => [
  String(value.schema ?? value.type),
  JSON.stringify([...value.toArray()], (_, member: unknown) => (typeof member === 'bigint' ? `${member}n` : member)),
]

const shown = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  return Object.is(value, -0) ? '-0' : String(value)
}
