/** What users infer without casts, and what must not compile. Checked by `tsc`, never run. */

import {
  type ActorHandle,
  actorId,
  asCompleted,
  cancel,
  get,
  getActor,
  getSync,
  kill,
  type ObjectRef,
  type ObjectRefGenerator,
  put,
  type RemoteClass,
  type RemoteFunction,
  remote,
  type Stored,
  wait,
} from '../src/index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>): void => {}

export const values = async (): Promise<void> => {
  same<ObjectRef<number>, typeof number>(true)
  same<number, Awaited<ReturnType<typeof one>>>(true)
  const [a, b] = await get([put(1), put('two')])
  a.toFixed()
  b.toUpperCase()
  const list: ObjectRef<boolean>[] = [put(true)]
  const flags: boolean[] = await get(list)
  const [c, d] = getSync([put(1), put({ deep: [1] })])
  c.toFixed()
  d.deep.push(2)
  const [ready, notReady] = await wait([put(1)])
  const numbers: number[] = await get([...ready, ...notReady])
  void [flags, numbers]
}

const number = put(1)
const one = () => get(number)

export const functions = async (): Promise<void> => {
  const mul = remote((x: number, k: number) => x * k)
  same<RemoteFunction<(x: number, k: number) => number>, typeof mul>(true)
  const product: ObjectRef<number> = mul.remote(6, put(7))
  const later = remote(async (x: string) => x.length)
  const length: number = await get(later.remote('x'))
  const optional = remote((a: string, b?: number) => `${a}${b}`)
  optional.remote('a')
  optional.options({ name: 'named' }).remote('a', put(2))
  const never: ObjectRef<never> = remote(() => {
    throw new Error('x')
  }).remote()
  // @ts-expect-error: a string where a number belongs
  mul.remote('6', 7)
  // @ts-expect-error: a ref of a string where a number belongs
  mul.remote(6, put('7'))
  // @ts-expect-error: an argument is missing
  mul.remote(6)
  // @ts-expect-error: no such option
  remote(() => 1, { nam: 'x' })
  // @ts-expect-error: refs are made by the runtime
  await get({ id: 'x' })
  void [product, length, never]
}

class Account {
  readonly id: number = 1
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(1)
  balance(): number {
    return this.id
  }
}

interface Row {
  readonly id: number
  data?: Float64Array<ArrayBuffer>
  children: Row[]
}

export const storedViews = (): void => {
  same<Stored<Int8Array<ArrayBuffer>>, Int8Array<ArrayBufferLike>>(true)
  same<Stored<Uint8Array<ArrayBuffer>>, Uint8Array<ArrayBufferLike>>(true)
  same<Stored<Uint8ClampedArray<ArrayBuffer>>, Uint8ClampedArray<ArrayBufferLike>>(true)
  same<Stored<Int16Array<ArrayBuffer>>, Int16Array<ArrayBufferLike>>(true)
  same<Stored<Uint16Array<ArrayBuffer>>, Uint16Array<ArrayBufferLike>>(true)
  same<Stored<Int32Array<ArrayBuffer>>, Int32Array<ArrayBufferLike>>(true)
  same<Stored<Uint32Array<ArrayBuffer>>, Uint32Array<ArrayBufferLike>>(true)
  same<Stored<Float32Array<ArrayBuffer>>, Float32Array<ArrayBufferLike>>(true)
  same<Stored<Float64Array<ArrayBuffer>>, Float64Array<ArrayBufferLike>>(true)
  same<Stored<BigInt64Array<ArrayBuffer>>, BigInt64Array<ArrayBufferLike>>(true)
  same<Stored<BigUint64Array<ArrayBuffer>>, BigUint64Array<ArrayBufferLike>>(true)
  same<Stored<Buffer<ArrayBuffer>>, Buffer<ArrayBufferLike>>(true)
  same<Stored<DataView<ArrayBuffer>>, DataView<ArrayBufferLike>>(true)
  same<Stored<Uint8Array<SharedArrayBuffer>>, Uint8Array<ArrayBufferLike>>(true)
  // A bare one is always private.
  same<Stored<ArrayBuffer>, ArrayBuffer>(true)
  same<Stored<Uint8Array<ArrayBuffer> | string>, Uint8Array<ArrayBufferLike> | string>(true)
}

