/** Programs that make a closure: nested scopes of all sorts, and in them data, functions, classes and variables that are shared. */

/** Numbers that decide: used up, they are 0, which is the simplest of each choice. So a shorter tape is a smaller program. */
export type Tape = readonly number[]

export interface Program {
  /** What stands at the top, in order. */
  readonly declarations: readonly string[]
  /** The closure, a function of one number. */
  readonly closure: string
  /** What stands below it. */
  readonly below: readonly string[]
}

type Kind = 'num' | 'cell' | 'list' | 'record' | 'map' | 'text' | 'fn' | 'later' | 'count' | 'pair' | 'class' | 'secret' | 'instance' | 'shared'

interface Name {
  readonly name: string
  readonly kind: Kind
}

/** A function of a number for the text, as a script or a function's body has it. */
export const asExpression = ({ declarations, closure, below }: Program): string =>
  `(() => {\n${[...declarations, `const made = ${closure}`, ...below, 'return made'].join('\n')}\n})()`

export const asModule = ({ declarations, closure, below }: Program): string =>
  [`import { posix } from 'node:path'`, ...declarations, `export const made = ${closure}`, ...below, ''].join('\n')

export const asCommonModule = ({ declarations, closure, below }: Program): string =>
  [`'use strict'`, `const { posix } = require('node:path')`, ...declarations, `exports.made = ${closure}`, ...below, ''].join('\n')

/** `imports`: the program may use `posix` of node:path. */
export const program = (tape: Tape, imports: boolean): Program => new Maker(tape, imports).body([], 3)

class Maker {
  readonly #tape: Tape
  readonly #imports: boolean
  #at = 0
  #made = 0

  constructor(tape: Tape, imports: boolean) {
    this.#tape = tape
    this.#imports = imports
  }

  /** Declarations, and a closure over them or over those of a scope inside. */
  body(outer: readonly Name[], depth: number): Program {
    const names = [...outer]
    const below: Name = { name: this.#fresh('below'), kind: 'num' }
    const declarations: string[] = []
    for (let k = this.#next(6); k > 0; k--) declarations.push(this.#declaration(names, below))
    const closure = depth > 0 && this.#next(4) > 0 ? this.#inside(names, depth - 1) : this.#closure([...names, below])
    return { declarations, closure, below: [`const ${below.name} = ${this.#literal()}`] }
  }

  #next(below: number): number {
    return (this.#tape[this.#at++] ?? 0) % below
  }

  #pick<T>(all: readonly [T, ...T[]]): T {
    return all[this.#next(all.length)] as T
  }

  #fresh(prefix: string): string {
    return `${prefix}${this.#made++}`
  }

  /** A name of one of these kinds that can be seen. */
  #seen(names: readonly Name[], ...kinds: Kind[]): string | undefined {
    const fit = names.filter(({ kind }) => kinds.includes(kind))
    return fit.length === 0 ? undefined : (fit[this.#next(fit.length)] as Name).name
  }

  #literal(): string {
    return this.#pick(['1', '2', '7', '-3', '0.5', '100', '0', '-0', '1e9'])
  }

  #declaration(names: Name[], below: Name): string {
    const add = (kind: Kind): string => {
      const name = this.#fresh(kind)
      names.push({ name, kind })
      return name
    }
    // What it is made of may not use it.
    const before = [...names]
    const number = (): string => this.#number(before, 2)
    switch (this.#next(16)) {
      case 0:
        return `const ${add('num')} = ${number()}`
      case 1:
        return `let ${add('num')} = ${number()}`
      case 2:
        return `const ${add('text')} = \`t\${${number()}}\``
      case 3:
        return `const ${add('list')} = [${number()}, ${number()}, ${number()}]`
      case 4:
        return `const ${add('record')} = { a: ${number()}, b: [${number()}], c: { d: ${this.#seen(before, 'list', 'record', 'map', 'text') ?? 'null'} } }`
      case 5:
        return `const ${add('map')} = new Map([['k', ${number()}], [${this.#seen(before, 'list', 'record') ?? '1'}, ${number()}]])`
      case 6:
        return `const ${add('fn')} = (x) => ${this.#number([...before, { name: 'x', kind: 'num' }], 3)}`
      case 7: {
        const name = add('fn')
        return `function ${name}(x, y = ${this.#literal()}) { const z = x * 2; return ${this.#number([...before, ...nums('x', 'y', 'z')], 3)} }`
      }
      case 8: {
        const name = add('later')
        return `const ${name} = function (x) { return ${this.#number([...before, ...nums('x'), below], 3)} + ${below.name} }`
      }
      case 9: {
        const name = add('count')
        return `function ${name}(n) { return n <= 0 ? ${number()} : 1 + ${name}(n - 1) }`
      }
      case 10: {
        const name = add('pair')
        return `const ${name} = (n) => n <= 0 ? ${number()} : ${name}b(n - 1)\nconst ${name}b = (n) => n <= 0 ? ${number()} : ${name}(n - 1)`
      }
      case 11: {
        const name = add('shared')
        return `let ${name}n = ${number()}\nconst ${name} = { bump: (x) => { ${name}n += x; return ${name}n }, read: () => ${name}n }`
      }
      case 12: {
        const base = this.#seen(before, 'class')
        const name = add('class')
        const method = `m(y) { return ${this.#number([...before, ...nums('y')], 2)} + this.v${base === undefined ? '' : ' + super.m(y)'} }`
        const rest = `f = ${number()}\n  get g() { return this.v * 2 }\n  ${method}\n  static s = ${number()}`
        return `class ${name} ${base === undefined ? '' : `extends ${base} `}{\n  constructor(v) { ${base === undefined ? '' : 'super(v); '}this.v = v }\n  ${rest}\n}`
      }
      case 13: {
        const name = add('secret')
        return `class ${name} {\n  #p = ${number()}\n  constructor(v) { this.#p += v }\n  #q(y) { return this.#p * y }\n  m(y) { return this.#q(y) + ${this.#number([...before, ...nums('y')], 2)} }\n}`
      }
      case 14: {
        const base = this.#seen(before, 'class')
        return base === undefined ? `const ${add('num')} = ${number()}` : `const ${add('instance')} = new ${base}(${number()})`
      }
      default: {
        const changed = this.#seen(before, 'class')
        const cell = this.#seen(before, 'shared')
        if (changed !== undefined) return `${changed}.s = ${number()}`
        return cell === undefined ? `const ${add('num')} = ${number()}` : `${cell}.bump(${number()})`
      }
    }
  }

