/**
 * Variables that several functions of one value share, and that one of them assigns: they stay one variable, in a box that all of them use.
 * V8 shows values of variables, not the variables: whether two are one is told by what lies around them.
 */

import { Again } from '../codec/capsules.ts'
import { Refusal } from '../codec/refusal.ts'
import type { FunctionView, Scope } from './inspector.ts'
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
  readonly imported: Map<unknown, ReferenceTemplate> = new Map()
  readonly #known: Known[] = []
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
    if (known.isAssigned) refuseTwins(known.seenBy, sighting)
    known.seenBy.push(sighting)
    if (known.isBoxed) return known
    if (known.isAssigned) throw new Again([...this.#learnt, known.first])
    return undefined
  }
}

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

/** Functions that one place made twice may each have a variable of their own, which look the same as long as their values do. */
const refuseTwins = (seenBy: readonly Sighting[], { name, view, at, fn }: Sighting): void => {
  const [scope] = around({ name, view, at, fn, isAssigned: true })
  // There is one of a module; and what is an object beside the variable is not the same object in another call.
  if (scope === undefined || Object.keys(scope.object).some((key) => isThing(valueIn(scope, key)))) return
  const isTwin = seenBy.some((other) => other.fn !== fn && other.view.line === view.line && other.view.column === view.column)
  if (!isTwin) return
  const refusal = new Refusal(
    `captures the variable ${name}, which it assigns, beside another function from the same place: whether they share it cannot be told; keep it in an object ({ ${name} }) that both use`,
  )
  refusal.isCapture = true
  throw refusal
}

const isThing = (value: unknown): boolean => (typeof value === 'object' && value !== null && value !== NOTHING) || typeof value === 'function'