export const storedData = (): void => {
  same<Stored<{ a: Float64Array<ArrayBuffer>; b: string }>, { a: Float64Array<ArrayBufferLike>; b: string }>(true)
  same<Stored<{ a: { b: { c: DataView<ArrayBuffer>[] } } }>, { a: { b: { c: DataView<ArrayBufferLike>[] } } }>(true)
  same<Stored<[Buffer<ArrayBuffer>, Date]>, [Buffer<ArrayBufferLike>, Date]>(true)
  same<Stored<readonly [Int8Array<ArrayBuffer>, 'x'?]>, readonly [Int8Array<ArrayBufferLike>, 'x'?]>(true)
  same<Stored<readonly Int8Array<ArrayBuffer>[]>, readonly Int8Array<ArrayBufferLike>[]>(true)
  same<Stored<[string, ...Int8Array<ArrayBuffer>[]]>, [string, ...Int8Array<ArrayBufferLike>[]]>(true)
  same<Stored<{ readonly a?: Int8Array<ArrayBuffer> }>, { readonly a?: Int8Array<ArrayBufferLike> }>(true)
  same<Stored<{ kind: 'a'; bytes: Buffer<ArrayBuffer> } | { kind: 'b' } | null>, { kind: 'a'; bytes: Buffer<ArrayBufferLike> } | { kind: 'b' } | null>(true)
  same<Stored<Record<string, Int8Array<ArrayBuffer>>>, Record<string, Int8Array<ArrayBufferLike>>>(true)
  for (const value of [1, 'x', true, null, undefined, 1n] as const) {
    same<Stored<typeof value>, typeof value>(true)
  }
  same<Stored<unknown>, unknown>(true)
  same<Stored<never>, never>(true)
  same<IsAny<Stored<ReturnType<typeof JSON.parse>>>, true>(true)
  const row: Stored<Row> = { id: 1, children: [] }
  const data: Float64Array<ArrayBufferLike> | undefined = row.children[0]?.data
  void data
}

type IsAny<T> = 0 extends 1 & T ? true : false

export const storedAsTheyAre = (): void => {
  same<Stored<Map<string, number>>, Map<string, number>>(true)
  same<Stored<Set<Date>>, Set<Date>>(true)
  same<Stored<Date | RegExp | URL | Headers | URLSearchParams>, Date | RegExp | URL | Headers | URLSearchParams>(true)
  same<Stored<RangeError>, RangeError>(true)
  same<Stored<ObjectRef<Uint8Array<ArrayBuffer>>>, ObjectRef<Uint8Array<ArrayBuffer>>>(true)
  same<Stored<() => Uint8Array<ArrayBuffer>>, () => Uint8Array<ArrayBuffer>>(true)
  same<Stored<Account>, Account>(true)
  same<Stored<{ account: Account }>, { account: Account }>(true)
  same<Stored<{ f: () => void; bytes: Uint8Array<ArrayBuffer> }>, { f: () => void; bytes: Uint8Array<ArrayBuffer> }>(true)
}

export const whatComesBack = async (): Promise<void> => {
  same<typeof made, ObjectRef<{ image: Uint8Array<ArrayBufferLike>; size: readonly [number, number] }>>(true)
  const { image } = await get(made)
  // @ts-expect-error: it may be a view of shared memory
  const own: ArrayBuffer = image.buffer
  const later = remote(async () => [new Float64Array(2)])
  const [numbers]: Float64Array<ArrayBufferLike>[] = await get(later.remote())
  void [own, numbers]
}

const made = put({ image: new Uint8Array(4), size: [2, 2] as readonly [number, number] })

export const severalReturns = async (): Promise<void> => {
  const pair = remote((x: number): [number, string] => [x, `${x}`], { numReturns: 2 })
  same<ReturnType<typeof pair.remote>, [ObjectRef<number>, ObjectRef<string>]>(true)
  const [number, text] = pair.remote(1)
  const values: [number, string] = await get([number, text])
  const none = remote((x: number) => x, { numReturns: 0 })
  same<ReturnType<typeof none.remote>, void>(true)
  const list = remote((x: number): number[] => [x, x]).options({ numReturns: 2 })
  same<ReturnType<typeof list.remote>, ObjectRef<unknown>[] | ObjectRef<number>[]>(false)
  const refs: readonly ObjectRef<number>[] = list.remote(3)
  const named = pair.options({ name: 'pair', priority: 1 })
  same<ReturnType<typeof named.remote>, [ObjectRef<number>, ObjectRef<string>]>(true)
  // @ts-expect-error: no such priority
  pair.options({ priority: 2 })
  void [values, refs]
}

/** The type of a value is this one, no wider and no narrower. */
const is =
  <Expected>() =>
  <Got>(_value: Got, _same: (<T>() => T extends Expected ? 1 : 2) extends <T>() => T extends Got ? 1 : 2 ? true : false): void => {}

