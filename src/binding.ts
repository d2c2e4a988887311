/** Loads the addon, once and only here, and checks that it is the one this package was built with. */

import { createRequire } from 'node:module'
import type * as Native from '../native/index.cjs'
import './platform.ts'

/** The data plane of one isolate: raw functions over its port. The area and `words` carry what they say. */
export interface RawPort {
  flush(): void
  next(): void
  drain(): void
  fetch(): void
  park(): void
  resume(): void
  take(slot: number, generation: number): boolean
  /** `task`: the number of the function whose code runs now, for reports of writes. */
  view(slot: number, generation: number, which: 0 | 1, task: number): ArrayBufferLike | undefined
  /** Whether a view of this value that is open here still shows what was stored. */
  shows(slot: number, generation: number): boolean
  bulk(slot: number, generation: number, which: 0 | 1): ArrayBuffer | undefined
  write(byteLength: number, offsets: readonly number[], pieces: readonly Uint8Array[]): void
  /** Memory of the store to write into; its number is where `write` says which object it made. */
  draft(total: number, at: number, prefix: Uint8Array): ArrayBuffer
  /** The 16 bytes of an unsettled task's public id. */
  id(slot: number, generation: number): ArrayBuffer | undefined
  /** `transfer`: what empties a buffer, on Nodes where a buffer may refuse that. */
  seal(number: number, buffer: ArrayBuffer, transfer: unknown): void
  abandon(number: number, buffer: ArrayBuffer, transfer: unknown): void
  /** Weakly, by number: whether a handle was collected can be asked without a turn of the loop. */
  guard(handle: object): number
  unguard(number: number): void
  gone(number: number): boolean
  handles(): number
  /** How often a task that has not ended was begun before, in vain. */
  attempt(slot: number, generation: number): number
  /** True: this worker is one too many, and takes nothing any more. */
  leave(): boolean
  /** This worker takes nothing any more; it ends when what it has begun has ended. */
  resign(): void
  /** The time of a task that was handed out here does not count until it is handed out again. */
  untime(slot: number, generation: number): void
  /** The task has ended, or there is none. */
  over(slot: number, generation: number): boolean
  /** Somebody refers to the object still. */
  exists(slot: number, generation: number): boolean
  /** Why a wait was ended that could never have ended, as UTF-8. */
  circle(token: number): ArrayBuffer | undefined
  /** How many more calls of an actor may be made. */
  room(slot: number, generation: number): number
  /** It is a call of an actor's that has not ended. */
  bound(slot: number, generation: number): boolean
  /** Nobody but the actor itself has a handle to it. */
  unheld(slot: number, generation: number): boolean
  /** Flushes records of which the last creates an actor, under this name; true: there was one, which is found instead. */
  create(namespace: string, name: string): boolean
  /** Finds the actor of a name; what is found stands where answers of `fetch` begin. */
  named(namespace: string, name: string): boolean
  detach(): void
  /**
   * This isolate is ready to be handed tasks; gives its place among the workers. `now`: what the clock of its stamps shows; then the
   * actor that it was started for alone: generation 0: none.
   */
  sit(now: number, slot: number, generation: number): number
  readonly words: ArrayBufferLike
  /** Whether objects may go to disk when the store is full. */
  readonly spills: boolean
}

export type ClassRecord = Native.ClassRecord
export type FreeNameRecord = Native.FreeNameRecord
export type FunctionAnalysis = Native.FunctionAnalysis
export type ImportRecord = Native.ImportRecord
export type ModuleAnalysis = Native.ModuleAnalysis
export type RangeRecord = Native.RangeRecord
export type RequireRecord = Native.RequireRecord

interface RawFunctions {
  attach(flags: number, area: ArrayBuffer, onMail: () => void, onWork: () => void, runtime: number, start: number): RawPort
  probeShared(): ArrayBufferLike | undefined
  holdBuffers(): boolean
}

type Addon = typeof Native & RawFunctions

