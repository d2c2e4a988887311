/** The rival of streams without any library: a generator on a worker thread, one message for each item, and a message back for each taken. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export interface MessageStreams {
  /** The numbers below `count`, at most `room` of them unconsumed. */
  stream(count: number, room: number): AsyncIterable<number>
  close(): Promise<void>
}

type Message = readonly [item: number, isOver: boolean]

export const openMessageStreams = async (): Promise<MessageStreams> => {
  const worker = new Worker(new URL('./message-stream-worker.mjs', import.meta.url))
  await once(worker, 'online')
  return {
    async *stream(count, room) {
      const items: number[] = []
      let isOver = false
      let wake: () => void = () => {}
      const hear = ([item, over]: Message): void => {
        if (over) isOver = true
        else items.push(item)
        wake()
      }
      worker.on('message', hear)
      worker.postMessage(['begin', count, room])
      let at = 0
      try {
        for (;;) {
          if (at < items.length) {
            const item = items[at++] as number
            if (at === items.length) at = items.length = 0
            worker.postMessage(['took'])
            yield item
          } else if (isOver) return
          else
            await new Promise<void>((resolve) => {
              wake = resolve
            })
        }
      } finally {
        worker.off('message', hear)
      }
    },
    close: async () => {
      await worker.terminate()
    },
  }
}
