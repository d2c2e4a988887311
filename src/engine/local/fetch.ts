/** Reads outcomes of settled objects: small bytes out of the area, large ones as views of the store. */

import { functionRecord } from '../../binding.ts'
import { mayRunUserCode, regionOf } from '../../codec/codec.ts'
import { ObjectFreedError } from '../../errors/errors.ts'
import { fromCode } from '../../errors/from-code.ts'
import { type ObjectRef, partsOf } from '../../refs/object-ref.ts'
import type { ActorReason, FoundValue, ItemState, Memory, Outcome } from '../engine.ts'
import * as L from './layout.ts'
import type { Port } from './port.ts'

const VALUE = 0
const ARGUMENTS = 1

/** What a task was given. */
export interface FoundArguments extends FoundValue {
  readonly deps: readonly ObjectRef[]
  /** The values of the deps, which then have no refs here. */
  readonly carried: readonly FoundValue[]
  /** The object that the function brings along. */
  readonly env: FoundEnv | undefined
}

/** Where the key of an object stands, until the area is used again: whoever knows the object needs no ref to it. */
export interface FoundEnv {
  readonly slot: number
  readonly generation: number
  readonly words: Uint32Array
  readonly at: number
}

const envAt = (words: Uint32Array, at: number): FoundEnv => ({ slot: words[at] as number, generation: words[at + 1] as number, words, at })

/** What `readArguments` will find for a function that brings an object along; undefined: that cannot be told without reading all. */
export const peekEnv = ({ words }: Port, at: number): FoundEnv | undefined =>
  words[at + 3] === L.PLACE_BULK ? undefined : envAt(words, ((L.TASK_HEAP + (words[at + 7] as number)) >>> 2) + ((words[at + 6] as number) - 1) * L.REF_WORDS)

const NONE: readonly never[] = Object.freeze([])

/** Whose bytes are read: the slot, and which of its two values. */
interface Owner {
  readonly slot: number
  readonly generation: number
  readonly which: typeof VALUE | typeof ARGUMENTS
}

/** The arguments of the task whose record is at a word of the area; `envs`: 1 if the last of the refs is what its function brings along, else 0. */
export const readArguments = (port: Port, at: number, envs: 0 | 1): FoundArguments => {
  const { words } = port
  const owner: Owner = { slot: words[at] as number, generation: words[at + 1] as number, which: ARGUMENTS }
  const deps = words[at + 8] as number
  if (words[at + 3] === L.PLACE_BULK) return readBulk(port, owner, deps, words[at + 6] as number, envs)
  // The first of them has no length if none is there.
  const carried = deps > 0 && words[at + 11] !== 0 ? readCarried(port, at + 10, deps) : NONE
  const table = deps === 0 || carried.length > 0 ? NONE : port.readRefs(words, (L.TASK_HEAP + (words[at + 9] as number)) >>> 2, deps)
  return readPlaced(port, owner, { at: at + 3, heap: L.TASK_HEAP, deps: table, carried, envs })
}

/** Values of deps that lie in the area: as many pairs of offset and length. */
const readCarried = (port: Port, at: number, count: number): readonly FoundValue[] => {
  const { words } = port
  const carried = new Array<FoundValue>(count)
  for (let k = 0, word = at; k < count; k++, word += 2) {
    carried[k] = bytesAt(port, L.TASK_HEAP + (words[word] as number), words[word + 1] as number)
  }
  return carried
}

/** Bytes in the area; of their own if users' code may use the area before they are read to the end. */
const bytesAt = (port: Port, at: number, byteLength: number): FoundValue =>
  mayRunUserCode()
    ? { region: regionOf(port.region.bytes.slice(at, at + byteLength)), at: 0, byteLength, refs: NONE, alias: false }
    : { region: port.region, at, byteLength, refs: NONE, alias: false }

/** Five words of a record, `place, offset, length, refs, refs offset`, with the start of the heap that they count from. */
interface Placed {
  readonly at: number
  readonly heap: number
  readonly deps: readonly ObjectRef[]
  readonly carried: readonly FoundValue[]
  readonly envs: 0 | 1
}

const readPlaced = (port: Port, owner: Owner, { at, heap, deps, carried, envs }: Placed): FoundArguments => {
  const { words } = port
  const refCount = (words[at + 3] as number) - envs
  const table = (heap + (words[at + 4] as number)) >>> 2
  const refs = refCount === 0 ? NONE : port.readRefs(words, table, refCount)
  const env = envs === 0 ? undefined : envAt(words, table + refCount * L.REF_WORDS)
  if (words[at] === L.PLACE_HEAP) {
    const from = heap + (words[at + 1] as number)
    const byteLength = words[at + 2] as number
    // What a function brings along is looked at first.
    if (!mayRunUserCode() && refs === NONE && deps === NONE && carried === NONE && env === undefined) return inArea(port, from, byteLength)
    const found = bytesAt(port, from, byteLength)
    return { region: found.region, at: found.at, byteLength, refs, deps, carried, alias: false, env }
  }
  const view = new Uint8Array(viewOf(port, owner))
  return { region: regionOf(view), at: 0, byteLength: view.length, refs, deps, carried, alias: true, env }
}

