/** Arbitrary values for property tests: graphs of every kind that travels, with sharing, cycles, and views of common memory. */

import * as arrow from 'apache-arrow'
import fc from 'fast-check'
import { registerClass } from '../../src/codec/codec.ts'
import type { ObjectRef } from '../../src/refs/object-ref.ts'
import { refNumber, typedArrays } from './codec.ts'

/** How to make a value: the same recipe gives equal values that have nothing in common. It is what gets smaller when a property fails. */
export interface Recipe {
  readonly memories: readonly MemoryRecipe[]
  readonly nodes: readonly NodeRecipe[]
  /** The value is a list of all nodes, or the first of them with what it refers to. */
  readonly all: boolean
  /** The value if there are no nodes. */
  readonly alone: unknown
}

/** A number is that of a node (taken modulo their count); everything else is a primitive, boxed so that it is told from one. */
type Edge = number | { readonly is: unknown }
type Fields = readonly (readonly [string, Edge])[]

interface MemoryRecipe {
  readonly kind: 'plain' | 'resizable' | 'shared' | 'pool'
  readonly byteLength: number
  readonly seed: number
}

type NodeRecipe =
  | { readonly kind: 'record'; readonly fields: Fields }
  | { readonly kind: 'bare'; readonly fields: Fields }
  | { readonly kind: 'instance'; readonly of: number; readonly fields: Fields }
  | { readonly kind: 'array'; readonly slots: readonly (Edge | 'hole')[]; readonly further: Fields }
  | { readonly kind: 'packed'; readonly numbers: readonly number[]; readonly end: readonly Edge[] }
  | { readonly kind: 'sparse'; readonly at: number; readonly edge: Edge; readonly length: number }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Edge, Edge])[]; readonly further: Fields }
  | { readonly kind: 'set'; readonly members: readonly Edge[]; readonly further: Fields }
  | { readonly kind: 'date'; readonly time: number; readonly further: Fields }
  | { readonly kind: 'regexp'; readonly source: string; readonly flags: string; readonly lastIndex: number; readonly further: Fields }
  | { readonly kind: 'boxed'; readonly is: unknown; readonly further: Fields }
  | {
      readonly kind: 'error'
      readonly of: number
      readonly message: string
      readonly name: string | null
      readonly cause: Edge | null
      readonly fields: Fields
    }
  | { readonly kind: 'exception'; readonly name: string; readonly message: string; readonly cause: Edge | null; readonly further: Fields }
  | { readonly kind: 'view'; readonly of: number; readonly memory: number; readonly start: number; readonly length: number }
  | { readonly kind: 'buffer'; readonly memory: number; readonly further: Fields }
  | { readonly kind: 'url'; readonly href: string; readonly further: Fields }
  | { readonly kind: 'search'; readonly pairs: readonly [string, string][]; readonly further: Fields }
  | { readonly kind: 'headers'; readonly pairs: readonly [string, string][]; readonly further: Fields }
  | { readonly kind: 'ref'; readonly serial: number }
  | { readonly kind: 'arrow'; readonly form: 'table' | 'batch' | 'vector'; readonly column: readonly (string | null)[] }

type Kind = NodeRecipe['kind']
type Of<K extends Kind> = Extract<NodeRecipe, { readonly kind: K }>

const errorClasses = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError as unknown as ErrorConstructor] as const

type ViewClass = new (buffer: ArrayBufferLike, at: number, length: number) => ArrayBufferView
const viewClasses = [...typedArrays, DataView, Buffer] as unknown as readonly (ViewClass & { readonly BYTES_PER_ELEMENT?: number })[]

/** Node's pool has this size; memory of that size is taken for one. */
const poolBytes = Buffer.allocUnsafe(1).buffer.byteLength

const refs: readonly ObjectRef[] = Array.from({ length: 4 }, (_, serial) => refNumber(serial + 1))

// ---- What values are made of

const units = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 0xff }) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }) })

const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12 }) },
  // Any units, lone surrogates among them.
  { weight: 3, arbitrary: fc.array(units, { maxLength: 12 }).map((list) => String.fromCharCode(...list)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom('x', 'é', '€', '\ud800'), fc.integer({ min: 2_040, max: 4_200 })).map(([unit, count]) => unit.repeat(count)),
  },
)

const number = fc.oneof(
  fc.integer({ min: -100, max: 100 }),
  fc.integer(),
  fc.constantFrom(-0, 2 ** 23, -(2 ** 23) - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY),
  fc.double(),
)

