/**
 * Variables that several functions of one value share, and that one of them assigns: they stay one variable, in a box that all of them use.
 * V8 shows values of variables, not the variables: whether two are one is told by what lies around them.
 */

import { Again } from '../codec/capsules.ts'
import type { FunctionView, ModuleScopes, Scope } from './inspector.ts'
import { captureRefusal } from './refuse-capture.ts'
import type { ReferenceTemplate } from './template.ts'

export interface Cell {
  box: { v: unknown } | undefined
}

export interface Sighting {
  readonly fn: object
  readonly view: FunctionView
  /** Which of the scopes has it. */
  readonly at: number
  readonly name: string
  readonly isAssigned: boolean
}

interface Known extends Cell {
  readonly first: Sighting
  readonly seenBy: Sighting[]
  isAssigned: boolean
  readonly isBoxed: boolean
}

/** Those of one encoding. */
export class CellSession {
  /** The file of the outermost function. */
  home: string | undefined
  /** The files of all functions so far, and what they import. */
  readonly files: Set<string> = new Set()
  readonly imported: Map<unknown, () => ReferenceTemplate | undefined> = new Map()
  /** Modules around the functions so far: V8 is asked once for each. */
  readonly moduleScopes: ModuleScopes = new Map()
  readonly #known: Known[] = []
  readonly #holders = new Map<object, object>()
  readonly #learnt: readonly Sighting[]

  constructor(learnt: readonly Sighting[]) {
    this.#learnt = learnt
  }

  /** The cell, if its variable has to be in a box. Throws `Again` where that turns out when functions without the box are written already. */
  cell(sighting: Sighting): Cell | undefined {
    const { at, view } = sighting
    if ((view.scopes[at] as Scope).description === 'Global') return undefined
    const known = this.#known.find(({ first }) => isSame(first, sighting))
    if (known === undefined) {
      const isBoxed = this.#learnt.some((learnt) => isSame(learnt, sighting))
      const made: Known = { first: sighting, seenBy: [sighting], isAssigned: sighting.isAssigned, isBoxed, box: undefined }
      this.#known.push(made)
      return isBoxed ? made : undefined
    }
    known.isAssigned ||= sighting.isAssigned
    if (known.isAssigned) this.#refuseTwins(known.seenBy, sighting)
    known.seenBy.push(sighting)
    if (known.isBoxed) return known
    if (known.isAssigned) throw new Again([...this.#learnt, known.first])
    return undefined
  }

  /** Notes what holds functions: those of one literal were made by one call. */
  noteHolder(holder: object): void {
    const keys = Object.keys(holder)
    if (keys.length > HELD_MAX) return
    for (const key of keys) {
      const { value, get, set }: PropertyDescriptor = Object.getOwnPropertyDescriptor(holder, key) ?? {}
      for (const fn of [value, get, set] as unknown[]) if (typeof fn === 'function' && !this.#holders.has(fn)) this.#holders.set(fn, holder)
    }
  }

  /**
   * Scopes that show the same values may be those of two calls, each with a variable of its own. There is one of a module; a scope that has
   * one of the functions itself, or what holds it, is the one around it; and functions that one object holds are taken to come from one call.
   */
  #refuseTwins(seenBy: readonly Sighting[], sighting: Sighting): void {
    const [scope] = around(sighting)
    if (scope === undefined) return
    const own = new Set<unknown>([...seenBy, sighting].flatMap(({ fn }) => [fn, this.#holders.get(fn) ?? fn]))
    if (Object.keys(scope.object).some((key) => own.has(valueIn(scope, key)))) return
    const holder = this.#holders.get(sighting.fn)
    if (holder !== undefined && seenBy.every(({ fn }) => this.#holders.get(fn) === holder)) return
    const { name } = sighting
    throw captureRefusal(
      `captures the variable ${name}, which other functions that are taken along assign or read: whether it is one variable or several that look the same cannot be told; keep it in an object that all of them use, const state = { ${name} }`,
    )
  }
}

/** Larger objects are tables. */
const HELD_MAX = 64

const isModule = ({ description }: Scope): boolean => description === 'Module' || description === 'Script'

/** The scopes from the variable's on, up to those that there is one of. */
const around = ({ view, at }: Sighting): readonly Scope[] => {
  const scopes = view.scopes.slice(at)
  const end = scopes.findIndex((scope) => isModule(scope) || scope.description === 'Global')
  return end < 0 ? scopes : scopes.slice(0, end)
}

const isSame = (left: Sighting, right: Sighting): boolean => {
  if (left.name !== right.name || left.view.scriptId !== right.view.scriptId) return false
  if (left.view.scopes.length - left.at !== right.view.scopes.length - right.at) return false
  const theirs = around(right)
  return around(left).every((scope, k) => sameVariables(scope, theirs[k]))
}

const sameVariables = (left: Scope, right: Scope | undefined): boolean => {
  if (right === undefined || left.description !== right.description) return false
  const names = Object.keys(left.object)
  return names.length === Object.keys(right.object).length && names.every((name) => Object.is(valueIn(left, name), valueIn(right, name)))
}

const NOTHING = {}

const valueIn = ({ object }: Scope, name: string): unknown => {
  try {
    return Object.hasOwn(object, name) ? object[name] : NOTHING
  } catch {
    return NOTHING
  }
}
