/** What the text of a function says, analysed once for each text. */

import { analyzeFunction, type FunctionAnalysis } from '../binding.ts'

/** Texts that differ come from different places of a program: more than these are made by a program that writes programs. */
const TEXTS_MAX = 10_000

const known = new Map<string, FunctionAnalysis | string>()

/** The facts, or why there are none. */
export const factsOf = (text: string): FunctionAnalysis | string => {
  let facts = known.get(text)
  if (facts === undefined) {
    try {
      facts = analyzeFunction(text)
    } catch (error) {
      facts = error instanceof Error ? error.message : String(error)
    }
    if (known.size >= TEXTS_MAX) known.clear()
    known.set(text, facts)
  }
  return facts
}

export const textOf = (fn: (...args: never[]) => unknown): string => Function.prototype.toString.call(fn)

export const isNativeText = (text: string): boolean => text.endsWith('}') && /\{\s*\[native code\]\s*\}$/.test(text)
