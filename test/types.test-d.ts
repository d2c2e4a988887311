/** What users infer without casts, and what must not compile. Checked by `tsc`, never run. */

import { get, getSync, type ObjectRef, put, type RemoteFunction, remote, type Stored, wait } from '../src/index.ts'

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

export const stored = (): void => {
  same<Stored<Uint8Array<ArrayBuffer>>, Uint8Array<ArrayBufferLike>>(true)
  same<Stored<{ a: Float64Array<ArrayBuffer>; b: string }>, { a: Float64Array<ArrayBufferLike>; b: string }>(true)
  same<Stored<[Buffer<ArrayBuffer>, Date]>, [Buffer<ArrayBufferLike>, Date]>(true)
  same<Stored<Map<string, number>>, Map<string, number>>(true)
}