export const actors = (): void => {
  class Base {
    inherited(x: number): string {
      return String(x)
    }
  }
  class Machine extends Base {
    static readonly methods = { divide: { numReturns: 2 }, forget: { numReturns: 0 } } as const
    readonly n: number
    #secret = 1
    peer: ActorHandle<Machine> | undefined
    readonly field = (text: string): number => text.length + this.#secret
    constructor(n: number, _label?: string) {
      super()
      this.n = n
    }
    add(k: number): number {
      return this.n + k
    }
    async later(flag: boolean): Promise<boolean> {
      return flag
    }
    divide(a: number, b: number): [number, string] {
      return [a / b, '']
    }
    forget(): void {}
    pick<T extends string>(of: T[]): T | undefined {
      return of[0]
    }
    get shown(): string {
      return ''
    }
    private hidden(): void {}
    protected guarded(): void {
      this.hidden()
    }
  }
  const Remote = remote(Machine)
  is<RemoteClass<typeof Machine>>()(Remote, true)
  const machine = Remote.options({ name: 'm', maxRestarts: 1 }).remote(1, put('label'))
  is<ObjectRef<number>>()(machine.add.remote(put(1)), true)
  is<ObjectRef<boolean>>()(machine.later.remote(true), true)
  is<ObjectRef<string>>()(machine.inherited.remote(1), true)
  is<ObjectRef<number>>()(machine.field.remote('x'), true)
  is<[ObjectRef<number>, ObjectRef<string>]>()(machine.divide.remote(1, 2), true)
  is<ObjectRef<[number, string]>>()(machine.divide.options({ numReturns: 1 }).remote(1, 2), true)
  is<void>()(machine.forget.remote(), true)
  is<ObjectRef<string | undefined>>()(machine.pick.remote(['a']), true)
  const found: typeof machine = getActor<typeof Remote>('m')
  const same: ActorHandle<Machine>['add'] = found.add
  is<string>()(actorId(machine), true)
  kill(machine, { noRestart: false })
  same.options({ timeout: 5, concurrencyGroup: 'io', maxTaskRetries: 1 })
  machine satisfies AsyncDisposable
  // @ts-expect-error a constructor's argument of another type
  Remote.remote('1')
  // @ts-expect-error an argument of another type
  machine.add.remote('1')
  // @ts-expect-error no such method
  machine.ad.remote(1)
  // @ts-expect-error a field that is no function
  machine.n.remote()
  // @ts-expect-error an accessor
  machine.shown.remote()
  // @ts-expect-error a private method
  machine.hidden.remote()
  // @ts-expect-error a protected method
  machine.guarded.remote()
  // @ts-expect-error unknown option
  Remote.options({ maxRestart: 1 })
  // @ts-expect-error unknown lifetime
  Remote.options({ lifetime: 'eternal' })
}

export const overloads = (): void => {
  class Store {
    static readonly methods = { split: { numReturns: 2 } } as const
    readonly first: number | string
    peer: ActorHandle<Store> | undefined
    constructor(size: number)
    constructor(name: string, flag: boolean)
    constructor(first: number | string, flag = false) {
      this.first = flag ? first : 0
    }
    read(): number
    read(key: string): string
    read(key?: string): number | string {
      return key ?? 0
    }
    pick(key: 'a'): 'A'
    pick(key: 'b', ...more: number[]): Promise<'B'>
    pick<T extends boolean>(key: T, again?: T): T[]
    pick(this: Store, key: 'd'): Generator<'D'>
    pick(key: unknown): unknown {
      return key
    }
    split(x: number): [number, string]
    split(x: string): [string, string]
    split(x: number | string): [number | string, string] {
      return [x, '']
    }
    async plain(k?: number, ...more: string[]): Promise<number> {
      return k ?? more.length
    }
  }
  class Heir extends Store {
    field: { (x: 1): 'one'; (x: 2): 'two' } = Store as never
  }
  const Remote = remote(Heir)
  is<ActorHandle<Heir, typeof Store.methods>>()(Remote.remote(1), true)
  const heir = Remote.options({ name: 'heir' }).remote('name', put(true))
  is<ObjectRef<number>>()(heir.read.remote(), true)
  is<ObjectRef<string>>()(heir.read.remote(put('key')), true)
  is<ObjectRef<'A'>>()(heir.pick.remote('a'), true)
  is<ObjectRef<'B'>>()(heir.pick.options({ timeout: 5 }).remote('b', 1, put(2)), true)
  is<ObjectRef<boolean[]>>()(heir.pick.remote(true), true)
  is<ObjectRefGenerator<'D'>>()(heir.pick.remote('d'), true)
  is<[ObjectRef<number>, ObjectRef<string>]>()(heir.split.remote(1), true)
  is<[ObjectRef<string>, ObjectRef<string>]>()(heir.split.remote('x'), true)
  is<ObjectRef<[number, string]>>()(heir.split.options({ numReturns: 1 }).remote(1), true)
  is<ObjectRef<'one'>>()(heir.field.remote(1), true)
  is<void>()(heir.field.options({ numReturns: 0 }).remote(1), true)
  is<ObjectRef<'two'>>()(getActor<typeof Remote>('heir').field.remote(2), true)
  const parse = remote(parseEither)
  is<ObjectRef<number>>()(parse.remote(put('1')), true)
  is<ObjectRef<Uint8Array<ArrayBufferLike>>>()(parse.options({ name: 'parse' }).remote(new Uint8Array(1)), true)
  is<ObjectRef<number>>()(remote.module<typeof parseEither>('./parse.js', 'parseEither').remote('1'), true)
  // One signature is shown as one.
  is<(k?: number | ObjectRef<number | undefined>, ...more: (string | ObjectRef<string>)[]) => ObjectRef<number>>()(heir.plain.remote, true)
  // @ts-expect-error no constructor takes this
  Remote.remote(true)
  // @ts-expect-error the second constructor takes two arguments
  Remote.remote('name')
  // @ts-expect-error no overload takes a number
  heir.read.remote(1)
  // @ts-expect-error arguments of two overloads do not mix
  heir.pick.remote('a', 1)
  // @ts-expect-error a ref of another type
  heir.pick.options({ timeout: 5 }).remote(put('c' as const))
  // @ts-expect-error what another overload gives
  heir.read.remote() satisfies ObjectRef<string>
  // @ts-expect-error no overload takes a number
  parse.remote(1)
}