/** One object in turn for what lies in the area and has no refs: it is read before the next is looked at. */
const plain = { region: regionOf(new Uint8Array(0)) as Memory, at: 0, byteLength: 0, refs: NONE, deps: NONE, carried: NONE, alias: false, env: undefined }

const inArea = (port: Port, at: number, byteLength: number): FoundArguments => {
  plain.region = port.region
  plain.at = at
  plain.byteLength = byteLength
  return plain
}

const viewOf = (port: Port, { slot, generation, which }: Owner): ArrayBufferLike => {
  const open = which === VALUE ? port.views.find(slot, generation) : undefined
  if (open !== undefined) return open
  const view = given(() => port.raw.view(slot, generation, which, port.runningFunction))
  if (which === VALUE) port.views.keep(slot, generation, view)
  return view
}

/** What the addon gives of stored bytes, which may be gone, or on a disk that does not give them back. */
const given = <T>(ask: () => T | undefined): T => {
  let answer: T | undefined
  try {
    answer = ask()
  } catch (error) {
    throw fromCode(error)
  }
  if (answer === undefined) throw new ObjectFreedError('the object was freed while it was read')
  return answer
}

/** Deps, refs and bytes in one piece of memory of their own. */
const readBulk = (port: Port, { slot, generation, which }: Owner, depCount: number, count: number, envs: 0 | 1): FoundArguments => {
  const refCount = count - envs
  const buffer = given(() => port.raw.bulk(slot, generation, which))
  const tables = (depCount + count) * L.REF_BYTES
  const words = new Uint32Array(buffer, 0, tables / 4)
  const deps = port.readRefs(words, 0, depCount)
  const refs = port.readRefs(words, depCount * L.REF_WORDS, refCount)
  const at = (tables + 63) & ~63
  return {
    region: regionOf(new Uint8Array(buffer)),
    at,
    byteLength: buffer.byteLength - at,
    deps,
    refs,
    carried: NONE,
    alias: true,
    env: envs === 0 ? undefined : envAt(words, (depCount + refCount) * L.REF_WORDS),
  }
}

const names = new Map<number, string>()

/** A task's name by its function. Runtimes number their functions anew, so the cache goes with the port's runtime. */
const taskName = (id: number): string => {
  let name = names.get(id)
  if (name === undefined) {
    name = functionRecord(id)?.name ?? 'task'
    names.set(id, name)
  }
  return name
}

export const forgetNames = (): void => names.clear()

/** Visits the outcome of each ref, in order. */
export const fetchOutcomes = (port: Port, refs: readonly ObjectRef[], visit: (position: number, outcome: Outcome) => void): void => {
  fetchEntries(port, refs, false, (start, count) => {
    if (!mayRunUserCode()) {
      for (let k = 0; k < count; k++) visit(start + k, outcomeAt(port, L.FETCH + k * L.FETCH_WORDS, refs[start + k] as ObjectRef))
      return
    }
    // All of them first: a visit decodes, which may run users' code, and that may fetch, too.
    const outcomes = new Array<Outcome>(count)
    for (let k = 0; k < count; k++) outcomes[k] = outcomeAt(port, L.FETCH + k * L.FETCH_WORDS, refs[start + k] as ObjectRef)
    for (let k = 0; k < count; k++) visit(start + k, outcomes[k] as Outcome)
  })
}

/** Visits the positions of those refs that are settled, in order. */
export const fetchSettled = (port: Port, refs: readonly ObjectRef[], visit: (position: number) => void): void =>
  fetchEntries(port, refs, true, (start, count) => {
    for (let k = 0; k < count; k++) {
      if (port.words[L.FETCH + k * L.FETCH_WORDS] === L.STATE_PENDING) continue
      partsOf(refs[start + k] as ObjectRef).settled = true
      visit(start + k)
    }
  })

/** What is in the slot of a stream's item. */
export const fetchItemState = (port: Port, item: ObjectRef): ItemState => {
  const { words } = port
  const parts = partsOf(item)
  words[L.FETCH] = parts.slot
  words[L.FETCH + 1] = parts.generation
  words[L.H_FETCH_ASKED] = 1
  words[L.H_FETCH_STATES] = L.STATES_OF_ITEMS
  port.fetch()
  const state = words[L.FETCH]
  if (state === L.STATE_PENDING) return 'pending'
  parts.settled = true
  return state === L.STATE_END ? 'end' : 'there'
}

/** One step along a cycle of waits. */
export interface Link {
  readonly task: string
  /** It was begun on a thread that waits for the next; otherwise it waits for the next itself. */
  readonly isOnThread: boolean
}

