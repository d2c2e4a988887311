/** A handful of cases as the text of a program that stands in no file: for `node -e`, stdin and the REPL. */

/** Statements, each in a line: the REPL takes them one by one. */
const declarations = [
  `const k = 3`,
  `let n = 1`,
  `const table = { deep: { list: [1, 2] }, map: new Map([[1, 'one']]) }`,
  `function add(a, b) { return a + b }`,
  `const helper = (x) => add(x, k) * flat([[1], [x]]).length`,
  `class Box { #hidden = 1; constructor(x) { this.x = x } show() { return [this.x * k, this.#hidden] } }`,
  `class Plain { constructor(x) { this.x = x } twice() { return this.x * 2 } }`,
  `const made = []`,
  `for (let j = 0; j < 3; j++) made.push((x) => x * j)`,
  `const fact = remote(async (x) => x < 2 ? 1 : x * await get(fact.remote(x - 1)))`,
  `const early = remote(() => late)`,
  `const late = 'late'`,
  `const plain = new Plain(4)`,
  `n = 2`,
  `const call = (fn, ...args) => get(remote(fn).remote(...args))`,
  `const checks = []`,
  `const check = (name, expected, fn, ...args) => { checks.push([name, expected, () => call(fn, ...args)]) }`,
  `check('constants', [4, 2], (x) => [x + k, n], 1)`,
  `check('helpers and packages', 10, (x) => helper(x), 2)`,
  `check('builtins', 'b.txt', (x) => basename(x), '/a/b.txt')`,
  `check('data', ['one', 2], () => [table.map.get(1), table.deep.list.length])`,
  `check('a class', [6, 1], (x) => new Box(x).show(), 2)`,
  `check('an instance', [true, 8], () => [plain instanceof Plain, plain.twice()])`,
  `check('a result', 10, async () => (await get(remote((x) => new Plain(x)).remote(5))).twice())`,
  `check('a nested task', [3, 7], async (x) => get(remote((y) => [k, x + y]).remote(4)), 3)`,
  `check('import()', '/a', async () => (await import('node:path')).dirname('/a/b'))`,
  `made.forEach((fn, j) => check('loop ' + j, 5 * j, fn, 5))`,
  `checks.push(['recursion', 24, () => get(fact.remote(4))])`,
  `checks.push(['declared below', 'late', () => get(early.remote())])`,
  `checks.push(['an instance back', true, async () => (await call((x) => new Plain(x), 1)) instanceof Plain])`,
  `checks.push(['a refusal', true, async () => { const held = { it: Promise.resolve(1) }; try { remote(() => held.it).remote() } catch (error) { return error instanceof CaptureError && error.message.includes('held.it') } }])`,
  `checks.push(['a snapshot', [2, 2], async () => { const f = remote(() => n); const ref = f.remote(); n = 9; return get([ref, f.remote()]) }])`,
]

const finish = `
const runAll = async () => {
  console.log()
  let passed = 0
  for (const [name, expected, run] of checks) {
    const problem = await Promise.resolve().then(run).then((got) => isDeepStrictEqual(got, expected) ? undefined : JSON.stringify(got), (error) => String(error && error.stack).split('\\n').slice(0, 3).join(' | '))
    if (problem === undefined) passed += 1
    else console.log('FAILED ' + name + ': ' + problem)
  }
  await shutdown()
  console.log(passed + ' of ' + checks.length)
  process.exitCode = passed === checks.length ? 0 : 1
}`

const names = '{ CaptureError, get, remote, shutdown }'
const requires = [
  `const ${names} = require('mobula')`,
  `const { basename } = require('node:path')`,
  `const { isDeepStrictEqual } = require('util')`,
  `const { flatten: flat } = require('hyparquet')`,
]

export const cases = {
  esm: [
    `import ${names} from 'mobula'`,
    `import { basename } from 'node:path'`,
    `import { isDeepStrictEqual } from 'util'`,
    `import { flatten as flat } from 'hyparquet'`,
    ...declarations,
    finish,
    'await runAll()',
  ].join('\n'),
  cjs: [...requires, ...declarations, finish, 'runAll()'].join('\n'),
  /** Nothing may be in two lines. The end of the input ends it, but for what it awaits. */
  repl: `${[...requires, ...declarations, finish.trim().replaceAll(/\n\s*/g, '; ').replaceAll('{;', '{').replaceAll('; }', ' }'), 'await runAll()'].join('\n')}\n\n`,
}
