/** Makes values of capsules again: functions, classes, and what both ends have. */

import { createRequire } from 'node:module'
import type { Unfinished } from '../codec/capsules.ts'
import { SerializationError } from '../errors/errors.ts'
import type { ObjectRef } from '../refs/object-ref.ts'
import { classHere } from './classes.ts'
import { makeCodec } from './codecs.ts'
import { factoryOf, type Made, metaOf } from './compile.ts'
import { globalAt } from './globals.ts'
import { beginRemoteClass, makeActor, makeHandle, makeRemoteClass } from './handle.ts'
import { importedValue } from './imports.ts'
import { beginObject, defineProperty, makeObject } from './objects.ts'
import { keepThing, versionOf } from './origins.ts'
import { fromRecord } from './project.ts'
import { rememberTemplate } from './references.ts'
import { noteRevived } from './revived.ts'
import type { FunctionTemplate, Import, Template } from './template.ts'
import { viteImporter } from './vite.ts'

type AnyFunction = (...args: never[]) => unknown

const NONE: readonly unknown[] = Object.freeze([])

/** Templates as they came, parsed once. */
const templates = new Map<string, Template>()
const TEMPLATES_MAX = 10_000

export const templateOf = (text: string): Template => {
  let template = templates.get(text)
  if (template === undefined) {
    template = fromRecord(text)
    if (templates.size >= TEMPLATES_MAX) templates.clear()
    templates.set(text, template)
  }
  return template
}

/** Makes the value of a capsule. Throws `NotLoaded` where a module has to be imported first. */
export const makeValue = (text: string, values: readonly unknown[], id: string): unknown => {
  const template = templateOf(text)
  switch (template.kind) {
    case 'function':
      return makeFunction(template, values, id)
    case 'global':
      return globalAt(template.path)
    case 'import':
      return importedValue(template.from)
    case 'symbol':
      return template.how === 'shared' ? Symbol.for(template.text ?? '') : localSymbol(id, template.text)
    case 'bound': {
      const [target, self, args] = values as [AnyFunction, unknown, unknown[]]
      return target.bind(self as never, ...(args as never[]))
    }
    case 'promisified': {
      const { promisify } = createRequire(import.meta.url)('node:util') as typeof import('node:util')
      return promisify(values[0] as (...args: unknown[]) => void)
    }
    case 'object':
      return makeObject(template, values)
    case 'require':
      return createRequire(new URL(template.parent))
    case 'importer':
      return rememberTemplate(viteImporter(template.parent), template)
    case 'meta': {
      const [env] = values
      return rememberTemplate({ ...metaOf(template.parent), ...(env !== undefined && { env: { ...process.env, ...env } }) }, template, values)
    }
    case 'class':
      return classHere(template.key)
    case 'codec':
      return makeCodec(template.key, values)
    case 'task':
      return values
    case 'remote':
      return makeHandle(template, values)
    case 'actor':
      return makeActor(template.classId, values[0] as ObjectRef)
    case 'remote-class':
      return makeRemoteClass(values)
  }
}

const makeFunction = (template: FunctionTemplate, values: readonly unknown[], id: string): AnyFunction => {
  const imports = template.imports.length === 0 ? NONE : template.imports.map(bindingOf)
  const count = template.names.length
  const base = template.extends ? values[count] : undefined
  const made = factoryOf(template, false)({ values: values.length === count ? values : values.slice(0, count), imports, base })
  finish({ template, made, values, id })
  return made.fn
}

/** What an import's name means in a text. */
const bindingOf = (from: Import): unknown => {
  if (from.isLive !== true) return importedValue(from)
  const namespace = importedValue({ ...from, path: [] }) as Record<string, unknown>
  const [name = ''] = from.path
  return Object.freeze({
    get v(): unknown {
      return namespace[name]
    },
  })
}

/** Classes that were made here, and of which state of theirs. */
const setters = new WeakMap<object, { version: number; readonly made: Made }>()

/** A class that is here came along again: its static state is that of now, where it was made elsewhere. */
export const refreshValue = (value: object, text: string, values: readonly unknown[], id: string): void => {
  const known = setters.get(value)
  const version = versionOf(id)
  const template = templateOf(text)
  if (known === undefined || known.version >= version || template.kind !== 'function') return
  known.version = version
  applyState({ template, made: known.made, values })
}

/** A stand-in for the class that a class in a ring extends: it is there when the ring is closed. */
const Later = class {}

/** Makes a function whose captured values refer to it: they come later. */
export const beginValue = (text: string, id: string): Unfinished => {
  const template = templateOf(text)
  if (template.kind === 'object') return beginObject(template)
  if (template.kind === 'remote-class') return beginRemoteClass()
  if (template.kind !== 'function') throw new SerializationError('damaged bytes: something that refers to itself and is no function')
  const imports = template.imports.length === 0 ? NONE : template.imports.map(bindingOf)
  const made = factoryOf(template, true)({ values: [], imports, base: Later })
  return {
    value: made.fn,
    finish: (values) => {
      made.set?.(...values.slice(0, template.names.length))
      if (template.extends) inherit(made.fn, values[template.names.length] as AnyFunction | null)
      finish({ template, made, values, id })
    },
  }
}

const inherit = (fn: AnyFunction, base: AnyFunction | null): void => {
  Object.setPrototypeOf(fn, base ?? Function.prototype)
  Object.setPrototypeOf(fn.prototype, base === null ? null : (base.prototype as object))
}

interface Finishing {
  readonly template: FunctionTemplate
  readonly made: Made
  readonly values: readonly unknown[]
  readonly id: string
}

/** Gives a function what it has beside its text. */
const finish = ({ template, made, values, id }: Finishing): void => {
  const { fn, read } = made
  noteRevived(fn, { template, values, read })
  if (typeof fn.name === 'string' && fn.name !== template.name && Object.getOwnPropertyDescriptor(fn, 'name')?.configurable === true)
    Object.defineProperty(fn, 'name', { value: template.name, configurable: true })
  applyState({ template, made, values })
  if (id !== '') {
    keepThing(id, fn)
    setters.set(fn, { version: versionOf(id), made })
  }
}

const localSymbol = (id: string, description: string | undefined): symbol => {
  const symbol = Symbol(description)
  keepThing(id, symbol)
  return symbol
}

const CLOSE: Readonly<Record<'closed' | 'sealed' | 'frozen', (value: object) => unknown>> = {
  closed: Object.preventExtensions,
  sealed: Object.seal,
  frozen: Object.freeze,
}

/** Private static fields, own properties, what it inherits from. */
const applyState = ({ template, made: { fn, fill }, values }: Omit<Finishing, 'id'>): void => {
  let at = template.names.length + (template.extends ? 1 : 0)
  const given = at + template.privates.length
  fill?.(...values.slice(at, given))
  at = given
  for (const step of template.steps) {
    if (step.at === 'parent') Object.setPrototypeOf(fn, values[at++] as object)
    else if (step.at === 'base') Object.setPrototypeOf(fn.prototype, (values[at++] as AnyFunction).prototype as object)
    else if ('what' in step) CLOSE[step.at](step.what === 'own' ? fn : (fn.prototype as object))
    else if (step.at === 'deleted') delete (fn.prototype as Record<string, unknown>)[step.key]
    else at = defineProperty(step.at === 'own' ? fn : (fn.prototype as object), step.property, { values, at })
  }
}
