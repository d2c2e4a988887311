/** Takes a function apart: its text, where it stood, and what it uses of its surroundings. What is proved of this, and what it costs, is in docs/functions.md. */

import { pathToFileURL } from 'node:url'
import { types } from 'node:util'
import { boxNames, type ClassRecord, type FreeNameRecord, type FunctionAnalysis, type ModuleAnalysis } from '../binding.ts'
import { type Capsule, Taken } from '../codec/capsules.ts'
import { failCapture, type Refusal } from '../codec/refusal.ts'
import { classParts } from './capture-class.ts'
import type { Cell, CellSession as Session } from './cells.ts'
import { programFile } from './entry.ts'
import { factsOf, isNativeText, textOf } from './facts.ts'
import { builtinExport, globalPath, isGlobalName } from './globals.ts'
import { boundOf, type FunctionView, type Scope, urlOfScript, viewOf } from './inspector.ts'
import { importOf, moduleFacts, packageExport, parentOf, relativeUrl } from './modules.ts'
import { placeText } from './place.ts'
import { captureRefusal } from './refuse-capture.ts'
import { partsOfRevived } from './revived.ts'
import { stepsOf } from './steps.ts'
import { type FunctionTemplate, type Import, META, type Template } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

/** What a user says about one function's captures. */
export interface CaptureWishes {
  /** Values of names around the function, instead of those that are there. */
  readonly captures?: Readonly<Record<string, unknown>> | undefined
  /** Modules whose exports travel by value. */
  readonly byValue?: readonly string[] | undefined
  /** Modules whose own functions and classes are imported by workers. */
  readonly byReference?: readonly string[] | undefined
}

/** The function whose captures are asked for, while it is encoded. */
export interface CaptureRoot {
  readonly fn: AnyFunction
  readonly wishes: CaptureWishes
  /** What the function came to, when it was taken apart. */
  capsule?: Capsule
  /** Nothing is to be stored for what else it takes along: it is only asked what that would be. */
  readonly isDry?: boolean
}

let root: CaptureRoot | undefined

/** What is encoded in `write` is `fn` and all that it takes along. */
export const withRoot = <T>(next: CaptureRoot, write: () => T): T => {
  const before = root
  root = next
  try {
    return write()
  } finally {
    root = before
  }
}

/** Something that both ends have, in the place of the value: the receiver looks it up. */
export class Reference extends Taken {
  readonly capsule: Capsule
  constructor(capsule: Capsule) {
    super()
    this.capsule = capsule
  }
}

export const capsuleOf = (template: Template, values: readonly unknown[] = [], steps: readonly string[] = [], id = ''): Capsule => ({
  template: JSON.stringify(template),
  values,
  steps,
  id,
})

/** What stands for a value that is the language's, Node's or a package's. */
const referenceFor = (value: object): Capsule | undefined => {
  const path = globalPath(value)
  if (path !== undefined) return capsuleOf({ kind: 'global', path })
  const builtin = builtinExport(value)
  const parent = parentOf('')
  if (builtin !== undefined) {
    const exported = capsuleOf({ kind: 'import', from: { local: '', how: 'require', specifier: builtin.module, parent, path: builtin.path } })
    return builtin.isPromisified ? capsuleOf({ kind: 'promisified' }, [new Reference(exported)], ['']) : exported
  }
  const exported = packageExport(value)
  return exported === undefined
    ? undefined
    : capsuleOf({ kind: 'import', from: { local: '', how: 'require', specifier: exported.file, parent, path: exported.path } })
}

/** Objects of the language's, Node's and packages' that have functions: they are nobody's data. */
export const takeShared = (value: object): Capsule | undefined => (mayBeShared(value) ? referenceFor(value) : undefined)

/** So many properties of an object are looked at before it is taken for data. */
const LOOKED_AT = 8

/** Asking whether something is shared takes a millisecond the first time, which data should not cost. */
const mayBeShared = (value: object): boolean => {
  if (types.isModuleNamespaceObject(value) || value === globalThis || value === process || value === process.env) return true
  if (Array.isArray(value) || types.isProxy(value)) return false
  if (Object.getOwnPropertyDescriptor(value, Symbol.toStringTag) !== undefined) return true
  const names = Object.getOwnPropertyNames(value)
  for (let k = 0; k < names.length && k < LOOKED_AT; k++) {
    const descriptor = Object.getOwnPropertyDescriptor(value, names[k] as string) as PropertyDescriptor
    if (typeof descriptor.value === 'function' || descriptor.get !== undefined) return true
  }
  return false
}

/** What a file of this encoding imports, met as a value. */
export const takeImported = (value: object, session: Session): Capsule | undefined => {
  const imported = session.imported.get(value)
  return imported === undefined ? undefined : capsuleOf(imported)
}

/** The capsule of a value that is a reference, or that both ends have. */
export const takeReference = (value: unknown): Capsule | undefined => (value instanceof Reference ? value.capsule : undefined)