const primitive: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 4, arbitrary: text },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(undefined, null, true, false) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }) },
)

const key: fc.Arbitrary<string> = fc.oneof(
  // Few names, so that shapes come back often enough to be compiled.
  { weight: 8, arbitrary: fc.constantFrom('id', 'name', 'items', 'next', 'ok') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '__proto__',
      'constructor',
      'then',
      'toString',
      'length',
      'valueOf',
      '',
      'a\0b',
      '0',
      '7',
      '4294967295',
      '-1',
      '01',
      'clé',
      '鍵',
    ),
  },
  { weight: 1, arbitrary: text },
)

/** Names that these objects have for themselves, and cannot have twice. */
const without = (...names: string[]): fc.Arbitrary<string> => key.filter((name) => !names.includes(name))

const edge: fc.Arbitrary<Edge> = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 1_000 }) }, { weight: 2, arbitrary: primitive.map((is) => ({ is })) })

const fields = (keys: fc.Arbitrary<string> = key, maxLength = 6): fc.Arbitrary<Fields> =>
  fc.uniqueArray(fc.tuple(keys, edge), { selector: ([name]) => name, maxLength })

/** Properties on something that is no plain object: seldom any. */
const further = (keys: fc.Arbitrary<string> = key): fc.Arbitrary<Fields> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fields(keys, 3) })

const memory: fc.Arbitrary<MemoryRecipe> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant('plain' as const) },
    { weight: 1, arbitrary: fc.constantFrom('resizable' as const, 'shared' as const, 'pool' as const) },
  ),
  byteLength: fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 100, max: 600 })),
  seed: fc.nat({ max: 255 }),
})

/** Without names that make an array, a boxed string or a view something else. */
const arrayKey = key.filter((name) => name !== 'length' && !(String(Number(name)) === name && Number(name) >= 0 && Number(name) < 2 ** 32 - 1))

const latin = fc.string({ maxLength: 8 })
const pairs = fc.array(fc.tuple(latin, latin), { maxLength: 4 })

/** What users' classes may be: of their own, below one, and below builtin ones. */
const classes = [
  class Plain {},
  class Below extends class Above {} {},
  class Rows extends Array<unknown> {},
  class Index extends Map<string, unknown> {},
  class Moment extends Date {
    constructor() {
      super(86_400_000)
    }
  },
]
for (const Class of classes) registerClass(`arbitrary#${Class.name}`, Class)

const kinds: { readonly [K in Kind]: { readonly weight: number; readonly node: fc.Arbitrary<Omit<Of<K>, 'kind'>> } } = {
  record: { weight: 12, node: fc.record({ fields: fields() }) },
  bare: { weight: 1, node: fc.record({ fields: fields() }) },
  instance: { weight: 3, node: fc.record({ of: fc.nat({ max: classes.length - 1 }), fields: further(arrayKey) }) },
  array: {
    weight: 6,
    node: fc.record({
      slots: fc.array(fc.oneof({ weight: 5, arbitrary: edge }, { weight: 1, arbitrary: fc.constant('hole' as const) }), { maxLength: 8 }),
      further: further(arrayKey),
    }),
  },
  packed: { weight: 2, node: fc.record({ numbers: fc.array(number, { maxLength: 12 }), end: fc.array(edge, { maxLength: 2 }) }) },
  sparse: { weight: 1, node: fc.record({ at: fc.nat({ max: 2 ** 32 - 2 }), edge, length: fc.nat({ max: 2 ** 32 - 1 }) }) },
  map: { weight: 3, node: fc.record({ entries: fc.array(fc.tuple(edge, edge), { maxLength: 5 }), further: further() }) },
  set: { weight: 2, node: fc.record({ members: fc.array(edge, { maxLength: 5 }), further: further() }) },
  date: { weight: 1, node: fc.record({ time: fc.oneof(fc.integer(), fc.constantFrom(Number.NaN, 8.64e15, -8.64e15, 0.5)), further: further() }) },
  regexp: {
    weight: 1,
    node: fc.record({
      source: fc.constantFrom('a', '', '/', 'é|\\n', '(?<b>x)'),
      flags: fc.constantFrom('', 'g', 'dgimsuy', 'v'),
      lastIndex: fc.nat({ max: 9 }),
      further: further(without('lastIndex')),
    }),
  },
  boxed: { weight: 1, node: fc.record({ is: primitive.filter((is) => is !== null && is !== undefined), further: further(arrayKey) }) },
  error: {
    weight: 3,
    node: fc.record({
      of: fc.nat({ max: errorClasses.length - 1 }),
      message: text,
      name: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: text }),
      cause: fc.option(edge, { freq: 1 }),
      fields: further(without('stack', 'cause', 'errors')),
    }),
  },
  exception: {
    weight: 1,
    node: fc.record({
      name: fc.constantFrom('AbortError', 'DataCloneError', 'odd'),
      message: text,
      cause: fc.option(edge),
      further: further(without('name', 'message', 'code', 'stack', 'cause', 'constructor')),
    }),
  },
  view: {
    weight: 6,
    node: fc.record({
      of: fc.nat({ max: viewClasses.length - 1 }),
      memory: fc.nat({ max: 20 }),
      start: fc.nat({ max: 700 }),
      length: fc.oneof(fc.nat({ max: 8 }), fc.nat({ max: 700 })),
    }),
  },
  buffer: { weight: 2, node: fc.record({ memory: fc.nat({ max: 20 }), further: further(without('byteLength', 'maxByteLength', 'resizable')) }) },
  url: { weight: 1, node: fc.record({ href: fc.webUrl(), further: further() }) },
  search: { weight: 1, node: fc.record({ pairs, further: further() }) },
  headers: {
    weight: 1,
    // No empty ones: of several for one name, Node joins a text that it would not take back.
    node: fc.record({
      pairs: pairs.map((list) => list.map(([, value], index): [string, string] => [`x-${index % 3}`, `v${value.replace(/[^!-~]/g, '')}`])),
      further: further(without('constructor')),
    }),
  },
  ref: { weight: 1, node: fc.record({ serial: fc.nat({ max: refs.length - 1 }) }) },
  arrow: {
    weight: 1,
    node: fc.record({ form: fc.constantFrom('table', 'batch', 'vector'), column: fc.array(fc.option(latin), { minLength: 1, maxLength: 6 }) }),
  },
}

