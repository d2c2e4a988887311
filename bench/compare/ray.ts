/** The rival that this package is named after: Ray itself, in a Python process beside this one, where one with Ray is found. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Rival } from '../support/suite.ts'

/** The Python of a virtual environment, say, in which Ray and NumPy are installed. */
const VARIABLE = 'BENCH_RAY_PYTHON'
const program = fileURLToPath(new URL('./ray-server.py', import.meta.url))

export type Order = { readonly what: 'put'; bytes: number; ring: number; count: number } | { readonly what: 'get'; bytes: number; count: number }

/** The Python that has Ray; a sentence about it is printed if there is none. */
export const findRay = (): string | undefined => {
  const python = process.env[VARIABLE] ?? 'python3'
  const { status } = spawnSync(python, ['-c', 'import ray, numpy'], { timeout: 60_000, stdio: 'ignore' })
  if (status === 0) return python
  console.log(`Ray is left out: ${python} cannot import ray and numpy. Name one that can by ${VARIABLE}.`)
  return undefined
}

interface Server {
  readonly child: ChildProcess
  readonly answers: Interface
  readonly lines: AsyncIterator<string>
}

/** Ray doing what an order says, with a store of its own; `figure` makes the bench's unit of its seconds. */
export const rayRival = (python: string, storeBytes: number, order: Order, figure: (seconds: number) => number): Rival => {
  let server: Server | undefined
  const answer = async (): Promise<Record<string, number>> => {
    const { value, done } = (await server?.lines.next()) ?? { done: true }
    if (done === true) throw new Error(`Ray ended: ${python} ${program} ${storeBytes} shows why`)
    return JSON.parse(value as string) as Record<string, number>
  }
  return {
    who: `Ray ${order.what}`,
    open: async () => {
      const child = spawn(python, [program, String(storeBytes)], { stdio: ['pipe', 'pipe', 'ignore'] })
      const answers = createInterface({ input: child.stdout })
      server = { child, answers, lines: answers[Symbol.asyncIterator]() }
      await answer()
    },
    run: async () => {
      server?.child.stdin?.write(`${JSON.stringify(order)}\n`)
      return figure((await answer())['seconds'] as number)
    },
    close: async () => {
      if (server === undefined) return
      const ended = once(server.child, 'exit')
      server.child.stdin?.end()
      await ended
      server.answers.close()
    },
  }
}
