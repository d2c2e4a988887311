/** `npm test`: installs, builds, runs every test of Rust and TypeScript, and ends with the line `N passed, N failed`. */

import { parseArgs } from 'node:util'
import { build, ensureDependencies } from './build.mjs'
import { rustTests } from './rust-tests.mjs'
import { showFailure } from './steps.mjs'
import { runTestFiles, testFiles } from './test-files.mjs'

const help = `npm test [-- [options] [files]]

  files        run only these test files
  --rust       only the Rust half
  --ts         only the TypeScript half
  --no-build   take the package as it was built last
  --verbose    show what the test files print`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rust: { type: 'boolean' },
    ts: { type: 'boolean' },
    'no-build': { type: 'boolean' },
    verbose: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
})

if (values.help) console.log(help)
else await main()

async function main() {
  let passed = 0
  let failed = 0
  /** @type {string[]} */
  const repeats = []
  const wantsRust = positionals.length === 0 && (values.rust || !values.ts)
  const wantsFiles = positionals.length > 0 || values.ts || !values.rust
  let ready = true
  try {
    if (values['no-build'] || !wantsFiles) await ensureDependencies()
    else await build()
  } catch (error) {
    showFailure(error)
    failed += 1
    ready = false
  }
  // What Rust's own tests say is most worth knowing when the addon or what lies over it cannot be built.
  if (wantsRust) {
    try {
      const counts = await rustTests('Rust tests', ['test'])
      passed += counts.passed
      failed += counts.failed
      if (counts.failed > 0) repeats.push('npm test -- --rust')
    } catch (error) {
      showFailure(error)
      failed += 1
    }
  }
  if (wantsFiles && ready) {
    const counts = await runTestFiles(positionals.length > 0 ? positionals : testFiles(), { verbose: values.verbose ?? false })
    passed += counts.passed
    failed += counts.failed
    repeats.push(...counts.red.map((file) => `npm test -- ${file}`))
  }
  if (repeats.length > 0) console.log(`\nRepeat what failed with:\n${repeats.map((line) => `  ${line}`).join('\n')}`)
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
