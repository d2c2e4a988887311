/** Refs that are none, or none any more: copies by way of clones and JSON, imitations, other lives of a slot. Each is an error of its own, and touches nobody's value. */

import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { asCompleted, free, get, getSync, init, ObjectRef, put, remote, shutdown, wait } from '../src/index.ts'
import { partsOf } from '../src/refs/object-ref.ts'
import { stats } from '../src/testing.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

type Bytes = Uint8Array<ArrayBufferLike>

const echo = remote((x: unknown) => x)

const posted = (value: unknown): unknown => {
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(value)
  const message = receiveMessageOnPort(port2)?.message as unknown
  port1.close()
  return message
}

/** Things that look like refs, or were some before they went a way that refs cannot go. */
const imitations = (ref: ObjectRef): readonly (readonly [what: string, imitation: unknown, message: RegExp])[] => [
  ['a structured clone', structuredClone(ref), /^ref: expected an ObjectRef, got/],
  ['what a port brought', posted(ref), /^ref: expected an ObjectRef, got/],
  ['what JSON made of it', JSON.parse(JSON.stringify(ref)), /^ref: expected an ObjectRef, got/],
  ['its id', ref.id, /^ref: expected an ObjectRef, got '[0-9a-f]{32}'/],
  ['its text', `${ref}`, /^ref: expected an ObjectRef, got 'ObjectRef\(/],
  ['an object with its properties', { id: ref.id, toString: () => `${ref}` }, /^ref: expected an ObjectRef, got/],
  ['an object with its prototype', Object.create(ref), /^ref: expected an ObjectRef/],
  ['its class’s prototype', ObjectRef.prototype, /^ref: expected an ObjectRef/],
  ['a proxy of it', new Proxy(ref, {}), /^ref: expected an ObjectRef/],
  ['one of another copy of the package', { [Symbol.for('mobula.ObjectRef')]: true }, /^ref: expected an ObjectRef of this copy of mobula/],
  ['a promise of it', Promise.resolve(ref), /^ref: expected an ObjectRef, got/],
]

test(
  'an imitation is refused at once by whatever takes a ref, and as an argument it is what it is',
  withRuntime({ numCpus: 1 }, async () => {
    const ref = put({ kept: true })
    for (const [what, imitation, message] of imitations(ref)) {
      const fake = imitation as ObjectRef
      for (const act of [() => get(fake), () => getSync(fake), () => free(fake)]) {
        const error = thrown(act)
        assert.instance(error, TypeError, what)
        assert.match(error.message, message, what)
      }
      for (const act of [() => get([ref, fake]), () => wait([ref, fake]), () => asCompleted([ref, fake])]) {
        const error = thrown(act)
        assert.instance(error, TypeError, what)
        assert.match(error.message, /refs\[1\]: expected an ObjectRef/, what)
      }
    }
    assert.equal(await get(echo.remote(structuredClone(ref))), {})
    assert.equal(await get(ref), { kept: true })
  }),
)

test('a ref of an earlier runtime is refused whatever lies in its slot now', async () => {
  const earlier: ObjectRef[] = []
  for (let round = 0; round < 3; round++) {
    await init({ numCpus: 1 })
    const now = Array.from({ length: 300 }, (_, k) => put(`${round} ${k}`))
    for (const ref of earlier) {
      assert.is((await rejection(get(ref))).code, 'ERR_SHUTDOWN')
      assert.is(thrown(() => echo.remote(ref)).code, 'ERR_SHUTDOWN')
      assert.is(thrown(() => free(ref)).code, 'ERR_SHUTDOWN')
    }
    for (const ref of earlier.splice(0, 50)) ref[Symbol.dispose]()
    assert.equal(
      await get(now),
      now.map((_, k) => `${round} ${k}`),
    )
    earlier.push(...now.slice(0, 100))
    await shutdown()
  }
})

/** A ref with these numbers, as only the package itself makes them. */
const forge = (like: ObjectRef, slot: number, generation: number): ObjectRef => new ObjectRef({ ...partsOf(like), slot, generation, released: false })

test(
  'a name of an earlier life of a slot is lost for good, and no way to its new tenant',
  withRuntime({ numCpus: 1 }, async () => {
    for (const make of [
      (k: number): ObjectRef => put(k),
      (k: number): ObjectRef => put(new Uint8Array(50_000).fill(k)),
      (k: number): ObjectRef => echo.remote(k),
    ]) {
      const lives = new Map<number, number>()
      let tenant = make(1)
      for (; !lives.has(partsOf(tenant).slot); tenant = make(2)) {
        assert.ok(lives.size < 5_000, 'no slot is used again')
        lives.set(partsOf(tenant).slot, partsOf(tenant).generation)
        await get(tenant)
        tenant[Symbol.dispose]()
      }
      const { slot } = partsOf(tenant)
      const generation = lives.get(slot) as number
      assert.is.not(partsOf(tenant).generation, generation)
      const value = await get(tenant)
      const stale = forge(tenant, slot, generation)
      assert.is((await rejection(get(stale))).code, 'ERR_OBJECT_LOST')
      assert.is(thrown(() => getSync(stale)).code, 'ERR_OBJECT_LOST')
      assert.is((await wait([stale]))[0].length, 1, 'it is settled')
      free(stale)
      stale[Symbol.dispose]()
      assert.equal(await get(tenant), value)
    }
  }),
)

test(
  'made-up numbers find nothing, take nothing and leave nothing',
  withRuntime({ numCpus: 1 }, async () => {
    const kept = Array.from({ length: 50 }, (_, k) => put(new Uint8Array(1000 * k).fill(k)) as ObjectRef<Bytes>)
    await get(kept)
    const before = (await stats()).tables['edges']
    let state = 7
    const word = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state
    }
    for (let round = 0; round < 300; round++) {
      const slot = [word(), word() % 1000, 2 ** 32 - 1, partsOf(kept[round % 50] as ObjectRef).slot][round % 4] as number
      // Few slots are ever used so often: beyond this no generation is anybody's.
      const generation = round % 7 === 0 ? 0 : 1_000_000 + (word() % 2 ** 31)
      const forged = forge(kept[0] as ObjectRef, slot, generation)
      assert.is((await rejection(get(forged))).code, 'ERR_OBJECT_LOST', `${slot} ${generation}`)
      assert.is((await rejection(get([kept[0] as ObjectRef, forged]))).code, 'ERR_OBJECT_LOST', `${slot} ${generation}`)
      if (round % 10 === 5) free(forged)
      forged[Symbol.dispose]()
    }
    for (const [k, bytes] of (await get(kept)).entries()) assert.ok(bytes.length === 1000 * k && bytes.every((byte) => byte === k))
    assert.is((await stats()).tables['edges'], before)
  }),
)

test.run()
