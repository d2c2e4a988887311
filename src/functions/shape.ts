/** Functions that cannot stand for themselves, wherever they may stand: what they use belongs to somebody else's call or class. */

import type { FunctionAnalysis } from '../binding.ts'
import type { Refusal } from '../codec/refusal.ts'
import { factsOf, textOf } from './facts.ts'
import { captureRefusal } from './refuse-capture.ts'

type AnyFunction = (...args: never[]) => unknown

/** What cannot be known of a function that stands for itself: its surroundings are somebody else's. */
export const refuseShape = (facts: FunctionAnalysis): void => {
  if (facts.directEval !== undefined) throw captureRefusal('calls eval directly, which may use any variable around it; use (0, eval)(…), or new Function(…)')
  if (facts.outerSuper !== undefined) throw captureRefusal('uses super of the class or object around it; ship the class, or call the method by its name')
  if (facts.outerThis !== undefined)
    throw captureRefusal('uses `this` of the function or class around it; copy what it needs into a const before, and use that')
  if (facts.outerArguments !== undefined) throw captureRefusal('uses `arguments` of the function around it; use (...args) =>')
  if (facts.outerNewTarget !== undefined) throw captureRefusal('uses new.target of the function around it; copy it into a const before')
  const [name] = facts.privateNamesOutside
  if (name !== undefined) throw captureRefusal(`uses ${name} of the class around it; ship the class, or pass what it needs as an argument`)
  if (facts.form === 'class-member') throw captureRefusal('is a private method, which no other object can have; ship the class, or make it a function')
}

/** What is wrong with a function wherever it may stand; undefined: nothing. */
export const shapeProblem = (fn: AnyFunction): string | undefined => {
  const facts = factsOf(textOf(fn))
  if (typeof facts === 'string') return `has a text that cannot be understood (${facts})`
  try {
    refuseShape(facts)
    return undefined
  } catch (refusal) {
    return (refusal as Refusal).reason
  }
}