const node: fc.Arbitrary<NodeRecipe> = fc.oneof(
  ...(Object.entries(kinds) as [Kind, { weight: number; node: fc.Arbitrary<object> }][]).map(([kind, { weight, node: one }]) => ({
    weight,
    arbitrary: one.map((content) => ({ kind, ...content }) as NodeRecipe),
  })),
)

/** Recipes for values of up to `nodesMax` objects. */
export const recipe = (nodesMax: number): fc.Arbitrary<Recipe> =>
  fc.record({
    memories: fc.array(memory, { minLength: 1, maxLength: 4 }),
    nodes: fc.array(node, { maxLength: nodesMax, size: 'max' }),
    all: fc.boolean(),
    alone: primitive,
  })

// ---- Making them

export const make = ({ memories, nodes, all, alone }: Recipe): unknown => {
  const places = memories.map(makeMemory)
  const shells = nodes.map((one) => shellOf(one, places))
  const at = (one: Edge): unknown => (typeof one === 'number' ? shells[one % shells.length] : one.is)
  for (const [index, one] of nodes.entries()) fill(shells[index] as object, one, at)
  if (shells.length === 0) return alone
  return all ? shells : shells[0]
}

const makeMemory = ({ kind, byteLength, seed }: MemoryRecipe): ArrayBufferLike => {
  const buffer = makeBuffer(kind, byteLength)
  const bytes = new Uint8Array(buffer)
  for (let index = 0; index < bytes.length; index++) bytes[index] = (index * 7 + seed * 31) ^ (index >>> 3)
  return buffer
}

type ResizableBuffer = new (byteLength: number, options: { maxByteLength: number }) => ArrayBuffer

const makeBuffer = (kind: MemoryRecipe['kind'], byteLength: number): ArrayBufferLike => {
  if (kind === 'shared') return new SharedArrayBuffer(byteLength)
  if (kind === 'resizable') return new (ArrayBuffer as ResizableBuffer)(byteLength, { maxByteLength: byteLength + 100 })
  return new ArrayBuffer(kind === 'pool' ? poolBytes : byteLength)
}

