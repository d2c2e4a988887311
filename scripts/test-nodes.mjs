/** `npm run test:nodes`: runs the smoke set on every Node line that the package claims, and ends with a table and `N passed, N failed`. */

import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { nodeOf, releases } from './nodes.mjs'
import { showFailure } from './steps.mjs'
import { runTestFiles, testFiles } from './test-files.mjs'

/** The codec's tests are fast, and values and errors differ most between lines. */
const codecTests = testFiles().filter((file) => /^test\/codec[^/]*\.test\.ts$/.test(file))
/** Threads end, and what is forgotten is collected, in ways that differ, too. */
const actorTests = testFiles().filter((file) => /^test\/(actor[^/]*|streams)\.test\.ts$/.test(file))
const smoke = ['test/smoke.test.ts', ...codecTests, 'test/objects.test.ts', 'test/lifecycle.test.ts', ...actorTests]

const help = `npm run test:nodes [-- [--only 22,24] [files]]

  files    instead of the smoke set (${smoke.join(', ')})
  --only   only these lines of Node (${Object.keys(releases).join(', ')})`

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
if (values.help) console.log(help)
else await main()

async function main() {
  const files = positionals.length > 0 ? positionals : smoke
  const majors = values.only?.split(',') ?? Object.keys(releases)
  /** @type {string[][]} */
  const rows = []
  let passed = 0
  let failed = 0
  try {
    await build()
    for (const major of majors) {
      const node = await nodeOf(major)
      console.log(`\nNode ${node.version}`)
      const start = performance.now()
      const counts = await runTestFiles(files, { node: node.path })
      passed += counts.passed
      failed += counts.failed
      const time = `${((performance.now() - start) / 1000).toFixed(1)} s`
      rows.push([node.version, String(counts.passed), String(counts.failed), time, counts.red.join(', ')])
    }
  } catch (error) {
    showFailure(error)
    failed += 1
  }
  const { default: Table } = await import('cli-table3').catch(() => ({ default: null }))
  if (Table && rows.length > 0) {
    const table = new Table({ head: ['Node', 'passed', 'failed', 'time', 'red'], style: { head: [], border: [] } })
    table.push(...rows)
    console.log(`\n${table}`)
  }
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
