/** The instances that live on this thread, and which of their calls may begin. */

import type { Stored } from '../engine/local/port.ts'
import { nearest } from '../errors/bad-input.ts'
import { type ClassNotes, classNotesOf } from '../functions/actor-class.ts'
import { concurrencyOf, methodsOf } from '../functions/methods.ts'
import type { AnyClass } from '../functions/record.ts'

/** What is known of an actor when its constructor begins. */
interface Making {
  readonly classId: number
  /** The record of its class. */
  readonly notes: string
  /** If it was given one. */
  readonly name: string | undefined
  readonly restarts: number
  readonly held: unknown
}

/** An actor, from the beginning of its constructor on. */
export class Instance {
  readonly key: Stored
  readonly classId: number
  readonly notes: ClassNotes
  readonly label: string
  /** How often it was made before. */
  readonly restarts: number
  /** What came along with the class's options. */
  readonly held: unknown
  Class: AnyClass | undefined
  value: Record<string, unknown> | undefined
  /** Nobody wants it any more: what its code comes to counts nothing. */
  isDropped: boolean = false
  /** What its methods were made into, by the number of their definition. */
  readonly methods: Map<number, unknown> = new Map()
  readonly #limits: number[]
  /** By group: its calls that have returned and go on. */
  readonly #goingOn: number[]

  constructor(key: Stored, { classId, notes, name, restarts, held }: Making) {
    this.key = key
    this.classId = classId
    this.notes = classNotesOf(notes)
    this.label = name ?? this.notes.className
    this.restarts = restarts
    this.held = held
    const { concurrency, groups } = this.notes
    this.#limits = [concurrency === 0 ? 1 : concurrency, ...groups.map(([, limit]) => limit)]
    this.#goingOn = this.#limits.map(() => 0)
  }

  get name(): string {
    return this.notes.className
  }

  /** Its constructor has returned. */
  constructed(Class: AnyClass, value: unknown): void {
    this.Class = Class
    if (!this.isDropped) this.value = value as Record<string, unknown>
    if (this.notes.concurrency === 0) this.#limits[0] = concurrencyOf(methodsOf(Class).hasAsync)
  }

  /** Nobody wants it any more. What it kept goes, though code of a call that never ends, or was the last here, still names the instance. */
  drop(): void {
    this.isDropped = true
    this.value = undefined
    this.methods.clear()
  }

  /** So many calls of no group may go on at once. */
  get limit(): number {
    return this.#limits[0] as number
  }

  /** A call of this group may begin. */
  hasRoom(group: number): boolean {
    return (this.#goingOn[group] ?? 0) < (this.#limits[group] ?? 1)
  }

  /** A call of this group has returned, and goes on. */
  goesOn(group: number): void {
    this.#goingOn[group] = (this.#goingOn[group] ?? 0) + 1
  }

  ended(group: number): void {
    this.#goingOn[group] = (this.#goingOn[group] ?? 1) - 1
  }

  call(name: string, args: unknown[]): unknown {
    const value = this.value as Record<string, unknown>
    const method = value[name]
    if (typeof method !== 'function' || name === 'constructor') throw this.#noMethod(name, method)
    return Reflect.apply(method, value, args) as unknown
  }

  #noMethod(name: string, found: unknown): TypeError {
    const value = this.value as Record<string, unknown>
    const own = Object.keys(value).filter((key) => typeof value[key] === 'function')
    const all = [...methodsOf(this.Class as AnyClass).names, ...own]
    const near = nearest(name, all)
    const known = near === undefined ? `it has ${all.join(', ') || 'none'}` : `did you mean '${near}'?`
    return new TypeError(`actor ${this.name} has no method '${name}'${found === undefined ? '' : ': what has this name is no function'}; ${known}`)
  }

  /** What `static methods` says of errors that let a call of this name be made again. */
  retryableOf(name: string): unknown {
    const methods = (this.Class as unknown as { methods?: Record<string, { retryExceptions?: unknown }> } | undefined)?.methods
    return methods?.[name]?.retryExceptions
  }
}

/** All of them, by slot. */
export class Actors {
  readonly #bySlot = new Map<number, Instance>()

  find({ slot, generation }: Stored): Instance | undefined {
    const instance = this.#bySlot.get(slot)
    return instance?.key.generation === generation ? instance : undefined
  }

  /** An actor's constructor begins. */
  add(key: Stored, making: Making): Instance {
    const instance = new Instance(key, making)
    this.#bySlot.set(key.slot, instance)
    return instance
  }

  /** Nobody wants an instance any more, which is given, if there is one. */
  drop(key: Stored): Instance | undefined {
    const instance = this.find(key)
    if (instance === undefined) return undefined
    this.#bySlot.delete(key.slot)
    instance.drop()
    return instance
  }
}