const load = (): Addon => {
  // By names of package.json, which hold wherever the build puts this code.
  const require = createRequire(import.meta.url)
  const { version: packageVersion } = require('#package') as { version: string }
  let addon: Addon
  try {
    addon = require('#addon') as Addon
  } catch (cause) {
    const here = `${process.platform}-${process.arch}`
    const message = `mobula's addon for ${here} could not be loaded: run \`npm run build\` in a checkout, or reinstall the package where prebuilt binaries exist.`
    throw Object.assign(new Error(message, { cause }), { code: 'ERR_UNSUPPORTED_PLATFORM' })
  }
  if (addon.VERSION !== packageVersion) {
    const message = `mobula ${packageVersion} found an addon of version ${addon.VERSION}: run \`npm run build\` again or reinstall the package.`
    throw Object.assign(new Error(message), { code: 'ERR_UNSUPPORTED_PLATFORM' })
  }
  return addon
}

const addon: Addon = load()

export const version: string = addon.VERSION

/** Every constant of the record layout; the numbers are written in Rust alone. */
export const layout: Readonly<Record<string, number>> = addon.layoutConstants()

/** A constant of the layout by name. A name that Rust does not know is an error at load, not a NaN at run time. */
export const constant = (name: string): number => {
  const value = layout[name]
  if (value === undefined) throw new Error(`the addon's layout has no constant ${name}: run \`npm run build\` again`)
  return value
}

/** External SharedArrayBuffers cost V8 nothing and are made in a microsecond, but only newer Nodes make them; trust is good, looking is better. */
const makesShared = ((): boolean => {
  const probe = addon.probeShared()
  return probe instanceof SharedArrayBuffer && probe.byteLength === 64 && new Uint8Array(probe).every((byte, k) => byte === k)
})()

const WORKER = 1
const SHARED = 2
const SINGLE = 4

export interface Attachment {
  readonly role: 'driver' | 'worker'
  readonly runtime: number
  readonly area: ArrayBuffer
  readonly onMail: () => void
  readonly onWork: () => void
  /** The number of this thread's start; 0 on the driver. */
  readonly start: number
  /** It was started for an actor alone. */
  readonly isSingle: boolean
}

/** This isolate takes part in a runtime, if that one still runs. */
export const attach = ({ role, runtime, area, onMail, onWork, start, isSingle }: Attachment): RawPort =>
  addon.attach((role === 'worker' ? WORKER : 0) | (isSingle ? SINGLE : 0) | (makesShared ? SHARED : 0), area, onMail, onWork, runtime, start)

/** From now on no `ArrayBuffer` over memory of the store is collected in this thread. True if some were, and have not let go of it. */
export const holdBuffers: RawFunctions['holdBuffers'] = addon.holdBuffers
export const start: typeof Native.start = addon.start
export const stop: typeof Native.stop = addon.stop
export const tend: typeof Native.tend = addon.tend
export const trim: typeof Native.trim = addon.trim
export const running: typeof Native.running = addon.running
export const defineFunction: typeof Native.defineFunction = addon.defineFunction
export const turnsOutAsync: typeof Native.turnsOutAsync = addon.turnsOutAsync
export const actorThreadEnded: typeof Native.actorThreadEnded = addon.actorThreadEnded
export const actorName: typeof Native.actorName = addon.actorName
export const functionRecord: typeof Native.functionRecord = addon.functionRecord
export const threadTerminating: typeof Native.threadTerminating = addon.threadTerminating
export const executeThread: typeof Native.executeThread = addon.executeThread
export const threadEnded: typeof Native.threadEnded = addon.threadEnded
export const assigned: typeof Native.assigned = addon.assigned
export const figures: typeof Native.figures = addon.figures
export const resources: typeof Native.resources = addon.resources
export const runs: typeof Native.runs = addon.runs
export const instances: typeof Native.instances = addon.instances
export const analyzeFunction: typeof Native.analyzeFunction = addon.analyzeFunction
export const analyzeLoading: typeof Native.analyzeLoading = addon.analyzeLoading
export const analyzeModule: typeof Native.analyzeModule = addon.analyzeModule
export const boxNames: typeof Native.boxNames = addon.boxNames
export const randomWords: typeof Native.randomWords = addon.randomWords
export const faultPoints: typeof Native.faultPoints = addon.faultPoints
export const setFault: typeof Native.setFault = addon.setFault
export const clearFaults: typeof Native.clearFaults = addon.clearFaults
export const passFault: typeof Native.passFault = addon.passFault
export const holdings: typeof Native.holdings = addon.holdings
export const handles: typeof Native.handles = addon.handles
export const askToCollect: typeof Native.askToCollect = addon.askToCollect
