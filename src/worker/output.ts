/** Shows what tasks and actors print: whole lines, written by the worker itself, so that nothing passes the main thread's loop. */

import { writeSync } from 'node:fs'
import { type RunningTask, runningTask } from '../runtime/running.ts'
import type { WorkerStart } from './start.ts'

const STDOUT = 1
const STDERR = 2
/** A line that never ends is shown in pieces of this size. */
const LINE_MAX = 64 * 1024

/** Shows what was printed and not yet ended by a newline: called before a result is handed in. */
export type FlushOutput = () => void

/** Replaces this thread's `process.stdout` and `process.stderr` writes. */
export const prefixOutput = ({ workerId, logToDriver }: WorkerStart): FlushOutput => {
  const flushOut = redirect(process.stdout, logToDriver ? STDOUT : undefined, workerId)
  const flushErr = redirect(process.stderr, logToDriver ? STDERR : undefined, workerId)
  const flush = (): void => {
    flushOut()
    flushErr()
  }
  process.on('exit', flush)
  return flush
}

type Write = typeof process.stdout.write

const redirect = (stream: NodeJS.WriteStream, descriptor: number | undefined, workerId: number): (() => void) => {
  const decoder = new TextDecoder()
  /** The start of a line, and the task, or call of an actor, that printed it. */
  let rest = ''
  let owner: RunningTask | undefined
  const emit = (lines: string[]): void => {
    if (descriptor === undefined || lines.length === 0) return
    const name = owner?.actor?.label ?? owner?.name ?? 'worker'
    // It is the user's: control characters in it must not end the line, or colour it.
    const prefix = `(${name.replace(/\p{Cc}/gu, ' ')} ${workerId}) `
    writeAll(descriptor, lines.map((line) => `${prefix}${line}\n`).join(''))
  }
  const flush = (): void => {
    if (rest !== '') emit([rest])
    rest = ''
  }
  const write = (chunk: string | Uint8Array, encoding?: BufferEncoding | ((error?: Error) => void), done?: (error?: Error) => void): boolean => {
    const task = runningTask()
    // Tasks that overlap on this thread do not end each other's lines.
    if (task !== owner) flush()
    owner = task
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_MAX) {
      lines.push(rest)
      rest = ''
    }
    emit(lines)
    const callback = typeof encoding === 'function' ? encoding : done
    if (callback !== undefined) process.nextTick(callback)
    return true
  }
  stream.write = write as Write
  return flush
}

/** Writes all of it, also to a pipe that is full for the moment. A reader that went away is not this thread's trouble. */
const writeAll = (descriptor: number, text: string): void => {
  const bytes = Buffer.from(text)
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}
