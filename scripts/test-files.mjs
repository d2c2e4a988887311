/** Finds TypeScript test files, runs them one after another, and counts. */

import { existsSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { supervise } from '../test/support/supervise.mjs'
import { filesBelow } from './fingerprint.mjs'
import { root } from './places.mjs'
import { duration } from './steps.mjs'

const limitDefault = 120

/** The files of `npm test`: those of test/long have their own command, and fixtures are made to fail. */
export const testFiles = () => filesBelow(root, ['test']).filter((file) => file.endsWith('.test.ts') && !/^test\/(long|fixtures)\//.test(file))

/** A file that takes long says so in its first lines: `time limit: 300 s`. @param {string} file */
function limitOf(file) {
  const said = /time limit: (\d+) s/i.exec(readFileSync(file, 'utf8').slice(0, 1000))
  return said ? Number(said[1]) : limitDefault
}

/**
 * @param {readonly string[]} files relative to the project, or to where the command was given
 * @param {{ verbose?: boolean, node?: string }} [options]
 * @returns {Promise<{ passed: number, failed: number, red: string[] }>} red: the files that failed
 */
export async function runTestFiles(files, { verbose = false, node } = {}) {
  let passed = 0
  let failed = 0
  const red = []
  if (files.length === 0) {
    console.log('No TypeScript test file was found.')
    return { passed: 0, failed: 1, red: ['test'] }
  }
  for (const name of files) {
    const file = existsSync(resolve(root, name)) ? resolve(root, name) : resolve(name)
    const shown = relative(root, file)
    const verdict = existsSync(file)
      ? await runOne(file, shown, { verbose, node })
      : { passed: 0, failed: 1, problems: ['there is no such file'], output: '', time: '' }
    passed += verdict.passed
    failed += verdict.failed
    if (verdict.failed === 0) {
      console.log(`${shown}: ${verdict.passed} passed, ${verdict.time}`)
      continue
    }
    red.push(shown)
    if (!verbose && verdict.output.trim() !== '') console.log(`\n${verdict.output.trimEnd()}`)
    console.log(`${shown}: ${verdict.passed} passed, ${verdict.failed} FAILED, ${verdict.time}`)
    for (const problem of verdict.problems) console.log(`  ${shown}: ${problem}`)
  }
  return { passed, failed, red }
}

/** @param {string} file @param {string} shown @param {{ verbose: boolean, node: string | undefined }} options */
async function runOne(file, shown, { verbose, node }) {
  const start = performance.now()
  let current = ''
  const beat = setInterval(() => {
    console.log(`  ${shown}: still running after ${duration(performance.now() - start)}${current && `, in "${current}"`}`)
  }, 30_000)
  const verdict = await supervise(file, {
    cwd: root,
    limitSeconds: limitOf(file),
    onTest: (name) => {
      current = name ?? ''
    },
    ...(node === undefined ? {} : { node }),
    ...(verbose ? { onOutput: (text) => process.stdout.write(text) } : {}),
  })
  clearInterval(beat)
  return { ...verdict, time: duration(performance.now() - start) }
}