function parseEither(text: string): number
function parseEither(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>
function parseEither(from: string | Uint8Array<ArrayBuffer>): unknown {
  return from
}

/** What programs write over remote functions of any kind keeps their types. */
export const generic = (): void => {
  const spread = <A extends unknown[], R>(fn: RemoteFunction<(...args: A) => R>, ...args: A) => fn.remote(...args)
  const wrapped =
    <F extends (...args: never[]) => unknown>(fn: RemoteFunction<F>) =>
    (...args: Parameters<F>) =>
      fn.remote(...args)
  const anyOf = (fn: RemoteFunction<(...args: unknown[]) => unknown>): ObjectRef<unknown> => fn.remote(1)
  const mul = remote((x: number, k: number) => x * k)
  is<ObjectRef<number>>()(spread(mul, 1, 2), true)
  is<ObjectRef<number>>()(wrapped(mul)(1, 2), true)
  anyOf(mul)
  class Base {
    add(k: number): number {
      return k
    }
  }
  class Narrow extends Base {
    override add(k: 1): 1 {
      return k
    }
  }
  remote(Narrow).remote() satisfies ActorHandle<Base>
  // @ts-expect-error an argument is missing
  spread(mul, 1)
  // @ts-expect-error an argument of another type
  wrapped(mul)('1', 2)
}

export const streams = async (): Promise<void> => {
  const count = remote(function* (to: number) {
    for (let k = 0; k < to; k++) yield k
    return 'all'
  })
  const stream = count.options({ backpressure: 2 }).remote(put(3))
  same<ObjectRefGenerator<number>, typeof stream>(true)
  for await (const ref of stream) (await get(ref)).toFixed()
  const later = remote(async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield new Uint8Array(1)
  })
  const bytes = await later.remote().next()
  if (bytes.done !== true) same<ObjectRef<Uint8Array<ArrayBufferLike>>, typeof bytes.value>(true)
  const none: undefined = count.options({ numReturns: 0 }).remote(1) as undefined
  const [ready] = await wait([stream, put('a')])
  const one: ObjectRefGenerator<number> | ObjectRef<string> | undefined = ready[0]
  const end: ObjectRef<unknown> = stream.completed()
  for await (const ref of asCompleted([put(1)])) same<ObjectRef<number>, typeof ref>(true)
  for await (const each of asCompleted([stream])) same<ObjectRefGenerator<number>, typeof each>(true)
  cancel(stream)
  class Feed {
    *items(): Generator<Map<string, number>> {
      yield new Map()
    }
  }
  const items = remote(Feed).remote().items.options({ backpressure: 1 }).remote()
  same<ObjectRefGenerator<Map<string, number>>, typeof items>(true)
  const both = count.options({ numReturns: 2 }).remote(2)
  same<ObjectRef<number>[], typeof both>(true)
  // @ts-expect-error: a stream is no ref
  await get(stream)
  void [none, one, end, items]
}
