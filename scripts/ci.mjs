/** The work of `.ci/run`: every test, then every check and the demo on a tenth of the data; ends with `N passed, N failed` of both together. */

import { spawn } from 'node:child_process'
import { checks, runChecks } from './check.mjs'
import { cleanEnvironment, npm, root } from './places.mjs'
import { toolStep } from './steps.mjs'

const { program, first } = npm()

/** Shows what `npm test` says as it comes, and keeps it. @returns {Promise<{ output: string, code: number | null }>} */
function npmTest() {
  return new Promise((resolve) => {
    const child = spawn(program, [...first, 'test'], { cwd: root, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.on('error', (error) => {
      console.error(`npm could not be started: ${error.message}`)
      resolve({ output, code: null })
    })
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text
      process.stdout.write(text)
    })
    child.on('close', (code) => resolve({ output, code }))
  })
}

/** @type {import('./check.mjs').Check} */
const demo = {
  name: 'the demo',
  work: () =>
    toolStep('the demo on a tenth of the data', program, [...first, 'run', 'demo', '--', '--rows', '300000'], {
      cwd: root,
      env: cleanEnvironment(),
      limitSeconds: 900,
      repeat: 'npm run demo -- --rows 300000',
    }),
}

console.log('1. npm test\n')
const tests = await npmTest()
const [, passed = '0', failed = '0'] = [...tests.output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1) ?? []
// Where the line is missing, or denies what the exit code says, the exit code is right.
const testsFailed = Number(failed) || (tests.code === 0 && Number(passed) > 0 ? 0 : 1)

console.log('\n2. checks\n')
const checked = await runChecks([...checks, demo])

console.log(`\ntests: ${passed} passed, ${testsFailed} failed; checks: ${checked.passed} passed, ${checked.failed} failed`)
if (testsFailed > 0) console.log('  failed: the tests; repeat with: npm test')
for (const name of checked.red) console.log(`  failed: ${name}`)
console.log(`\n${Number(passed) + checked.passed} passed, ${testsFailed + checked.failed} failed`)
process.exitCode = testsFailed + checked.failed > 0 ? 1 : 0
