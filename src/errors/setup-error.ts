/** A failed setup module: as the text that the worker leaves, and as the error that the driver makes of it. */

import { inspect } from 'node:util'
import { WorkerSetupError } from './errors.ts'

const SHAPE = /^the setup module (\S+) failed: (.*)$/s
/** `Name [CODE]: message`, up to the frames of the stack. */
const THROWN = /^(\w+)(?: \[(\w+)\])?: (.*?)(?:\n {4}at .*)?$/s

/** A module may be a `data:` URL of any length. */
const URL_MAX = 200

export const setupFailure = (url: string, thrown: unknown): string => `the setup module ${url.slice(0, URL_MAX)} failed: ${inspect(thrown)}`

/** Threads that could not be started for another reason have left some other text. */
export const setupError = (text: string): WorkerSetupError => {
  const [, url = '', shown] = SHAPE.exec(text) ?? []
  if (shown === undefined) return new WorkerSetupError(`no worker could be started: ${text}`)
  const [, name, code, message] = THROWN.exec(shown) ?? []
  const cause = Object.assign(new Error(message ?? shown), code === undefined ? {} : { code })
  if (name !== undefined) Object.defineProperty(cause, 'name', { value: name, configurable: true, writable: true })
  cause.stack = shown
  return new WorkerSetupError(`no worker could be started: the setup module ${url} failed: ${cause.name}: ${cause.message}`, { cause })
}