export const takeSymbol = (value: symbol): Capsule => {
  const shared = Symbol.keyFor(value)
  if (shared !== undefined) return capsuleOf({ kind: 'symbol', how: 'shared', text: shared })
  for (const key of Reflect.ownKeys(Symbol))
    if ((Symbol as unknown as Record<PropertyKey, unknown>)[key] === value) return capsuleOf({ kind: 'global', path: ['Symbol', String(key)] })
  return capsuleOf({ kind: 'symbol', how: 'local', text: value.description ?? '' }, [], [], idOfSymbol(value))
}

const symbols = new Map<symbol, string>()
const idOfSymbol = (value: symbol): string => {
  let id = symbols.get(value)
  if (id === undefined) {
    id = mint()
    symbols.set(value, id)
  }
  return id
}

let mint: () => string = () => ''
export const setMint = (next: () => string): void => {
  mint = next
}

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
  if (root?.fn === fn) root.capsule = capsule
  return capsule
}

/** What is encoded now, if it is a function and what it takes along. */
export const rootNow = (): CaptureRoot | undefined => root

const takeNative = (fn: AnyFunction): Capsule => {
  const reference = referenceFor(fn)
  if (reference !== undefined) return reference
  const bound = boundOf(fn as never)
  if (bound === undefined)
    throw captureRefusal('is a native function, which has no text to send; call it inside of a function of your own, which imports what it comes from')
  return capsuleOf({ kind: 'bound' }, [bound.target, bound.self, bound.args], [', bound to', ', bound as this to', ', bound with the arguments '])
}

/** Functions of Node's own modules and of packages: by where they are exported. */
const takeForeign = (fn: AnyFunction, view: FunctionView | undefined, url: string | undefined): Capsule | undefined => {
  if (url === undefined || (!url.startsWith('node:') && !url.includes('/node_modules/'))) return undefined
  const reference = referenceFor(fn)
  if (reference !== undefined) return reference
  const original = url === 'node:internal/util' ? view?.scopes.find(({ object }) => Object.hasOwn(object, 'original'))?.object.original : undefined
  const file = url.startsWith('node:internal/modules') ? requiringFile(view) : undefined
  if (file !== undefined) return capsuleOf({ kind: 'require', parent: file })
  // What `util.promisify` makes: its text is Node's own, and the function that it wraps lies in its scope.
  if (typeof original === 'function') return capsuleOf({ kind: 'promisified' }, [original], [', made by util.promisify of'])
  if (url.startsWith('node:')) throw captureRefusal("is a function of Node's own that no module exports; import what it comes from inside of the function")
  return undefined
}

/** The file that a `require` function looks from: what `createRequire` made has it in its scope. */
const requiringFile = (view: FunctionView | undefined): string | undefined => {
  for (const { object } of view?.scopes ?? []) {
    const mod: unknown = Object.getOwnPropertyDescriptor(object, 'mod')?.value
    if (typeof mod !== 'object' || mod === null) continue
    const { filename } = mod as { readonly filename?: unknown }
    if (typeof filename === 'string') return pathToFileURL(filename).href
  }
  return undefined
}

