/** Where things are (the project's folders, npm, cargo, the tools of node_modules) and in what environment they are run. */

import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StepError } from './steps.mjs'
import { run } from './tool.mjs'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @param {...string} parts */
export const place = (...parts) => join(root, ...parts)

/** @param {string} file */
export const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))

// What npm tells a script of its own call would steer the npm calls inside it: `npm run build --dry-run` must not make `npm ci` a dry run.
const NPM_CALL =
  /^npm_(?:package_|lifecycle_|command$|config_(?:also|audit|call|dry_run|force|fund|global|ignore_scripts|if_present|include|include_workspace_root|json|local_prefix|location|long|omit|only|optional|package|package_lock|package_lock_only|parseable|prefix|production|save\w*|tag|workspace|workspaces)$)/i

/** @returns {NodeJS.ProcessEnv} this environment without what an outer npm call left in it */
export function cleanEnvironment() {
  const env = { ...process.env }
  for (const name of Object.keys(env)) {
    if (NPM_CALL.test(name)) delete env[name]
  }
  return env
}

/** The npm that runs this script, or the one in PATH when something else runs it. @returns {{ program: string, first: string[] }} */
export function npm() {
  const running = process.env['npm_execpath'] ?? ''
  return basename(running) === 'npm-cli.js' && existsSync(running) ? { program: process.execPath, first: [running] } : { program: 'npm', first: [] }
}

/**
 * The script behind a package's command, to be run by this very Node instead of whichever is first in PATH.
 * @param {string} name the package
 * @param {string} command
 */
export function packageCommand(name, command) {
  const folder = place('node_modules', name)
  const { bin } = readJson(join(folder, 'package.json'))
  return join(folder, typeof bin === 'string' ? bin : bin[command])
}

/** The version of Rust that the workspace asks for. */
export function rustWanted() {
  const wanted = /^rust-version = "(.+)"$/m.exec(readFileSync(place('Cargo.toml'), 'utf8'))?.[1]
  if (wanted === undefined) throw new StepError('Cargo.toml names no rust-version')
  return wanted
}

/**
 * An environment in which `cargo` can be called, also just after rustup was installed and before PATH knows it.
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
export async function rustEnvironment() {
  const env = cleanEnvironment()
  const home = join(env['CARGO_HOME'] ?? join(homedir(), '.cargo'), 'bin')
  env['PATH'] = `${env['PATH'] ?? ''}${delimiter}${home}`
  const wanted = rustWanted()
  const advice = `install Rust ${wanted} or newer with rustup (https://rustup.rs), then run this again.`
  const cargo = await run('cargo', ['--version'], { env, cwd: root, limitSeconds: 600 })
  const rustc = cargo.missing ? cargo : await run('rustc', ['--version'], { env, cwd: root, limitSeconds: 600 })
  if (rustc.missing) throw new StepError(`mobula's native part is built with Rust, which was not found: ${advice}`)
  const found = /^rustc (\d+)\.(\d+)/m.exec(rustc.output)
  if (cargo.code !== 0 || !found) throw new StepError(`Rust is here but does not run: ${advice}`, { output: cargo.output + rustc.output })
  const [major = 0, minor = 0] = wanted.split('.').map(Number)
  if (Number(found[1]) < major || (Number(found[1]) === major && Number(found[2]) < minor)) {
    throw new StepError(`mobula's native part cannot be built with Rust ${found[1]}.${found[2]}: ${advice}`)
  }
  return env
}
