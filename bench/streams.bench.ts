/** Measures how fast items of a generator come to the one who asks for them. */

import { get, remote } from '../src/index.ts'
import { type MessageStreams, openMessageStreams } from './compare/message-stream.ts'
import { openMobula } from './mobula.ts'
import type { Bench, Rival, Suite } from './support/suite.ts'

const THREADS = 1
const ITEMS = 100_000
const ROOMS = [1, 16, 1024]

const numbers = remote(function* (count: number) {
  for (let k = 0; k < count; k++) yield k
})
const numbersLater = remote(async function* (count: number) {
  for (let k = 0; k < count; k++) yield k
})

const perSecond = async (work: () => Promise<number>): Promise<number> => {
  const start = performance.now()
  const sum = await work()
  const ms = performance.now() - start
  if (sum !== (ITEMS * (ITEMS - 1)) / 2) throw new Error('items were lost')
  return (ITEMS * 1000) / ms
}

const mobula = (who: string, fn: typeof numbers | typeof numbersLater, room: number): Rival =>
  openMobula(who, THREADS, () =>
    perSecond(async () => {
      let sum = 0
      for await (const ref of fn.options({ backpressure: room }).remote(ITEMS)) sum += await get(ref)
      return sum
    }),
  )

const messages = (room: number): Rival => {
  let streams: MessageStreams | undefined
  return {
    who: 'postMessage',
    open: async () => {
      streams = await openMessageStreams()
    },
    run: () =>
      perSecond(async () => {
        let sum = 0
        for await (const item of (streams as MessageStreams).stream(ITEMS, room)) sum += item
        return sum
      }),
    close: async () => {
      await streams?.close()
    },
  }
}

export const suite: Suite = {
  question: 'How many items of a generator does a consumer get in a second, by the room between the two?',
  notEvidenceOf: 'streams of large items, of which mobula copies none; or of producers that compute: these yield numbers',
  benches: (): readonly Bench[] =>
    ROOMS.map((room) => ({
      bench: `items of a stream, at most ${room} unconsumed`,
      unit: 'items/s',
      params: { items: ITEMS, room, threads: THREADS },
      runs: 5,
      rivals: [mobula('mobula', numbers, room), mobula('mobula (async generator)', numbersLater, room), messages(room)],
    })),
}
