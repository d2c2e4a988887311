/** Takes a function apart: its text, where it stood, and what it uses of its surroundings. What is proved of this, and what it costs, is in docs/functions.md. */

import { types } from 'node:util'
import { boxNames, type ClassRecord, type FunctionAnalysis, type ModuleAnalysis } from '../binding.ts'
import type { Capsule } from '../codec/capsules.ts'
import { failCapture } from '../codec/refusal.ts'
import { classParts } from './capture-class.ts'
import { rootNow } from './capture-root.ts'
import type { CellSession as Session } from './cells.ts'
import { factsOf, isNativeText, textOf } from './facts.ts'
import { type FunctionView, urlOfScript, viewOf } from './inspector.ts'
import { parentOf } from './modules.ts'
import { placeText } from './place.ts'
import { capsuleOf, takeForeign, takeNative } from './references.ts'
import { captureRefusal } from './refuse-capture.ts'
import { partsOfRevived } from './revived.ts'
import { refuseShape } from './shape.ts'
import { stepsOf } from './steps.ts'
import { type About, Surroundings } from './surroundings.ts'
import { type FunctionTemplate, META } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

/** A function without what was added to it. */
interface Parts {
  readonly template: FunctionTemplate
  readonly values: readonly unknown[]
  /** What messages call each value. */
  readonly names: readonly string[]
  readonly place: string
}

/** A function or a class. Throws a refusal that says what is wrong with it. */
export const takeFunction = (fn: AnyFunction, session: Session, id: string): Capsule => {
  if (types.isProxy(fn)) throw captureRefusal('is a Proxy of a function, whose traps stay behind; pass the function itself')
  if (!(fn instanceof Function)) throw captureRefusal('is a function of another context (node:vm), whose globals are others; make it here')
  const text = textOf(fn)
  if (isNativeText(text)) return takeNative(fn)
  let parts: Parts | undefined = partsOfRevived(fn)
  if (parts === undefined) {
    const view = viewOf(fn as never)
    const url = view === undefined ? undefined : (urlOfScript(view.scriptId) ?? '')
    const foreign = takeForeign(fn, view, url)
    if (foreign !== undefined) return foreign
    parts = partsOf({ fn, text, view, url: url ?? '', session })
  }
  const { template, values, names, place } = parts
  const { steps, values: more, names: moreNames } = stepsOf(fn, template)
  const whole: FunctionTemplate = steps.length === 0 ? template : { ...template, steps }
  const at = place === '' ? '' : ` (${place})`
  const said = [...names, ...moreNames].map((name) => `${at}, which captures ${name}`)
  const capsule = capsuleOf(whole, [...values, ...more], said, id)
  const root = rootNow()
  if (root?.fn === fn) root.capsule = capsule
  return capsule
}

const partsOf = (about: About): Parts => {
  const { text, view, url } = about
  const facts = factsOf(text)
  if (typeof facts === 'string') throw captureRefusal(`has a text that cannot be understood (${facts})`)
  const at = startOf(view, text, facts)
  const place = placeText(url, at.line, at.column)
  try {
    return partsAt(about, facts, { ...at, place })
  } catch (refusal) {
    return failCapture(refusal, place === '' ? '' : ` (${place})`)
  }
}

interface At {
  readonly line: number
  readonly column: number
  readonly place: string
}

const partsAt = (about: About, facts: FunctionAnalysis, at: At): Parts => {
  const { fn, text, url } = about
  refuseShape(facts)
  about.session.home ??= url
  const surroundings = new Surroundings(about)
  surroundings.noteImports()
  const isClass = facts.kind === 'class'
  const parts = isClass ? classParts(fn as never, text, facts.class as ClassRecord, surroundings) : undefined
  // What was evaluated with a class is not evaluated again.
  const used = parts === undefined ? facts : factsOf(parts.text)
  if (typeof used === 'string') throw new Error(`the text of class ${fn.name} was changed to what is none: please report this (${used})`)
  for (const free of used.free) surroundings.look(free)
  const { names, values, boxed, assigned, self, imports } = surroundings
  let written = parts?.text ?? text
  for (const { start, end } of facts.importMeta) written = written.slice(0, start) + META.padEnd(end - start) + written.slice(end)
  if (boxed.length > 0) written = boxNames(written, [...boxed])
  const base = parts?.base === undefined ? [] : [parts.base]
  const privates = parts?.privates ?? new Map<string, unknown>()
  const template: FunctionTemplate = {
    kind: 'function',
    name: nameOf(fn),
    text: written,
    form: facts.form === 'member' ? 'member' : 'expression',
    isClass,
    url: parentOf(url),
    line: at.line,
    column: at.column,
    isStrict: facts.isStrict || isStrictAround(fn, url, surroundings.module),
    names,
    assigned,
    self,
    imports,
    usesMeta: facts.importMeta.length > 0,
    hasImport: facts.hasDynamicImport,
    extends: base.length > 0,
    privates: [...privates.keys()],
    steps: [],
  }
  return {
    template,
    values: [...values, ...base, ...privates.values()],
    names: [...names, ...base.map(() => 'the class that it extends'), ...privates.keys()],
    place: at.place,
  }
}

/** Where a function stands, for messages. */
export const placeOfFunction = (fn: AnyFunction): string => {
  const text = textOf(fn)
  const facts = factsOf(text)
  const view = viewOf(fn as never)
  if (view === undefined || typeof facts === 'string') return ''
  const at = startOf(view, text, facts)
  return placeText(urlOfScript(view.scriptId) ?? '', at.line, at.column)
}

const nameOf = (fn: AnyFunction): string => {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value
  return typeof name === 'string' ? name : ''
}

/** Where the text begins: V8 says where the parameters do. */
const startOf = (view: FunctionView | undefined, text: string, { paramsAt }: FunctionAnalysis): { line: number; column: number } => {
  if (view === undefined) return { line: 0, column: 0 }
  const before = text.slice(0, paramsAt).split('\n')
  const line = view.line - (before.length - 1)
  // A text of several lines before its parameters is written from the start of a line: its column cannot be told.
  return { line: Math.max(0, line), column: before.length > 1 ? 0 : Math.max(0, view.column - paramsAt) }
}

/** Whether the code around a function is strict, which its text does not tell: ES modules are, and of the rest what says so. */
const isStrictAround = (fn: AnyFunction, url: string, module: ModuleAnalysis | undefined): boolean => {
  if (module !== undefined && (module.isStrict || module.isModule)) return true
  // V8 makes an `arguments` property for sloppy functions only.
  if (Object.hasOwn(fn, 'arguments')) return false
  return fn.prototype !== undefined || /\.m?tsx?$/.test(url)
}
