/** What the addon says of functions agrees with V8: where each begins, which names it leaves open, and what boxed text does. */

import { Session } from 'node:inspector'
import { runInThisContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { analyzeFunction, analyzeModule, boxNames } from '../src/binding.ts'

const text = (fn: unknown): string => Function.prototype.toString.call(fn)

/** Where V8 says that a function begins, counted from the beginning of its text. */
const startOf = (source: string): { text: string; at: number } => {
  const session = new Session()
  session.connect()
  try {
    const holder = globalThis as { subject?: unknown }
    holder.subject = runInThisContext(source, 'subject.js')
    let at = Number.NaN
    session.post('Runtime.evaluate', { expression: 'subject' }, (_, evaluated) => {
      session.post('Runtime.getProperties', { objectId: evaluated.result.objectId ?? '', ownProperties: true }, (_, found) => {
        const location = found.internalProperties?.find(({ name }) => name === '[[FunctionLocation]]')?.value?.value as { columnNumber: number }
        at = location.columnNumber - source.indexOf(text(holder.subject))
      })
    })
    return { text: text(holder.subject), at }
  } finally {
    session.disconnect()
  }
}

test('functions begin where V8 says', () => {
  for (const source of [
    '(a) => 1',
    'a => 1',
    'async a => 1',
    'async (a) => 1',
    '(function (a) {})',
    '(async function* /* é😀( */ f(a) {})',
    '(class A {})',
    '(class A { a = 1; m() {} })',
    '(class A extends Object { m() {} constructor(a) { super() } })',
    '({ m(a) {} }).m',
    '({ async *m(a) {} }).m',
    '({ async() {} }).async',
    '({ ["é😀"](a) {} })["é😀"]',
    'Object.getOwnPropertyDescriptor({ get x() { return 1 } }, "x").get',
    'Object.getOwnPropertyDescriptor({ set x(v) {} }, "x").set',
    '(class { static async m() {} }).m',
    '(class { static m() { return new this().#p } #p() {} }).m()',
  ]) {
    const start = startOf(source)
    assert.is(analyzeFunction(start.text).paramsAt, start.at, source)
  }
})

test('a text with its free names as parameters needs nothing else', () => {
  const make = (source: string, values: Record<string, unknown>): unknown => {
    const free = analyzeFunction(source).free.map(({ name }) => name)
    return new Function(...free, `'use strict'; return (${source})`)(...free.map((name) => values[name]))
  }
  const scale = make('(x, y = k) => { const k = 3; return typeof missing + x * k + y }', { k: 2 }) as (x: number) => string
  assert.is(scale(1), 'undefined32')
})

test('functions share a box', () => {
  const box = { v: 0 }
  const make = (source: string) => new Function('count', 'k', `return (${boxNames(source, ['count'])})`)(box, 2)
  const bump = make('() => { k;\n[count] = [count + k]\n return { count } }') as () => unknown
  const reset = make('() => ({ count = 7 } = {}, typeof count)') as () => string
  assert.equal([bump(), bump(), reset(), box.v], [{ count: 2 }, { count: 4 }, 'number', 7])
  const call = make('function () { k\ncount()\nreturn count`` }') as () => unknown
  Object.assign(box, {
    v: function (this: unknown) {
      return this
    },
  })
  assert.is(call(), undefined, 'a boxed function does not see its box as this')
})

test('the tables of modules cross', () => {
  const module = analyzeModule("import a, { b as c } from 'm' with { type: 'json' }; export { a as d }; let e = 1; e = 2", false, false)
  assert.equal(
    module.imports.map(({ local, imported, attributes }) => [local, imported, attributes[0]?.value]),
    [
      ['a', 'default', 'json'],
      ['c', 'b', 'json'],
    ],
  )
  assert.equal([module.exports, module.isModule, module.reassigned], [[{ exported: 'd', local: 'a' }], true, ['e']])
  assert.equal(analyzeModule("const { x } = h(require('s')).y", false, false).requires, [{ local: 'x', specifier: 's', path: ['y', 'x'], isWrapped: true }])
})

test('what is no function is refused with what is wrong', () => {
  assert.throws(() => analyzeFunction('() => {'), /./)
  assert.throws(() => analyzeFunction(text(Math.max)), /./)
  assert.throws(() => analyzeModule('let (', true, false), /./)
})

test.run()
