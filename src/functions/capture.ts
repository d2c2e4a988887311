/** Takes a function apart: its text, where it stood, and what it uses of its surroundings. What is proved of this, and what it costs, is in docs/functions.md. */

import { types } from 'node:util'
import { boxNames, type ClassRecord, type FunctionAnalysis, type ModuleAnalysis, type RangeRecord } from '../binding.ts'
import type { Capsule } from '../codec/capsules.ts'
import { outermost } from '../codec/realm.ts'
import { failCapture } from '../codec/refusal.ts'
import { classParts } from './capture-class.ts'
import { rootNow } from './capture-root.ts'
import type { CellSession as Session } from './cells.ts'
import { factsOf, isNativeText, textOf } from './facts.ts'
import { type FunctionView, hasInspector, isAlone, knownUrl, learnCallers, urlOfScript, viewOf } from './inspector.ts'
import { parentOf } from './modules.ts'
import { placeText } from './place.ts'
import { capsuleOf, takeForeign, takeNamed, takeNative } from './references.ts'
import { captureRefusal } from './refuse-capture.ts'
import { partsOfRevived } from './revived.ts'
import { refuseShape } from './shape.ts'
import { stepsOf } from './steps.ts'
import { type About, isStandIn, Surroundings } from './surroundings.ts'
import { type FunctionTemplate, MEMBER, META } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

/** Its script is none that was met before, or that calls. */
const isUnknown = (view: FunctionView): boolean => {
  if (isAlone(view)) return false
  if (knownUrl(view.scriptId) === undefined) learnCallers()
  return knownUrl(view.scriptId) === undefined
}

/** What has nothing around it is a script of its own: whose URL is not looked for. */
const urlOfView = (view: FunctionView): string => (isAlone(view) ? (knownUrl(view.scriptId) ?? '') : (urlOfScript(view.scriptId) ?? ''))

interface State {
  readonly steps: string
  readonly values: readonly unknown[]
  readonly version: number
}

/** How classes were when they were taken along last. */
const states = new WeakMap<AnyFunction, State>()

/** Workers have one class of each: its static state is brought up to date there, but not the variables that its methods use. */
const stateOf = (fn: AnyFunction, { names, steps }: FunctionTemplate, values: readonly unknown[]): number => {
  const before = states.get(fn)
  const now = JSON.stringify(steps)
  for (let k = 0; before !== undefined && k < names.length; k++) {
    if (!Object.is(before.values[k], values[k]) && !isStandIn(values[k]))
      throw captureRefusal(
        `was taken along before, when ${names[k]} had another value, and workers have one class of it; keep what changes in a static field, or in an object`,
      )
  }
  const isSame =
    before !== undefined && before.steps === now && before.values.length === values.length && values.every((value, k) => Object.is(before.values[k], value))
  const version = before === undefined ? 1 : isSame ? before.version : before.version + 1
  if (!isSame) states.set(fn, { steps: now, values, version })
  return version
}

const isOfRealm = (fn: unknown, realm: { readonly Function: FunctionConstructor }): boolean => fn instanceof realm.Function

/** Its prototype is another `Function.prototype`, not one that somebody put there. */
const isOfOtherContext = (fn: AnyFunction): boolean => {
  for (let at: unknown = Object.getPrototypeOf(fn); typeof at === 'function' || (typeof at === 'object' && at !== null); at = Object.getPrototypeOf(at))
    if (at !== Object.prototype && (at as { readonly constructor?: { readonly name?: unknown } }).constructor?.name === 'Function') return true
  return false
}

/** A function without what was added to it. */
interface Parts {
  readonly template: FunctionTemplate
  readonly values: readonly unknown[]
  /** What messages call each value. */
  readonly names: readonly string[]
  readonly place: () => string
}

