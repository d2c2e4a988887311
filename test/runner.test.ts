/** The test runner turns each way of failing that uvu alone calls green into a failure that names its reason. */

import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countRust } from '../scripts/rust-tests.mjs'
import { supervise } from './support/supervise.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

interface Case {
  /** The fixture's name, which says what is wrong with it. */
  readonly file: string
  readonly passed: number
  readonly failed: number
  /** What the one problem must say; none for a file that is in order. */
  readonly problem?: RegExp
  readonly output?: RegExp
  readonly limitSeconds?: number
  readonly exitLimitMs?: number
}

const cases: readonly Case[] = [
  { file: 'passes', passed: 2, failed: 0 },
  { file: 'argv', passed: 1, failed: 0 },
  { file: 'ends-worker', passed: 1, failed: 0 },
  { file: 'fails', passed: 1, failed: 1, problem: /^1 of 2 tests failed$/, output: /adds wrongly[\s\S]*Expected values to be strictly equal/ },
  { file: 'throws-string', passed: 0, failed: 1, problem: /1 of 1 tests failed/, output: /not an Error: 'a plain string'/ },
  { file: 'before-throws', passed: 0, failed: 1, problem: /`before` hook threw: Error: the hook failed/ },
  { file: 'before-each-throws', passed: 0, failed: 1, problem: /`before\.each` hook threw: Error: the hook failed/ },
  { file: 'after-throws', passed: 0, failed: 1, problem: /`after` hook threw: Error: the hook failed/ },
  { file: 'after-each-throws', passed: 0, failed: 1, problem: /`after\.each` hook threw: Error: the hook failed/ },
  { file: 'never-run', passed: 0, failed: 1, problem: /1 tests did not run: the file never calls `run\(\)`/ },
  { file: 'half-run', passed: 1, failed: 1, problem: /1 tests did not run: the file never calls `run\(\)`/ },
  { file: 'empty', passed: 0, failed: 1, problem: /contains no test/ },
  { file: 'absent', passed: 0, failed: 1, problem: /threw while it was loaded/, output: /ERR_MODULE_NOT_FOUND/ },
  { file: 'throws-on-load', passed: 0, failed: 1, problem: /threw while it was loaded/, output: /thrown while loading/ },
  { file: 'drains', passed: 1, failed: 1, problem: /ended \(exit code \d+\) before its tests were done during the test "waits for nothing"/ },
  { file: 'exits', passed: 0, failed: 1, problem: /ended \(exit code 0\) before its tests were done during the test "leaves"/ },
  { file: 'rejects-aside', passed: 1, failed: 1, problem: /ended with exit code 1 after its tests/, output: /rejected aside/ },
  { file: 'exit-code', passed: 1, failed: 1, problem: /ended with exit code 3 after its tests/ },
  { file: 'hides-worker', passed: 1, failed: 1, problem: /1 worker threads were still alive/, exitLimitMs: 1000 },
  { file: 'keeps-handle', passed: 1, failed: 1, problem: /did not end within 1 s after its last test; .*Timeout/, exitLimitMs: 1000 },
  { file: 'keeps-worker', passed: 1, failed: 1, problem: /did not end within 1 s after its last test; it is kept alive by 1 workers/, exitLimitMs: 1000 },
  { file: 'keeps-process', passed: 1, failed: 1, problem: /left a process behind: \d+ .*node.* -e/ },
  { file: 'keeps-file', passed: 1, failed: 1, problem: /left TMPDIR\/mobula-spill-\w+ behind/ },
  { file: 'skips', passed: 1, failed: 1, problem: /1 tests are skipped/ },
  { file: 'only', passed: 1, failed: 1, problem: /`only` keeps other tests from running/ },
  {
    file: 'hangs',
    passed: 0,
    failed: 1,
    problem: /did not finish within 4 s, and was ended during the test "waits for ever"; its last output: about to wait/,
    limitSeconds: 4,
  },
  { file: 'spins', passed: 0, failed: 1, problem: /did not finish within 4 s, and was ended during the test "spins for ever"/, limitSeconds: 4 },
]

for (const { file, passed, failed, problem, output, ...limits } of cases) {
  test(`${file}: ${passed} passed, ${failed} failed`, async () => {
    const verdict = await supervise(fileURLToPath(new URL(`./fixtures/runner/${file}.fixture.ts`, import.meta.url)), { cwd: root, ...limits })
    const told = `${verdict.problems.join('\n')}\n${verdict.output}`
    assert.is(verdict.problems.length, problem ? 1 : 0, told)
    if (problem) assert.match(verdict.problems[0] ?? '', problem)
    if (output) assert.match(verdict.output, output)
    assert.is(verdict.passed, passed, told)
    assert.is(verdict.failed, failed, told)
  })
}

const rustOutput = `   Compiling mobula-store v0.1.0
     Running unittests src/lib.rs (target/debug/deps/mobula_store-1a2b)

running 2 tests
test a ... ok
test b ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

     Running tests/own_main.rs (target/debug/deps/own_main-3c4d)
all well
   Doc-tests mobula_store

running 1 test
test src/lib.rs - (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s
`

test('Rust tests are counted by section, one for a binary with its own main', () => {
  assert.equal(countRust(rustOutput, 0), { passed: 4, failed: 0 })
})

test('a Rust test binary that dies without a summary has failed', () => {
  const died = `${rustOutput}error: test failed, to rerun pass \`-p mobula-store --test own_main\`

Caused by:
  process didn't exit successfully: \`/somewhere/target/debug/deps/own_main-3c4d\` (signal: 11, SIGSEGV: invalid memory reference)
`
  assert.equal(countRust(died, 101), { passed: 3, failed: 1 })
})

test('a Rust run that does not compile, or runs nothing, has failed', () => {
  assert.equal(countRust('error[E0432]: unresolved import', 101), { passed: 0, failed: 1 })
  assert.equal(countRust('', 0), { passed: 0, failed: 1 })
  assert.equal(countRust(rustOutput, 101), { passed: 4, failed: 1 })
})

test.run()