/** What cannot be known of a function that stands for itself: its surroundings are somebody else's. */
const refuseShape = (facts: FunctionAnalysis): void => {
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
    url: url === '' ? parentOf('') : url,
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

interface About {
  readonly fn: AnyFunction
  readonly text: string
  readonly view: FunctionView | undefined
  readonly url: string
  readonly session: Session
}

/** The names that a function uses of its surroundings, as they are found. */
export class Surroundings {
  readonly names: string[] = []
  readonly values: unknown[] = []
  readonly boxed: string[] = []
  readonly assigned: string[] = []
  readonly self: string[] = []
  readonly imports: Import[] = []
  readonly #about: About
  readonly #wishes: CaptureWishes
  #module: ModuleAnalysis | undefined | null = null

  constructor(about: About) {
    this.#about = about
    this.#wishes = root?.fn === about.fn ? root.wishes : {}
  }

  /** The names of the file, if there is one. */
  get module(): ModuleAnalysis | undefined {
    const { url, view } = this.#about
    if (this.#module === null) this.#module = view === undefined ? undefined : moduleFacts(url, view.scriptId)
    return this.#module
  }

  get #isInModule(): boolean {
    return this.#about.view?.scopes.some(({ description }) => description === 'Module') === true
  }

  /** Finds out what a name means, and how that travels. */
  look(free: FreeNameRecord): void {
    const { name } = free
    if (this.names.includes(name)) return
    const { fn, view, session } = this.#about
    const { captures } = this.#wishes
    if (captures !== undefined && Object.hasOwn(captures, name)) {
      this.#take(name, captures[name])
      return
    }
    if (view === undefined) {
      if (isGlobalName(name) || free.isOptional) return
      throw captureRefusal(
        `uses the variable ${name} around it, and what that is cannot be seen here (Node runs without its inspector); say remote(fn, { captures: { ${name} } }), or name an exported function by remote.module`,
      )
    }
    const found = this.#find(name)
    if (found === undefined) return
    const { at, scope } = found
    if (isModuleName(name) && isCommonJs(view.scopes, at)) return
    const value = this.#read(name, scope)
    if (value === fn) {
      this.self.push(name)
      return
    }
    const from = this.#import({ name, value, scope })
    if (from !== undefined) {
      this.imports.push(from)
      return
    }
    if (isPruned(name, value, free)) {
      this.#take(name, Object.fromEntries(free.members.map((key) => [key, (value as Record<string, unknown>)[key]])))
      return
    }
    const cell = session.cell({ fn, view, at, name, isAssigned: free.isAssigned })
    if (cell !== undefined) {
      this.#box(name, value, cell)
      return
    }
    if (free.isAssigned) this.assigned.push(name)
    this.#take(name, value)
  }

  /** Takes a name of which nothing but its use in a computed key is known. False if it cannot be seen. */
  lookFor(name: string): boolean {
    if (this.names.includes(name)) return true
    const { view } = this.#about
    const found = view === undefined ? undefined : this.#find(name)
    if (found === undefined) return isGlobalName(name)
    this.#take(name, this.#read(name, found.scope))
    return true
  }

  /** Notes what the file imports: the same values may be met under other names, and inside of others. */
  noteImports(): void {
    const { view, url, session } = this.#about
    const { module } = this
    if (view === undefined || module === undefined || session.files.has(url)) return
    session.files.add(url)
    for (const { object, description } of view.scopes) {
      const isModuleScope = description === 'Module'
      if (!isModuleScope && !description.startsWith('Closure')) continue
      for (const { local } of [...module.imports, ...module.requires]) {
        const value = valueIn(object, local)
        if ((typeof value !== 'object' || value === null) && typeof value !== 'function') continue
        const from = importOf(module, url, { name: local, value, isModuleScope, isInModule: this.#isInModule })
        if (from !== undefined && this.#isElsewhere(from)) session.imported.set(value, { kind: 'import', from })
      }
    }
  }

  #find(name: string): { at: number; scope: Scope } | undefined {
    const { scopes } = this.#about.view as FunctionView
    for (let at = 0; at < scopes.length; at++) {
      const scope = scopes[at] as Scope
      if (!Object.hasOwn(scope.object, name)) continue
      if (scope.description === 'Global' && isGlobalName(name)) return undefined
      return { at, scope }
    }
    return undefined
  }

  #read(name: string, { object }: Scope): unknown {
    try {
      return object[name]
    } catch {
      throw captureRefusal(`captures ${name}, which has no value yet; call .remote() below the line that gives it one`)
    }
  }

  #import({ name, value, scope }: { name: string; value: unknown; scope: Scope }): Import | undefined {
    if (scope.description === 'Global') return undefined
    const isModuleScope = scope.description === 'Module'
    if (!isModuleScope && !scope.description.startsWith('Closure') && scope.description !== 'Script') return undefined
    const { url } = this.#about
    const facts = this.module
    if (facts === undefined) return undefined
    const from = importOf(facts, url, { name, value, isModuleScope, isInModule: this.#isInModule }) ?? this.#exported(name)
    return from !== undefined && this.#isElsewhere(from) ? from : undefined
  }

  /** Workers may import it: it is not the program's own file, which would run again, and nobody wants its value. */
  #isElsewhere({ specifier, parent }: Import): boolean {
    if ((this.#wishes.byValue ?? []).includes(specifier)) return false
    const target = relativeUrl(specifier, parent)
    return target === undefined || !programFile(target)
  }

  /** A user may say that what a file exports is imported there, not taken along. */
  #exported(name: string): Import | undefined {
    const { url } = this.#about
    const { byReference = [] } = this.#wishes
    if (!byReference.some((module) => module === url || relativeUrl(module, url) === url || `file://${module}` === url)) return undefined
    const entry = this.module?.exports.find(({ local }) => local === name)
    return entry === undefined ? undefined : { local: name, how: 'import', specifier: url, parent: url, path: [entry.exported] }
  }

  #take(name: string, value: unknown): void {
    this.names.push(name)
    this.values.push(value)
  }

  #box(name: string, value: unknown, cell: Cell): void {
    cell.box ??= { v: value }
    this.boxed.push(name)
    this.names.push(name)
    this.values.push(cell.box)
  }
}

const valueIn = (object: Readonly<Record<string, unknown>>, name: string): unknown => {
  try {
    return Object.hasOwn(object, name) ? object[name] : undefined
  } catch {
    // It has no value yet.
    return undefined
  }
}

/** What Node gives every CommonJS module. */
const isModuleName = (name: string): boolean => name === 'require' || name === '__filename' || name === '__dirname'

/** The outermost call around CommonJS code is the module itself. */
const isCommonJs = (scopes: readonly Scope[], at: number): boolean =>
  (scopes[at] as Scope).description.startsWith('Closure') && !scopes.slice(at + 1).some(({ description }) => description.startsWith('Closure'))

/** Of a module as a whole only what is used of it travels. */
const isPruned = (name: string, value: unknown, { hasMembers, isReceiver, isAssigned }: FreeNameRecord): boolean => {
  if (!hasMembers || isAssigned || typeof value !== 'object' || value === null) return false
  if (name === 'exports' || types.isModuleNamespaceObject(value)) return true
  return !isReceiver && (value as { readonly __esModule?: unknown }).__esModule === true
}
