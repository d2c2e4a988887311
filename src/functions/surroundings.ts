/** The names that a function uses of its surroundings: what each means, and how that travels. */

import { types } from 'node:util'
import type { FreeNameRecord, ModuleAnalysis } from '../binding.ts'
import type { Capsule } from '../codec/capsules.ts'
import { type CaptureRoot, type CaptureWishes, rootNow } from './capture-root.ts'
import type { Cell, CellSession as Session } from './cells.ts'
import { noteImported, noteModule } from './classes.ts'
import { isNodes, isRecord } from './commonjs.ts'
import { compiledText } from './compiled.ts'
import type { Standing } from './computed-keys.ts'
import { programFile } from './entry.ts'
import { isGlobalName } from './globals.ts'
import { type FunctionView, isAlone, isInModule, type Scope } from './inspector.ts'
import { importOf, isReassigned, moduleFacts, parentOf, relativeUrl } from './modules.ts'
import { capsuleOf, Reference } from './references.ts'
import { captureRefusal } from './refuse-capture.ts'
import type { Import, ReferenceTemplate } from './template.ts'
import { type ViteFile, viteEnv, viteImport, viteModule, viteName } from './vite.ts'

type AnyFunction = (...args: never[]) => unknown

/** A function, and where it stands. */
export interface About {
  readonly fn: AnyFunction
  readonly text: string
  readonly view: FunctionView | undefined
  readonly url: string
  readonly session: Session
}

/** Boxes and parts of modules, which are made anew each time. */
const standIns = new WeakSet<object>()

export const isStandIn = (value: unknown): boolean => typeof value === 'object' && value !== null && standIns.has(value)

/** The names that a function uses of its surroundings, as they are found. */
export class Surroundings {
  readonly names: string[] = []
  readonly values: unknown[] = []
  readonly boxed: string[] = []
  readonly assigned: string[] = []
  readonly constants: string[] = []
  readonly self: string[] = []
  readonly imports: Import[] = []
  readonly #about: About
  readonly #wishes: CaptureWishes
  readonly #isRoot: boolean
  #module: ModuleAnalysis | undefined | null = null
  #compiled: ViteFile | undefined | null = null

  constructor(about: About) {
    this.#about = about
    const root = rootNow()
    this.#isRoot = root?.fn === about.fn
    this.#wishes = this.#isRoot ? (root as CaptureRoot).wishes : {}
  }

