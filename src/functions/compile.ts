/** Makes factories of function texts: each text is compiled once in a thread, at the file, line and column where it stood. */

import { createRequire, Module } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { constants, Script } from 'node:vm'
import { isOutermost } from '../codec/realm.ts'
import { guardEntry } from './entry-guard.ts'
import { noteFile } from './stacks.ts'
import { BASE, type FunctionTemplate, MEMBER, META } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

/** What a factory gives: the function, and what sets and reads what is around it where that is needed. */
export interface Made {
  readonly fn: AnyFunction
  /** In rings: gives the captured names their values. */
  readonly set?: (...values: readonly unknown[]) => void
  /** The captured names as they are now, where the function assigns some. */
  readonly read?: () => readonly unknown[]
  /** Of a class: gives its private static fields their values. */
  readonly fill?: (...fields: readonly unknown[]) => void
}

export interface MakeInput {
  /** One for each captured name; in a ring there are none yet. */
  readonly values: readonly unknown[]
  readonly imports: readonly unknown[]
  /** What a class extends. */
  readonly base: unknown
}

export type Factory = (input: MakeInput) => Made

const plain = new WeakMap<FunctionTemplate, Factory>()
const rings = new WeakMap<FunctionTemplate, Factory>()

/** The factory of a template's text; `isRing`: the function exists before its names have values. */
export const factoryOf = (template: FunctionTemplate, isRing: boolean): Factory => {
  const factories = isRing ? rings : plain
  let factory = factories.get(template)
  if (factory === undefined) {
    factory = compile(template, isRing)
    factories.set(template, factory)
  }
  return factory
}

const filePath = (url: string): string => (url.startsWith('file:') ? fileURLToPath(new URL(url)) : url)

/** A name that the text does not have. */
const holderFor = ({ text, names, imports, self }: FunctionTemplate): string => {
  let holder = '__mobula'
  while (text.includes(holder) || [...names, ...self, ...imports.map(({ local }) => local)].some((name) => name.startsWith(holder))) holder += '_'
  return holder
}

/**
 * Compiled as a CommonJS module that stands where the text stood: stacks point there, and `import()` and `require` resolve from there.
 * Captured names are parameters that nothing assigns, which V8 treats as constants; in rings they are variables, which cost more.
 */
const compile = (template: FunctionTemplate, isRing: boolean): Factory => {
  const { url, line, column, names, constants, imports, usesMeta } = template
  const path = filePath(url)
  const holder = holderFor(template)
  const params = [
    holder,
    ...(template.extends ? [BASE] : []),
    ...(usesMeta ? [META] : []),
    ...imports.map(({ local }) => local),
    ...(isRing ? [] : names.map((name) => (constants.includes(name) ? `${holder}_${name}` : name))),
  ]
  const { head, tail } = around(template, isRing, holder)
  const text = template.privates.length === 0 ? template.text : withPrivates(template, holder)
  noteFile(path)
  if (template.hasImport) guardEntry()
  const make = evaluate({ head: `(function (${params.join(', ')}) { ${head}`, text, tail: `${tail} })` }, { path, line, column, hasImport: template.hasImport })
  const meta = usesMeta ? metaOf(url) : undefined
  return ({ values, imports: found, base }) => {
    const args: unknown[] = [{}]
    if (template.extends) args.push(base)
    if (meta !== undefined) args.push(meta)
    for (let k = 0; k < found.length; k++) args.push(found[k])
    if (!isRing) for (let k = 0; k < values.length; k++) args.push(values[k])
    return make(...args)
  }
}

interface Code {
  readonly head: string
  readonly text: string
  readonly tail: string
}

interface Spot {
  readonly path: string
  readonly line: number
  readonly column: number
  readonly hasImport: boolean
}

type Make = (...args: unknown[]) => Made

// biome-ignore lint/security/noGlobalEval: Node's `vm` compiles in the outermost realm, or one made anew: this alone does in the one that it is in.
const evaluateHere: (code: string) => unknown = globalThis.eval