/** The cycle that `park` found. */
export const readCycle = ({ words }: Port): Link[] =>
  Array.from({ length: words[L.H_FETCH_ANSWERED] as number }, (_, k) => {
    const at = L.FETCH + k * L.FETCH_WORDS
    return { task: taskName(words[at] as number), isOnThread: words[at + 1] !== 0 }
  })

/** `visit` is told which refs the area answers, from one position on. */
const fetchEntries = (port: Port, refs: readonly ObjectRef[], statesOnly: boolean, visit: (start: number, count: number) => void): void => {
  let start = 0
  while (start < refs.length) {
    const asked = Math.min(L.FETCH_MAX, refs.length - start)
    for (let k = 0, at = L.FETCH; k < asked; k++, at += L.FETCH_WORDS) {
      const parts = partsOf(refs[start + k] as ObjectRef)
      port.words[at] = parts.slot
      port.words[at + 1] = parts.generation
    }
    port.words[L.H_FETCH_ASKED] = asked
    port.words[L.H_FETCH_STATES] = statesOnly ? 1 : 0
    port.fetch()
    const answered = port.words[L.H_FETCH_ANSWERED] as number
    if (answered === 0) throw new Error('the addon answered none of the objects that were asked for: please report this')
    visit(start, answered)
    start += answered
  }
}

export const REASONS: Readonly<Record<number, ActorReason>> = {
  [L.REASON_KILLED]: 'killed',
  [L.REASON_EXITED]: 'exited',
  [L.REASON_OUT_OF_SCOPE]: 'out of scope',
  [L.REASON_CRASHED]: 'crashed',
  [L.REASON_NEIGHBOUR]: 'neighbour',
  [L.REASON_CONSTRUCTOR]: 'constructor',
}

const PLAIN: Outcome = { state: 'value', value: plain }
const PENDING: Outcome = { state: 'pending' }

/** The bytes that an entry tells of: a value, or what was thrown. */
const valueAt = (port: Port, at: number, ref: ObjectRef): FoundArguments => {
  const { words } = port
  const { slot, generation } = partsOf(ref)
  const owner: Owner = { slot, generation, which: VALUE }
  return words[at + 1] === L.PLACE_BULK
    ? readBulk(port, owner, 0, words[at + 4] as number, 0)
    : readPlaced(port, owner, { at: at + 1, heap: L.FETCH_HEAP, deps: NONE, carried: NONE, envs: 0 })
}

const outcomeAt = (port: Port, at: number, ref: ObjectRef): Outcome => {
  const { words } = port
  const state = words[at]
  if (state === L.STATE_PENDING) return PENDING
  partsOf(ref).settled = true
  if (state === L.STATE_GONE) return { state: 'gone' }
  if (state === L.STATE_FREED) return { state: 'freed' }
  if (state === L.STATE_LOST) return { state: 'lost' }
  if (state === L.STATE_VALUE || state === L.STATE_THROWN) {
    port.met(ref, words[at + 1] === L.PLACE_HEAP ? (words[at + 3] as number) : Number.POSITIVE_INFINITY, words[at + 4] as number)
    let value: FoundArguments
    try {
      value = valueAt(port, at, ref)
    } catch (error) {
      // Of this one; others that are asked for together with it are not concerned.
      return { state: 'unreadable', error }
    }
    if (value === plain && state === L.STATE_VALUE) return PLAIN
    if (state === L.STATE_VALUE) return { state: 'value', value }
    return { state: 'thrown', value, taskName: taskName(words[at + 6] as number), attempt: words[at + 7] as number }
  }
  if (state === L.STATE_ACTOR_BROKEN) {
    try {
      return { state: 'actor-broken', value: { ...valueAt(port, at, ref) }, actorName: taskName(words[at + 6] as number) }
    } catch (error) {
      return { state: 'unreadable', error }
    }
  }
  const failed = { taskName: taskName(words[at + 6] as number), attempt: words[at + 4] as number }
  if (state === L.STATE_CANCELLED) return { state: 'cancelled', ...failed }
  if (state === L.STATE_TIMED_OUT) return { state: 'timed-out', limit: (words[at + 1] as number) + 2 ** 32 * (words[at + 2] as number), ...failed }
  const offset = words[at + 2] as number
  const length = words[at + 3] as number
  const from = L.FETCH_HEAP + offset
  const text = new TextDecoder().decode(port.bytes.subarray(from, from + length))
  if (state === L.STATE_SETUP) return { state: 'setup', text }
  if (state === L.STATE_ACTOR_UNAVAILABLE) return { state: 'actor-unavailable', text }
  if (state === L.STATE_ACTOR_DIED) return { state: 'actor-died', reason: REASONS[words[at + 7] as number] ?? 'crashed', text, actorName: failed.taskName }
  const exitCode = words[at + 7] as number
  return { state: 'crashed', text, exitCode: exitCode === 0 ? null : exitCode - 1, ...failed }
}
