/** Runs `cargo test` and counts what it did, test binaries without libtest's summary included. */

import { root, rustEnvironment } from './places.mjs'
import { StepError, toolStep } from './steps.mjs'
import { run } from './tool.mjs'

/**
 * @typedef {object} RustCounts
 * @property {number} passed
 * @property {number} failed
 */

/**
 * Counts by section ("Running tests/x.rs (target/...)", "Doc-tests x").
 * @param {string} output of cargo test, stdout and stderr as they were mixed
 * @param {number | null} code
 * @returns {RustCounts}
 */
export function countRust(output, code) {
  let passed = 0
  let failed = 0
  const crashed = new Set([...output.matchAll(/process didn't exit successfully: `([^`\s]+)/g)].map((match) => match[1]))
  const [, ...sections] = output.split(/^\s+(?=Running |Doc-tests )/m)
  for (const section of sections) {
    const binary = /^Running .*\((.+)\)$/m.exec(section)?.[1]
    const broken = binary !== undefined && [...crashed].some((path) => path?.endsWith(binary))
    const result = /^test result: \w+\. (\d+) passed; (\d+) failed;/m.exec(section)
    // A test with its own main says nothing that could be counted: it is one test.
    passed += result ? Number(result[1]) : broken ? 0 : 1
    failed += result ? Number(result[2]) : broken ? 1 : 0
  }
  // What did not even compile, or died after its summary, is a failure too; and so is a run of nothing.
  if (failed === 0 && (code !== 0 || passed === 0)) failed = 1
  return { passed, failed }
}

/**
 * @param {string} title
 * @param {readonly string[]} args of cargo
 * @param {{ env?: NodeJS.ProcessEnv, limitSeconds?: number }} [options]
 * @returns {Promise<RustCounts>}
 */
export async function rustTests(title, args, { env: more = {}, limitSeconds = 900 } = {}) {
  const env = { ...(await rustEnvironment()), CARGO_TERM_COLOR: 'never', ...more }
  const repeat = [...Object.entries(more).map(([name, value]) => `${name}=${JSON.stringify(value)}`), 'cargo', ...args].join(' ')
  const [before, after] = args.includes('--') ? [args.slice(0, args.indexOf('--')), args.slice(args.indexOf('--'))] : [args, []]
  try {
    await toolStep(`${title}: compiling`, 'cargo', [...before, '--no-run'], { cwd: root, env, limitSeconds: 2400, repeat })
    const start = performance.now()
    process.stdout.write(`${title}: running ... `)
    // One pipe for both, since the sections are named on stderr and counted on stdout.
    const result = await run('sh', ['-c', 'exec cargo "$@" 2>&1', 'sh', ...before, '--no-fail-fast', ...after], { cwd: root, env, limitSeconds })
    const counts = countRust(result.output, result.late ? null : result.code)
    console.log(`${counts.passed} passed, ${counts.failed} failed, ${((performance.now() - start) / 1000).toFixed(1)} s`)
    if (counts.failed > 0) {
      console.log(result.output.replaceAll(/^test .* \.\.\. ok\n/gm, ''))
      if (result.late) console.log(`It was not finished within ${limitSeconds} s; its last line is where it stopped.`)
      console.log(`Repeat with: ${repeat}`)
    }
    return counts
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    console.log(`${error.output}\n${error.message}\nRepeat with: ${repeat}`)
    return { passed: 0, failed: 1 }
  }
}
