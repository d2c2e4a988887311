/** `npm run test:long`: what is too slow for every day: loom models, ignored tests, sanitizers, and test/long; ends with `N passed, N failed`. */

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { filesBelow } from './fingerprint.mjs'
import { place, root } from './places.mjs'
import { rustTests } from './rust-tests.mjs'
import { showFailure } from './steps.mjs'
import { runTestFiles } from './test-files.mjs'
import { run } from './tool.mjs'

const help = `npm run test:long [-- --only loom,ignored,sanitizers,node]

  loom         crates/*/tests/loom*.rs, and modules of src that hold loom models, under --cfg loom
  ignored      Rust tests marked #[ignore]
  sanitizers   the Rust tests of store, sched and runtime under AddressSanitizer
  node         test/long/*.test.ts`

const target = process.env['CARGO_TARGET_DIR'] ?? place('target')

const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
async function main() {
  const wanted = values.only?.split(',') ?? ['loom', 'ignored', 'sanitizers', 'node']
  let passed = 0
  let failed = 0
  const add = (/** @type {{ passed: number, failed: number }} */ counts) => {
    passed += counts.passed
    failed += counts.failed
  }
  try {
    if (wanted.includes('loom')) for (const counts of await loom()) add(counts)
    if (wanted.includes('ignored')) add(await ignored())
    if (wanted.includes('sanitizers')) add(await sanitizers())
    if (wanted.includes('node')) {
      const files = filesBelow(root, ['test/long']).filter((file) => file.endsWith('.test.ts'))
      if (files.length > 0) {
        await build()
        add(await runTestFiles(files))
      }
    }
  } catch (error) {
    showFailure(error)
    failed += 1
  }
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

const rustFiles = () => filesBelow(root, ['crates']).filter((file) => file.endsWith('.rs'))

/** The crate of a file: crates/store/src/x.rs is of mobula-store. @param {string} file */
const crateOf = (file) => `mobula-${file.split('/')[1]}`

/** Loom builds have a folder of their own, or each `cargo test` after them would compile everything again. */
async function loom() {
  const env = { RUSTFLAGS: '--cfg loom', LOOM_MAX_PREEMPTIONS: process.env['LOOM_MAX_PREEMPTIONS'] ?? '3' }
  const common = ['test', '--release', '--target-dir', join(target, 'loom')]
  const results = []
  for (const file of rustFiles().filter((file) => /\/tests\/loom\w*\.rs$/.test(file))) {
    const name = basename(file, '.rs')
    results.push(await rustTests(`loom: ${file}`, [...common, '-p', crateOf(file), '--test', name], { env, limitSeconds: 1800 }))
  }
  const inside = rustFiles().filter((file) => /\/src\//.test(file) && /\bloom::model\b/.test(readFileSync(place(file), 'utf8')))
  for (const crate of new Set(inside.map(crateOf))) {
    results.push(await rustTests(`loom: ${crate}`, [...common, '-p', crate, '--lib', 'loom'], { env, limitSeconds: 1800 }))
  }
  return results
}

async function ignored() {
  const any = rustFiles().some((file) => /#\[ignore/.test(readFileSync(place(file), 'utf8')))
  return any ? rustTests('ignored Rust tests', ['test', '--release', '--', '--ignored'], { limitSeconds: 1800 }) : { passed: 0, failed: 0 }
}

/**
 * All Rust tests of the crates that have `unsafe`, and of the one that drives them, under AddressSanitizer: it sees uses
 * of memory that has been freed, reads and writes beside it, and leaks. What lies in the store's segments it sees as one
 * piece, so an object's neighbours are up to the tests.
 *
 * Not ThreadSanitizer: it takes every lock and channel of a standard library that was compiled without it for a race, and
 * compiling that library needs its source, which a toolchain does not have of itself. Orderings are what the loom models check.
 */
async function sanitizers() {
  const host = (await run('rustc', ['-vV'], { cwd: root })).output.match(/^host: (.+)$/m)?.[1] ?? ''
  const crates = ['mobula-store', 'mobula-sched', 'mobula-runtime'].flatMap((crate) => ['-p', crate])
  // Doctests are left out: they show how, and what they call is called by the tests too.
  const args = ['test', '--target', host, '--target-dir', join(target, 'asan'), ...crates, '--lib', '--tests']
  const env = {
    // Sanitizers are unstable in rustc: this lets the stable compiler use them, for these tests alone.
    RUSTC_BOOTSTRAP: '1',
    RUSTFLAGS: '-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer',
  }
  // One test at a time: many threads in one process are slow under it, and some tests need a thread that gets on.
  return rustTests('AddressSanitizer', [...args, '--', '--test-threads=1'], { env, limitSeconds: 1800 })
}

if (values.help) console.log(help)
else await main()
