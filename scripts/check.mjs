/** `npm run check`: everything about the code that is not a test: generated files, formatting, lints, types, direction of imports. */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build, generated, nativeCurrent } from './build.mjs'
import { packageCommand, root, rustEnvironment } from './places.mjs'
import { StepError, showFailure, step, toolStep } from './steps.mjs'
import { run } from './tool.mjs'

/** @typedef {{ name: string, work: () => Promise<unknown> }} Check */

/** @param {string} name @param {readonly string[]} args @returns {Check} */
const cargo = (name, args) => ({
  name,
  work: async () => toolStep(name, 'cargo', args, { cwd: root, env: await rustEnvironment(), limitSeconds: 1800, repeat: `cargo ${args.join(' ')}` }),
})

/** @param {string} name @param {string} of the package @param {readonly string[]} args of its command @returns {Check} */
const tool = (name, of, [command = '', ...args]) => ({
  name,
  work: async () =>
    toolStep(name, process.execPath, [packageCommand(of, command), ...args], { cwd: root, limitSeconds: 600, repeat: `npx ${[command, ...args].join(' ')}` }),
})

/** @type {readonly Check[]} */
export const checks = [
  { name: 'generated files', work: () => step('generated files: native/ is what napi build writes', generatedAreCurrent) },
  cargo('Cargo.lock fits Cargo.toml', ['metadata', '--locked', '--format-version', '1']),
  cargo('formatting of Rust (rustfmt)', ['fmt', '--all', '--check']),
  cargo('lints of Rust (clippy)', ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings']),
  tool('formatting and lints of TypeScript (biome)', '@biomejs/biome', ['biome', 'ci', '--colors=off', '.']),
  tool('types of tests, benches, examples and scripts (tsc)', 'typescript', ['tsc', '-p', 'tsconfig.check.json']),
  {
    name: 'direction of imports',
    work: () =>
      toolStep('direction of imports (test/tidy.test.ts)', process.execPath, ['scripts/test.mjs', '--no-build', 'test/tidy.test.ts'], {
        cwd: root,
        repeat: 'npm test -- test/tidy.test.ts',
      }),
  },
]

/**
 * Does all of them, whatever fails, so that one run tells everything.
 * @param {readonly Check[]} list
 * @returns {Promise<{ passed: number, failed: number, red: string[] }>}
 */
export async function runChecks(list) {
  /** @type {string[]} */
  const red = []
  for (const { name, work } of list) {
    try {
      await work()
    } catch (error) {
      showFailure(error)
      red.push(name)
    }
  }
  return { passed: list.length - red.length, failed: red.length, red }
}

/** Against edits by hand, and against sources that are committed without what was made of them. */
async function generatedAreCurrent() {
  const repeat = 'npm run build && git add native'
  if (!nativeCurrent()) throw new StepError(`${generated.join(' or ')} is not what the last build wrote: these files are never edited.`, { repeat })
  const status = await run('git', ['status', '--porcelain', '--', 'native', 'crates', 'Cargo.toml', 'Cargo.lock', 'package.json'], {
    cwd: root,
    limitSeconds: 60,
  })
  if (status.missing || status.code !== 0) return
  const changed = status.output.split('\n').flatMap((line) => line.slice(3).trim() || [])
  const sources = changed.filter((file) => !file.startsWith('native/'))
  if (changed.length > 0 && sources.length === 0) {
    throw new StepError(`the build has changed ${changed.join(', ')}, and no source of theirs is uncommitted: commit what the build wrote.`, { repeat })
  }
}

async function main() {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    console.log(`npm run check: ${checks.map(({ name }) => name).join('; ')}`)
    return
  }
  let counts = { passed: 0, failed: 1 }
  try {
    await build({ quiet: true })
    counts = await runChecks(checks)
  } catch (error) {
    showFailure(error)
  }
  console.log(`\n${counts.passed} passed, ${counts.failed} failed`)
  process.exitCode = counts.failed > 0 ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
