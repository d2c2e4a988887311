/** Reads outcomes of settled objects: small bytes out of the area, large ones as views of the store. */

import { functionRecord } from '../../binding.ts'
import { mayRunUserCode } from '../../codec/codec.ts'
import { ObjectFreedError } from '../../errors/errors.ts'
import { fromCode } from '../../errors/from-code.ts'
import { type ObjectRef, partsOf } from '../../refs/object-ref.ts'
import type { Outcome } from '../engine.ts'
import * as L from './layout.ts'
import type { Port } from './port.ts'

const VALUE = 0
const ARGUMENTS = 1

export interface Encoded {
  readonly bytes: Uint8Array
  readonly refs: readonly ObjectRef[]
  readonly deps: readonly ObjectRef[]
  /** The bytes stay as long as their buffer does. */
  readonly alias: boolean
}

/** Where encoded bytes lie, as a record says. */
export interface Placed {
  readonly slot: number
  readonly generation: number
  readonly place: number
  /** Start of the heap that offsets count from. */
  readonly heap: number
  readonly offset: number
  readonly length: number
  readonly deps: number
  readonly depsOffset: number
  readonly refs: number
  readonly refsOffset: number
}

/** Bytes and refs of a task's arguments or of a value, wherever they are. */
export const readPlaced = (port: Port, placed: Placed, which: 'value' | 'arguments'): Encoded => {
  const { slot, generation, heap, deps, refs } = placed
  const raw = which === 'value' ? VALUE : ARGUMENTS
  if (placed.place === L.PLACE_BULK) return readBulk(port, port.raw.bulk(slot, generation, raw), deps, refs)
  let bytes: Uint8Array
  let alias = false
  if (placed.place === L.PLACE_HEAP) {
    const at = heap + placed.offset
    // Of their own if users' code may use the area before they are read to the end.
    bytes = mayRunUserCode() ? port.bytes.slice(at, at + placed.length) : port.bytes.subarray(at, at + placed.length)
  } else {
    bytes = new Uint8Array(viewOf(port, slot, generation, raw))
    alias = true
  }
  return {
    bytes,
    alias,
    deps: port.readRefs(port.words, (heap + placed.depsOffset) / 4, deps),
    refs: port.readRefs(port.words, (heap + placed.refsOffset) / 4, refs),
  }
}

const viewOf = (port: Port, slot: number, generation: number, which: 0 | 1): ArrayBufferLike => {
  try {
    const open = which === VALUE ? port.views.find(slot, generation) : undefined
    if (open !== undefined) return open
    const view = port.raw.view(slot, generation, which, port.task)
    if (view !== undefined) {
      if (which === VALUE) port.views.keep(slot, generation, view)
      return view
    }
  } catch (error) {
    throw fromCode(error)
  }
  throw new ObjectFreedError('the object was freed while it was read')
}

/** Deps, refs and bytes in one piece of memory of their own. */
const readBulk = (port: Port, buffer: ArrayBuffer, depCount: number, refCount: number): Encoded => {
  const tables = (depCount + refCount) * L.REF_BYTES
  const words = new Uint32Array(buffer, 0, tables / 4)
  const deps = port.readRefs(words, 0, depCount)
  const refs = port.readRefs(words, depCount * L.REF_WORDS, refCount)
  return { bytes: new Uint8Array(buffer, (tables + 63) & ~63), deps, refs, alias: true }
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
    // All of them first: a visit decodes, which may run users' code, and that may fetch, too.
    const outcomes = new Array<Outcome>(count)
    for (let k = 0; k < count; k++) outcomes[k] = outcomeAt(port, L.FETCH + k * L.FETCH_WORDS, refs[start + k] as ObjectRef)
    for (let k = 0; k < count; k++) visit(start + k, outcomes[k] as Outcome)
  })
}

/** Visits the positions of those refs that are settled, in order. */
export const fetchSettled = (port: Port, refs: readonly ObjectRef[], visit: (position: number) => void): void =>
  fetchEntries(port, refs, true, (start, count) => {
    for (let k = 0; k < count; k++) if (port.words[L.FETCH + k * L.FETCH_WORDS] !== L.STATE_PENDING) visit(start + k)
  })

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

const outcomeAt = (port: Port, at: number, ref: ObjectRef): Outcome => {
  const { words } = port
  const state = words[at]
  if (state === L.STATE_PENDING) return { state: 'pending' }
  if (state === L.STATE_GONE) return { state: 'gone' }
  if (state === L.STATE_FREED) return { state: 'freed' }
  const offset = words[at + 2] as number
  const length = words[at + 3] as number
  if (state === L.STATE_VALUE || state === L.STATE_THROWN) {
    const { slot, generation } = partsOf(ref)
    const { bytes, refs, alias } = readPlaced(
      port,
      {
        slot,
        generation,
        place: words[at + 1] as number,
        heap: L.FETCH_HEAP,
        offset,
        length,
        deps: 0,
        depsOffset: 0,
        refs: words[at + 4] as number,
        refsOffset: words[at + 5] as number,
      },
      'value',
    )
    if (state === L.STATE_VALUE) return { state: 'value', bytes, refs, alias }
    return { state: 'thrown', bytes, refs, alias, taskName: taskName(words[at + 6] as number) }
  }
  const from = L.FETCH_HEAP + offset
  const text = new TextDecoder().decode(port.bytes.subarray(from, from + length))
  if (state === L.STATE_SETUP) return { state: 'setup', text }
  const exitCode = words[at + 7] as number
  return { state: 'crashed', text, exitCode: exitCode === 0 ? null : exitCode - 1, taskName: taskName(words[at + 6] as number) }
}