const evaluate = ({ head, text, tail }: Code, { path, line, column, hasImport }: Spot): Make => {
  const module = new Module(path) as Module & { _compile(code: string, path: string): void; exports: Make }
  module.filename = path
  const runWith = (wrapper: (...args: unknown[]) => Make): Make => wrapper.call(undefined, module.exports, createRequire(path), module, path, dirname(path))
  // Node compiles in its own realm. What `import()` means in evaluated code nobody could say, so there Node does it all the same.
  if (!isOutermost() && !hasImport) {
    const [above, placed] = line === 0 ? ['', text] : ['\n'.repeat(line - 1), `\n${' '.repeat(column)}${text}`]
    return runWith(
      evaluateHere(
        `${above}(function (exports, require, module, __filename, __dirname) { return ${head} ${placed}\n${tail} })\n//# sourceURL=${path}`,
      ) as never,
    )
  }
  // Before the first line of a file there is none for what comes first; `Script` can begin there, but warns on Node 20 when the text imports.
  if (line === 0 && !(hasImport && isOld)) {
    const script = new Script(`(function (exports, require, module, __filename, __dirname) { return ${head}\n${' '.repeat(column)}${text}\n${tail} })`, {
      filename: path,
      lineOffset: -1,
      ...(hasImport && { importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER as never }),
    })
    return runWith(script.runInThisContext() as (...args: unknown[]) => Make)
  }
  const placed = line === 0 ? `${head} ${text}` : `${'\n'.repeat(line - 1)}module.exports = ${head}\n${' '.repeat(column)}${text}`
  module._compile(`${line === 0 ? 'module.exports = ' : ''}${placed}\n${tail}`, path)
  return module.exports
}

const isOld = Number.parseInt(process.versions.node, 10) < 22

/** What stands before and behind the text. The function's own names around it are constants that it is bound to as it is made. */
const around = (template: FunctionTemplate, isRing: boolean, holder: string): { readonly head: string; readonly tail: string } => {
  const { isStrict, names, assigned, self, privates } = template
  const [open, close] = memberOf(template)
  const [first = `${holder}_fn`, ...others] = self
  const directive = isStrict ? "'use strict'; " : ''
  const fixed = isRing ? '' : template.constants.map((name) => `const ${name} = ${holder}_${name}; `).join('')
  const late = isRing && names.length > 0 ? `let ${names.join(', ')}; ` : ''
  const parts = [
    `fn: ${first}`,
    ...(isRing ? [`set: (...${holder}_all) => { [${names.join(', ')}] = ${holder}_all }`] : []),
    ...(assigned.length > 0 ? [`read: () => [${names.join(', ')}]`] : []),
    ...(privates.length > 0 ? [`fill: ${holder}.fill`] : []),
  ]
  const aliases = others.map((other) => `const ${other} = ${first}; `).join('')
  return { head: `${directive}${late}${fixed}const ${first} = ${open}`, tail: `${close}; ${aliases}return { ${parts.join(', ')} }` }
}

/** Gives a function without a name of its own the name it had, and takes methods out of the object that they need around them. */
const memberOf = ({ form, name }: FunctionTemplate): readonly [string, string] => {
  if (form !== 'expression') return [`Object.getOwnPropertyDescriptor({`, `}, ${JSON.stringify(MEMBER)}).${form}`]
  return [`{ [${JSON.stringify(name)}]:`, `}[${JSON.stringify(name)}]`]
}

/** Private static fields can be written inside of the class alone. */
const withPrivates = ({ text, privates }: FunctionTemplate, holder: string): string => {
  const end = text.lastIndexOf('}')
  return `${text.slice(0, end)}; static { ${holder}.fill = (...${holder}_all) => { [${privates.map((field) => `this.${field}`).join(', ')}] = ${holder}_all } }${text.slice(end)}`
}

/** `import.meta` of a file. */
export const metaOf = (url: string): object => {
  const path = filePath(url)
  const require = createRequire(path)
  const resolve = (specifier: string): string => {
    if (/^(\.{0,2}\/|[a-z][a-z+.-]*:)/i.test(specifier)) return new URL(specifier, url).href
    const found = require.resolve(specifier)
    return found.startsWith('/') ? pathToFileURL(found).href : `node:${found.replace(/^node:/, '')}`
  }
  return Object.assign(Object.create(null) as object, { dirname: dirname(path), filename: path, resolve, url })
}