  /** The names of the file, if there is one. */
  get module(): ModuleAnalysis | undefined {
    const { url, view } = this.#about
    if (this.#module === null) this.#module = view === undefined || isAlone(view) ? undefined : moduleFacts(url, view.scriptId)
    return this.#module
  }

  /** The file as a test framework or a server made it, if one did. */
  get compiled(): ViteFile | undefined {
    const { url, view } = this.#about
    const { module: facts } = this
    if (this.#compiled === null) {
      const text = view === undefined ? undefined : compiledText({ url, scriptId: view.scriptId, isInModule: isInModule(view) }, facts)
      this.#compiled = text === undefined || facts === undefined ? undefined : { text, url, facts }
    }
    return this.#compiled
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
        `uses the variable ${name} around it, and what that is cannot be seen here (Node runs without its inspector); ${this.#isRoot ? `say remote(fn, { captures: { ${name} } })` : 'pass it as an argument'}, or name an exported function by remote.module`,
      )
    }
    const found = this.#find(name)
    if (found === undefined) return
    const { at, scope } = found
    const value = this.#read(name, scope)
    if (isNodes(name, value, this.#about.url)) return
    if (this.#lookForVite(name, value, free)) return
    // One that assigns its own name is in a ring with itself.
    if (value === fn && !free.isAssigned) {
      this.self.push(name)
      return
    }
    const from = this.#import({ name, value, scope })
    if (from !== undefined) {
      const isLive = isReassigned(from)
      if (isLive) this.boxed.push(name)
      this.imports.push(isLive ? { ...from, isLive } : from)
      return
    }
    if (isPruned(value, free, this.#about)) {
      this.#takePart(name, value, free)
      return
    }
    const isConstant = free.isAssigned && this.module?.constants.includes(name) === true
    const cell = isConstant ? undefined : session.cell({ fn, view, at, name, isAssigned: free.isAssigned })
    if (cell !== undefined) {
      this.#box(name, value, cell)
      return
    }
    if (isConstant) this.constants.push(name)
    else if (free.isAssigned) this.assigned.push(name)
    this.#take(name, value)
  }

  /** Names that vite's module runner gives. False for others. */
  #lookForVite(name: string, value: unknown, free: FreeNameRecord): boolean {
    const means = viteName(name)
    const { compiled } = this
    if (means === undefined || compiled === undefined) return false
    const parent = parentOf(this.#about.url)
    if (means === 'namespace') {
      const from = viteImport(name, value, compiled)
      if (from !== undefined && this.#isElsewhere(from)) this.imports.push(from)
      else if (free.hasMembers) this.#takePart(name, value, free)
      else this.#take(name, value)
    } else if (means === 'importer') this.#takeReference(name, capsuleOf({ kind: 'importer', parent }))
    else this.#takeReference(name, capsuleOf({ kind: 'meta', parent }, free.members.includes('env') ? [viteEnv(value)] : [], ['.env']))
    return true
  }

  #takeReference(name: string, capsule: Capsule): void {
    const reference = new Reference(capsule)
    standIns.add(reference)
    this.#take(name, reference)
  }

  /** Of a module as a whole what is used of it. */
  #takePart(name: string, value: unknown, { members }: FreeNameRecord): void {
    const part = Object.fromEntries(members.map((key) => [key, (value as Record<string, unknown>)[key]]))
    standIns.add(part)
    this.#take(name, part)
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

  /** What a name in a computed key means, and whether it did so from the beginning. */
  standing(name: string): Standing {
    const { view } = this.#about
    const found = view === undefined ? undefined : this.#find(name)
    if (found === undefined)
      return { value: isGlobalName(name) ? Object.getOwnPropertyDescriptor(globalThis, name)?.value : undefined, isCertain: 'with its properties' }
    const { scope } = found
    const value = this.#read(name, scope)
    if (this.#import({ name, value, scope }) !== undefined) return { value, isCertain: 'with its properties' }
    const { module } = this
    const isConstant = module?.constants.includes(name) === true || (scope.description === 'Module' && module?.reassigned.includes(name) === false)
    return { value, isCertain: isConstant ? 'itself' : 'not' }
  }

  /** Notes what the file imports: the same values may be met under other names, and inside of others. */
  noteImports(): void {
    const { view, url, session } = this.#about
    const { module } = this
    if (view === undefined || module === undefined || session.files.has(url)) return
    session.files.add(url)
    const { compiled } = this
    for (const { object, description } of view.scopes) {
      const isModuleScope = description === 'Module'
      if (compiled !== undefined && description !== 'Global') this.#noteVite(object, compiled)
      if (!isModuleScope && !description.startsWith('Closure')) continue
      for (const { local } of [...module.imports, ...module.requires]) {
        const value = valueIn(object, local)
        if (!isThing(value)) continue
        const from = importOf(module, url, { name: local, value, isModuleScope, isInModule: isInModule(view) })
        if (from === undefined || !this.#isElsewhere(from)) continue
        session.imported.set(value, () => ({ kind: 'import', from }))
        if (from.specifier.includes('?')) noteImported(from, value)
      }
    }
  }

  /** The same of what vite's names stand for. */
  #noteVite(scope: Readonly<Record<string, unknown>>, file: ViteFile): void {
    const { imported } = this.#about.session
    for (const name of Object.keys(scope)) {
      const value = viteName(name) === 'namespace' ? valueIn(scope, name) : undefined
      const module = value === undefined ? undefined : viteModule(name, file)
      if (module === undefined) continue
      noteModule(module.target, value as Readonly<Record<string, unknown>>)
      // Looked into where one of them is met.
      const refer = (path: readonly string[]) => (): ReferenceTemplate | undefined => {
        const from = viteImport(name, value, file)
        return from === undefined || !this.#isElsewhere(from) ? undefined : { kind: 'import', from: { ...from, path } }
      }
      imported.set(value, refer([]))
      for (const key of module.names) {
        const member = memberOf(value, key)
        if (isThing(member)) imported.set(member, refer([key]))
      }
    }
  }

  #find(name: string): { at: number; scope: Scope } | undefined {
    const { scopes } = this.#about.view as FunctionView
    for (let at = 0; at < scopes.length; at++) {
      const scope = scopes[at] as Scope
      if (!Object.hasOwn(scope.object, name)) continue
      if (scope.description === 'Global' && isGlobalName(name) && !isDeclared(scope.object, name)) return undefined
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
    const { url, view } = this.#about
    const facts = this.module
    if (facts === undefined) return undefined
    const from = importOf(facts, url, { name, value, isModuleScope, isInModule: isInModule(view as FunctionView) }) ?? this.#exported(name)
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
    standIns.add(cell.box)
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

/** What has an identity, by which it is known again. */
const isThing = (value: unknown): value is object | symbol =>
  (typeof value === 'object' && value !== null) || typeof value === 'function' || typeof value === 'symbol'

/** Namespaces of vite's have accessors, which throw where the module has not run yet. */
const memberOf = (namespace: unknown, key: string): unknown => {
  try {
    return (namespace as Readonly<Record<string, unknown>>)[key]
  } catch {
    return undefined
  }
}

/** Functions and `var`s at the top of evaluated code are properties of the global object, which nobody can take away. */
const isDeclared = (global: object, name: string): boolean => {
  const { configurable, writable } = Object.getOwnPropertyDescriptor(global, name) ?? {}
  return configurable === false && writable === true
}

/** Of a module as a whole only what is used of it travels. */
const isPruned = (value: unknown, free: FreeNameRecord, { url, view }: About): boolean => {
  if (!free.hasMembers || free.isAssigned || typeof value !== 'object' || value === null) return false
  if (types.isModuleNamespaceObject(value) || (!isInModule(view as FunctionView) && isRecord(free.name, value, url))) return true
  return !free.isReceiver && (value as { readonly __esModule?: unknown }).__esModule === true
}