/** A function or a class. Throws a refusal that says what is wrong with it. */
export const takeFunction = (fn: AnyFunction, session: Session, id: string): Capsule => {
  if (types.isProxy(fn)) throw captureRefusal('is a Proxy of a function, whose traps stay behind; pass the function itself')
  const text = textOf(fn)
  if (isNativeText(text)) return takeNative(fn)
  let parts: Parts | undefined = partsOfRevived(fn)
  if (parts === undefined) {
    const view = viewOf(fn as never, session.moduleScopes)
    // Asked before the list of all scripts is: Node's own functions are of scripts that nothing tells of.
    const named = view !== undefined && isUnknown(view) ? takeNamed(fn) : undefined
    if (named !== undefined) return named
    const url = view === undefined ? undefined : urlOfView(view)
    const foreign = takeForeign(fn, view, url) ?? (hasInspector() ? undefined : takeNamed(fn))
    if (foreign !== undefined) return foreign
    if (!isOfRealm(fn, globalThis) && !isOfRealm(fn, outermost()) && isOfOtherContext(fn))
      throw captureRefusal('is a function of another context (node:vm), whose globals are others; make it here')
    parts = partsOf({ fn, text, view, url: url ?? rootNow()?.file ?? '', session })
  }
  const { template, values, names, place } = parts
  const { steps, values: more, names: moreNames } = stepsOf(fn, template)
  const whole: FunctionTemplate = steps.length === 0 ? template : { ...template, steps }
  const said = (k: number): string => {
    const name = k < names.length ? names[k] : moreNames[k - names.length]
    return `${inParentheses(place())}, which captures ${name}`
  }
  const all = [...values, ...more]
  const capsule = capsuleOf(whole, all, said, id === '' ? '' : `${id}@${stateOf(fn, whole, all)}`)
  const root = rootNow()
  if (root?.fn === fn) root.capsule = capsule
  return capsule
}

const partsOf = (about: About): Parts => {
  const { text, view, url } = about
  const facts = factsOf(text)
  if (typeof facts === 'string') throw captureRefusal(`has a text that cannot be understood (${facts})`)
  const at = startOf(view, text, facts)
  // Looked up where a message has it: source maps take their time.
  const place = (): string => placeText(url, at.line, at.column)
  try {
    return partsAt(about, facts, { ...at, place })
  } catch (refusal) {
    return failCapture(refusal, inParentheses(place()))
  }
}

const inParentheses = (place: string): string => (place === '' ? '' : ` (${place})`)

interface At {
  readonly line: number
  readonly column: number
  readonly place: () => string
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
  const { names, values, boxed, assigned, constants, self, imports } = surroundings
  let written = parts?.text ?? text
  if (facts.form === 'member' && facts.key !== undefined && facts.key !== null) written = withKey(written, facts.key)
  for (const { start, end } of facts.importMeta) written = written.slice(0, start) + META.padEnd(end - start) + written.slice(end)
  if (boxed.length > 0) written = boxNames(written, [...boxed])
  const base = parts?.base === undefined ? [] : [parts.base]
  const privates = parts?.privates ?? new Map<string, unknown>()
  const template: FunctionTemplate = {
    kind: 'function',
    name: nameOf(fn),
    text: written,
    form: facts.form !== 'member' ? 'expression' : facts.kind === 'getter' ? 'get' : facts.kind === 'setter' ? 'set' : 'value',
    isClass,
    url: parentOf(url),
    line: at.line,
    column: at.column,
    isStrict: facts.isStrict || isStrictAround(fn, facts.kind, surroundings.module),
    names,
    assigned,
    constants,
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

/** A member under a plain name: its own key may be an expression, which was evaluated where it stood. */
const withKey = (text: string, { start, end }: RangeRecord): string => {
  const inBrackets = text[start - 1] === '['
  const [from, to] = inBrackets ? [start - 1, text.indexOf(']', end) + 1] : [start, end]
  const before = text.slice(0, from)
  const key = `${/[\w$]$/.test(before) ? ' ' : ''}${MEMBER}`
  return before + key.padEnd(to - from) + text.slice(to)
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
const isStrictAround = (fn: AnyFunction, kind: string, module: ModuleAnalysis | undefined): boolean => {
  // V8 lets nobody ask strict functions for their caller, nor any that is no plain `function`.
  if (kind === 'function' && !types.isAsyncFunction(fn) && !types.isGeneratorFunction(fn)) {
    try {
      return (fn as { readonly caller?: unknown }).caller === fn
    } catch {
      return true
    }
  }
  return module === undefined || module.isStrict || module.isModule
}