/** The object without what may refer back to it. */
const shellOf = (one: NodeRecipe, memories: readonly ArrayBufferLike[]): object => {
  const memoryOf = (number_: number): ArrayBufferLike => memories[number_ % memories.length] as ArrayBufferLike
  switch (one.kind) {
    case 'record':
      return {}
    case 'bare':
      return Object.create(null) as object
    case 'instance':
      return new (classes[one.of] as new () => object)()
    case 'array':
    case 'packed':
    case 'sparse':
      return []
    case 'map':
      return new Map()
    case 'set':
      return new Set()
    case 'date':
      return new Date(one.time)
    case 'regexp':
      return Object.assign(new RegExp(one.source, one.flags), { lastIndex: one.lastIndex })
    case 'boxed':
      return Object(one.is) as object
    case 'error':
      return makeError(one)
    case 'exception':
      return Object.defineProperty(new DOMException(one.message, one.name), 'stack', { value: 'no stack', configurable: true, writable: true })
    case 'view':
      return makeView(one, memoryOf(one.memory))
    case 'buffer': {
      const buffer = memoryOf(one.memory)
      // A bare SharedArrayBuffer is no value.
      return buffer instanceof SharedArrayBuffer ? new Uint8Array(buffer) : buffer
    }
    case 'url':
      return new URL(one.href)
    case 'search':
      return new URLSearchParams([...one.pairs])
    case 'headers':
      return new Headers([...one.pairs])
    case 'ref':
      return refs[one.serial] as object
    case 'arrow':
      return makeArrow(one)
  }
}

const makeError = ({ of, message, name }: Of<'error'>): Error => {
  const Class = errorClasses[of] as ErrorConstructor
  const error = (Class as unknown) === AggregateError ? new AggregateError([], message) : new Class(message)
  // Two values of one recipe are made at different places.
  Object.defineProperty(error, 'stack', { value: 'no stack', configurable: true, writable: true })
  if (name !== null) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  return error
}

const makeView = ({ of, start, length }: Of<'view'>, buffer: ArrayBufferLike): ArrayBufferView => {
  const Class = viewClasses[of] as (typeof viewClasses)[number]
  const unit = (Class as unknown) === Buffer ? 1 : (Class.BYTES_PER_ELEMENT ?? 1)
  const at = Math.floor((start % (buffer.byteLength + 1)) / unit) * unit
  const count = length % (Math.floor((buffer.byteLength - at) / unit) + 1)
  return (Class as unknown) === Buffer ? Buffer.from(buffer as ArrayBuffer, at, count) : new Class(buffer, at, count)
}

const makeArrow = ({ form, column }: Of<'arrow'>): object => {
  const vector = arrow.vectorFromArray([...column], new arrow.Utf8())
  if (form === 'vector') return vector
  const table = new arrow.Table({ column: vector })
  return form === 'table' ? table : (table.batches[0] as object)
}

const fill = (object: object, one: NodeRecipe, at: (edge: Edge) => unknown): void => {
  switch (one.kind) {
    case 'record':
    case 'bare':
    case 'instance':
      give(object, one.fields, at)
      return
    case 'array': {
      const array = object as unknown[]
      array.length = one.slots.length
      for (const [index, slot] of one.slots.entries()) if (slot !== 'hole') array[index] = at(slot)
      give(array, one.further, at)
      return
    }
    case 'packed':
      ;(object as unknown[]).push(...one.numbers, ...one.end.map(at))
      return
    case 'sparse': {
      const array = object as unknown[]
      array[one.at] = at(one.edge)
      array.length = Math.max(array.length, one.length)
      return
    }
    case 'map':
      for (const [name, value] of one.entries) (object as Map<unknown, unknown>).set(at(name), at(value))
      give(object, one.further, at)
      return
    case 'set':
      for (const member of one.members) (object as Set<unknown>).add(at(member))
      give(object, one.further, at)
      return
    case 'error':
      fillError(object as Error, one, at)
      return
    case 'exception':
      if (one.cause !== null) Object.defineProperty(object, 'cause', { value: at(one.cause), configurable: true, writable: true })
      give(object, one.further, at)
      return
    case 'date':
    case 'regexp':
    case 'boxed':
    case 'url':
    case 'search':
    case 'headers':
      give(object, one.further, at)
      return
    case 'buffer':
      if (object instanceof ArrayBuffer) give(object, one.further, at)
      return
    default:
      return
  }
}

const fillError = (error: Error, { cause, fields: own }: Of<'error'>, at: (edge: Edge) => unknown): void => {
  if (cause !== null) error.cause = at(cause)
  if (error instanceof AggregateError && cause !== null) error.errors = [at(cause)]
  give(error, own, at)
}

/** As own properties, `__proto__` too. */
const give = (object: object, list: Fields, at: (edge: Edge) => unknown): void => {
  for (const [name, value] of list) Object.defineProperty(object, name, { value: at(value), enumerable: true, writable: true, configurable: true })
}
