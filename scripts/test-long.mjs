/** `npm run test:long`: what is too slow for every day: loom models, ignored tests, sanitizers, test/long, and matrices over Nodes; ends with `N passed, N failed`. */

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { runSetup, setupOf, setups } from './capture-setups.mjs'
import { filesBelow } from './fingerprint.mjs'
import { nodeOf, releases } from './nodes.mjs'
import { place, root, rustEnvironment } from './places.mjs'
import { rustTests } from './rust-tests.mjs'
import { showFailure, toolStep } from './steps.mjs'
import { runTestFiles } from './test-files.mjs'
import { run } from './tool.mjs'

const help = `npm run test:long [-- --only loom,ignored,sanitizers,node,chaos,capture] [--nodes 22,24] [--setups esm,tsx]

  loom         crates/*/tests/loom*.rs, and modules of src that hold loom models, under --cfg loom
  ignored      Rust tests marked #[ignore]
  sanitizers   store, sched and runtime under AddressSanitizer (all Rust tests) and ThreadSanitizer (crates/*/tests/races.rs, and mutants)
  node         test/long/*.test.ts
  chaos        100,000 mixed tasks with a death every few hundred, on every Node that the package claims
  capture      test/capture in every way in which code comes to run (${setups.map(({ name }) => name).join(', ')}), on every Node

  --nodes      only these lines of Node
  --setups     only these setups of capture`

const target = process.env['CARGO_TARGET_DIR'] ?? place('target')

const { values } = parseArgs({
  options: { only: { type: 'string' }, nodes: { type: 'string' }, setups: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
})
async function main() {
  const wanted = values.only?.split(',') ?? ['loom', 'ignored', 'sanitizers', 'node', 'chaos', 'capture']
  const majors = values.nodes?.split(',') ?? Object.keys(releases)
  let passed = 0
  let failed = 0
  const add = (/** @type {{ passed: number, failed: number }} */ counts) => {
    passed += counts.passed
    failed += counts.failed
  }
  try {
    if (wanted.includes('loom')) for (const counts of await loom()) add(counts)
    if (wanted.includes('ignored')) add(await ignored())
    if (wanted.includes('sanitizers')) {
      const host = (await run('rustc', ['-vV'], { cwd: root })).output.match(/^host: (.+)$/m)?.[1] ?? ''
      add(await addressSanitizer(host))
      add(await threadSanitizer(host))
    }
    if (wanted.includes('node')) {
      const files = filesBelow(root, ['test/long']).filter((file) => file.endsWith('.test.ts'))
      if (files.length > 0) {
        await build()
        add(await runTestFiles(files))
      }
    }
    if (wanted.includes('chaos')) {
      await build()
      for (const major of majors) add(await chaos(major))
    }
    if (wanted.includes('capture')) {
      await build()
      for (const major of majors) add(await capture(major))
    }
  } catch (error) {
    showFailure(error)
    failed += 1
  }
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

/** Over the compiled package: where TypeScript is read at run time a thread's start takes ten times as long. @param {string} major */
async function chaos(major) {
  const { version, path } = await nodeOf(major)
  const args = ['test/chaos/run.mjs', '100000', String(Date.now() % 1_000_000)]
  const title = `chaos on Node ${version}, seed ${args[2]}`
  try {
    console.log((await toolStep(title, path, args, { cwd: root, limitSeconds: 1800, repeat: `node ${args.join(' ')}` })).trim())
  } catch (error) {
    showFailure(error)
    return { passed: 0, failed: 1 }
  }
  return { passed: 1, failed: 0 }
}

/** Functions that ship by themselves, in each setup; a line for each case that fails. @param {string} major */
async function capture(major) {
  const { version, path } = await nodeOf(major)
  const counts = { passed: 0, failed: 0 }
  for (const setup of values.setups?.split(',').map(setupOf) ?? setups) {
    if (!setup.nodes.includes(major)) continue
    const { passed, failed, lines } = await runSetup(setup, path)
    counts.passed += passed
    counts.failed += failed
    console.log([`capture, ${setup.name} on Node ${version}: ${lines.at(-1)}`, ...lines.slice(0, -1)].join('\n  '))
  }
  return counts
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
 * @param {string} host
 */
async function addressSanitizer(host) {
  const crates = ['mobula-store', 'mobula-sched', 'mobula-runtime'].flatMap((crate) => ['-p', crate])
  // Doctests are left out: they show how, and what they call is called by the tests too.
  const args = ['test', '--target', host, '--target-dir', join(target, 'asan'), ...crates, '--lib', '--tests']
  const env = sanitized('address')
  // One test at a time: many threads in one process are slow under it, and some tests need a thread that gets on.
  return rustTests('AddressSanitizer', [...args, '--', '--test-threads=1'], { env, limitSeconds: 1800 })
}

/**
 * Whether every access to plain memory is ordered before or after each of another thread, in every run of the tests that
 * are made for it. Of the standard library, which was compiled without it, it sees neither the locks (`--cfg tsan` has
 * ones that it sees) nor libtest's channels (these tests have a main of their own). A fence it does not see at all:
 * those are what the loom models are for. There are no suppressions.
 * @param {string} host
 */
async function threadSanitizer(host) {
  const args = ['test', '--target', host, '--target-dir', join(target, 'tsan'), '--test', 'races']
  const all = ['mobula-store', 'mobula-sched', 'mobula-runtime'].flatMap((crate) => ['-p', crate])
  const counts = await rustTests('ThreadSanitizer', [...args, ...all], { env: sanitized('thread', '--cfg tsan'), limitSeconds: 600 })
  // What it would miss, its silence says nothing of: without the ordering that each crate relies on it has to speak.
  for (const { racy, crate } of [
    { racy: 'atomics', crate: 'mobula-store' },
    { racy: 'atomics', crate: 'mobula-sched' },
    { racy: 'locks', crate: 'mobula-runtime' },
  ]) {
    const env = sanitized('thread', `--cfg tsan --cfg racy="${racy}"`)
    const found = await reportsRace(`ThreadSanitizer: ${crate} whose ${racy} order nothing`, [...args, '-p', crate], env)
    counts[found ? 'passed' : 'failed'] += 1
  }
  return counts
}

/** @param {string} title @param {readonly string[]} args @param {NodeJS.ProcessEnv} more */
async function reportsRace(title, args, more) {
  const env = { ...(await rustEnvironment()), ...more, TSAN_OPTIONS: 'halt_on_error=1' }
  await toolStep(`${title}: compiling`, 'cargo', [...args, '--no-run'], { cwd: root, env, limitSeconds: 2400, repeat: `cargo ${args.join(' ')}` })
  const { output } = await run('cargo', args, { cwd: root, env, limitSeconds: 600 })
  const found = output.includes('WARNING: ThreadSanitizer: data race')
  console.log(`${title}: ${found ? 'reported, as it must be' : `NOT REPORTED\n${output}`}`)
  return found
}

/** Sanitizers are unstable in rustc: this lets the stable compiler use them, for these tests alone. @param {string} name @param {string} flags */
const sanitized = (name, flags = '') => ({
  RUSTC_BOOTSTRAP: '1',
  RUSTFLAGS: `-Zsanitizer=${name} -Cunsafe-allow-abi-mismatch=sanitizer ${flags}`.trimEnd(),
})

if (values.help) console.log(help)
else await main()
