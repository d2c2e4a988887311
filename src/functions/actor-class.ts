/** What is known of a remote class wherever there is a handle to one of its actors: in its record, as text. */

import type { ResourceLimits } from 'node:worker_threads'
import { nearest } from '../errors/bad-input.ts'
import type { RetryableNote } from './retryable.ts'

/** How a method is called, where it is not as others are. */
export interface MethodNotes {
  readonly name?: string
  readonly returns?: number
  readonly group?: string
  readonly retries?: number
  readonly limit?: number
  /** It is a generator: so many items at most are there that nobody has taken. */
  readonly stream?: number
  /** `static`: the class itself says it, in `static methods`. */
  readonly retryable?: RetryableNote | 'static'
}

export interface ClassNotes {
  readonly className: string
  /** Methods that there are for certain, by name. Undefined: nobody has looked at the class, which workers import. */
  readonly methods: Readonly<Record<string, MethodNotes>> | undefined
  /** Names of fields that may hold functions; undefined: any may. */
  readonly fields: readonly string[] | undefined
  /** Groups of methods by name, from number 1 on, and how many calls of each may go on at once. */
  readonly groups: readonly (readonly [name: string, limit: number])[]
  /** Calls that may go on at once; 0: as the class says. */
  readonly concurrency: number
  /** Of calls that say nothing else. */
  readonly callRetries: number
  readonly retryable?: RetryableNote
  /** Only so many of its calls may be unfinished: each asks first. */
  readonly isBounded?: true
  /** Of the thread that each has to itself. */
  readonly resourceLimits?: ResourceLimits
}

/** Records as they came, parsed once. */
const known = new Map<string, ClassNotes>()

export const classNotesOf = (text: string): ClassNotes => {
  let notes = known.get(text)
  if (notes === undefined) {
    notes = JSON.parse(text) as ClassNotes
    known.set(text, notes)
  }
  return notes
}

/** The number of a group of methods; refuses one that the class has not. */
export const groupNumber = (groups: ClassNotes['groups'], name: string, argument: string): number => {
  const at = groups.findIndex(([known]) => known === name)
  if (at >= 0) return at + 1
  const names = groups.map(([known]) => known)
  const near = nearest(name, names)
  const known = names.length === 0 ? 'its class has no concurrencyGroups' : near === undefined ? `known are ${names.join(', ')}` : `did you mean '${near}'?`
  throw new RangeError(`${argument}: there is no concurrency group '${name}'; ${known}`)
}