  /** An expression for a number; what stands after the first is there only if the tape goes on. */
  #number(names: readonly Name[], depth: number): string {
    const simple = (): string => this.#seen(names, 'num') ?? this.#literal()
    if (depth === 0) return simple()
    const inner = (): string => this.#number(names, depth - 1)
    const of = (kinds: readonly Kind[], text: (name: string) => string): string => {
      const name = this.#seen(names, ...kinds)
      return name === undefined ? simple() : text(name)
    }
    switch (this.#next(18)) {
      case 0:
        return this.#literal()
      case 1:
      case 2:
        return simple()
      case 3:
        return `(${inner()} ${this.#pick(['+', '-', '*', '%', '&', '>>'])} ${inner()})`
      case 4:
        return `(${inner()} > ${inner()} ? ${inner()} : ${inner()})`
      case 5:
        return of(['list', 'text'], (name) => `${name}.length`)
      case 6:
        return of(['list'], (name) => `${name}.reduce((a, b) => a + b * ${inner()}, 0)`)
      case 7:
        return of(['record'], (name) => `(${name}.a + ${name}.b[0])`)
      case 8:
        return of(['map'], (name) => `(${name}.get('k') + ${name}.size)`)
      case 9:
      case 10:
        return of(['fn'], (name) => `${name}(${inner()})`)
      case 11:
        return of(['count', 'pair'], (name) => `${name}((${inner()} | 0) & 7)`)
      case 12:
        return of(['class', 'secret'], (name) => `new ${name}(${inner()}).m(${inner()})`)
      case 13:
        return of(['class'], (name) => `(${name}.s + new ${name}(${inner()}).g)`)
      case 14:
        return of(['instance'], (name) => `(${name}.m(${inner()}) + ${name}.f)`)
      case 15:
        return of(['shared'], (name) => `${name}.read()`)
      case 16: {
        // A name that hides others.
        const hidden = this.#seen(names, 'num') ?? 'h'
        return `((${hidden}) => ${this.#number([...names.filter(({ name }) => name !== hidden), ...nums(hidden)], depth - 1)})(${inner()})`
      }
      default:
        return this.#imports ? `posix.join('a', String(${inner()})).length` : `Math.max(${inner()}, ${inner()})`
    }
  }

  /** A scope of some sort around declarations and a closure. */
  #inside(names: readonly Name[], depth: number): string {
    const p = this.#fresh('p')
    const q = this.#fresh('q')
    const number = (): string => this.#number(names, 1)
    const code = (...more: string[]): string => {
      const { declarations, closure, below } = this.body([...names, ...nums(...more)], depth)
      const made = this.#fresh('made')
      return [...declarations, `const ${made} = ${closure}`, ...below, `return ${made}`].join('\n')
    }
    switch (this.#next(10)) {
      case 0:
        return `(() => {\n${code()}\n})()`
      case 1:
        return `((${p}, { a: ${q} = ${this.#literal()} }) => {\n${code(p, q)}\n})(${number()}, {})`
      case 2:
        return `(function (...[${p}, ${q}]) {\n${code(p, q)}\n})(${number()}, ${number()})`
      case 3:
        return `(() => {\n{\n${code()}\n}\n})()`
      case 4:
        return `(() => {\nconst all = []\nfor (let ${p} = 0; ${p} < 3; ${p}++) all.push((() => {\n${code(p)}\n})())\nreturn all[${this.#next(3)}]\n})()`
      case 5:
        return `(() => {\nfor (const [${p}, ${q}] of [[${number()}, ${number()}]]) {\n${code(p, q)}\n}\n})()`
      case 6:
        return `(() => {\ntry {\nthrow { n: ${number()} }\n} catch ({ n: ${p} }) {\n${code(p)}\n}\n})()`
      case 7:
        return `(() => {\nswitch (1) {\ncase 1:\n${code()}\n}\n})()`
      case 8:
        return `new (class {\nmake(${p}) {\n${code(p)}\n}\n})().make(${number()})`
      default:
        return `({ make(${p}, ${q} = ${number()}) {\n${code(p, q)}\n} }).make(${number()})`
    }
  }

  #closure(names: readonly Name[]): string {
    const own = [...names, ...nums('x')]
    const parts = Array.from({ length: 1 + this.#next(4) }, () => this.#part(own)).join(', ')
    switch (this.#next(7)) {
      case 0:
        return `(x) => [${parts}]`
      case 1:
        return `function (x) { return [${parts}] }`
      case 2:
        return `async (x) => { await null; return [${parts}] }`
      case 3:
        return `({ method(x) { return [${parts}] } }).method`
      case 4:
        return `(function (_, x) { return [${parts}] }).bind(null, 1)`
      case 5:
        return `function own(x) { if (x > 1) return [...own(1), x]; return [${parts}] }`
      default:
        return `(x) => { const y = ${this.#number(own, 2)}; return { y, parts: [${parts}], again: [1, 2].map((x) => x * y) } }`
    }
  }

  #part(names: readonly Name[]): string {
    const later = this.#seen(names, 'later')
    const cell = this.#seen(names, 'shared')
    const instance = this.#seen(names, 'instance')
    const Class = this.#seen(names, 'class')
    switch (this.#next(8)) {
      case 0:
      case 1:
        return this.#number(names, 3)
      case 2:
        return this.#seen(names, 'list', 'record', 'map', 'text') ?? this.#number(names, 3)
      case 3:
        return later === undefined ? this.#number(names, 3) : `${later}(${this.#number(names, 2)})`
      case 4:
        return cell === undefined ? this.#number(names, 3) : `${cell}.bump(${this.#number(names, 1)}), ${cell}.read()`
      case 5:
        return instance ?? this.#number(names, 3)
      case 6:
        return Class === undefined ? this.#number(names, 3) : `new ${Class}(${this.#number(names, 1)})`
      default:
        return instance === undefined || Class === undefined ? this.#number(names, 3) : `${instance} instanceof ${Class}`
    }
  }
}

const nums = (...names: readonly string[]): Name[] => names.map((name) => ({ name, kind: 'num' }))
