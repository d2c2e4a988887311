/** Builds the package from a fresh clone: dependencies, the Rust addon, the JavaScript; each only when what it is made from has changed. */

import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { bundle } from './bundle.mjs'
import { addNotes, filesBelow, fingerprint, readNotes } from './fingerprint.mjs'
import { cleanEnvironment, npm, packageCommand, place, readJson, root, rustEnvironment } from './places.mjs'
import { duration, StepError, script, step, toolStep } from './steps.mjs'

export const notesFile = place('.cache', 'build.json')
const lockFile = place('.cache', 'build.lock')
const nodeOldest = [20, 19]

/** What `napi build` writes for git to keep. */
export const generated = ['native/index.cjs', 'native/index.d.cts']

/** The files that the addon is made from. */
export const nativeSources = () =>
  filesBelow(root, ['crates', 'Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', '.cargo']).filter((file) => !/\/(tests|benches|examples)\//.test(file))

const nativeFiles = () => filesBelow(root, ['native']).filter((file) => extname(file) === '.node' || generated.includes(file))

/** The files that `dist` is made from. */
const scriptSources = () => filesBelow(root, ['src', 'scripts/bundle.mjs', 'tsconfig.json', 'native/index.d.cts', 'package.json', 'package-lock.json'])

const nativeWanted = () => fingerprint(root, nativeSources(), [process.platform, process.arch, readJson(place('package.json')).version])
const scriptsWanted = () => fingerprint(root, scriptSources())

/**
 * Brings the whole package up to date.
 * @param {{ quiet?: boolean }} [options] quiet: say nothing when there was nothing to do
 */
export async function build({ quiet = false } = {}) {
  const start = performance.now()
  checkNode()
  if (!isCurrent()) {
    const release = await lock()
    try {
      if (!dependenciesCurrent()) await installDependencies()
      if (!nativeCurrent()) await buildNative()
      if (!scriptsCurrent()) await buildScripts()
    } finally {
      release()
    }
  }
  if (!quiet) console.log(`mobula is built (${duration(performance.now() - start)}).`)
}

/** Only the development dependencies, for scripts that need nothing of the package itself. */
export async function ensureDependencies() {
  checkNode()
  if (dependenciesCurrent()) return
  const release = await lock()
  try {
    if (!dependenciesCurrent()) await installDependencies()
  } finally {
    release()
  }
}

const isCurrent = () => dependenciesCurrent() && nativeCurrent() && scriptsCurrent()

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [oldMajor = 0, oldMinor = 0] = nodeOldest
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return
  throw new StepError(`mobula needs Node ${nodeOldest.join('.')} or newer, and this is ${process.version}: install a newer one from https://nodejs.org.`)
}

/** Whether node_modules holds what the lock file names, whoever installed it. */
function dependenciesCurrent() {
  const wanted = readJson(place('package-lock.json')).packages
  const manifest = readJson(place('package.json'))
  for (const kind of ['dependencies', 'devDependencies', 'peerDependencies']) {
    if (isDeepStrictEqual(manifest[kind] ?? {}, wanted[''][kind] ?? {})) continue
    throw new StepError(`package-lock.json does not fit the ${kind} of package.json: run \`npm install\`, and commit the lock.`)
  }
  const installedFile = place('node_modules', '.package-lock.json')
  if (!existsSync(installedFile)) return false
  const installed = readJson(installedFile).packages
  return Object.entries(wanted).every(([path, one]) => {
    if (path === '') return true
    const there = installed[path]
    return there === undefined ? one.optional === true || one.devOptional === true : there.version === one.version
  })
}

async function installDependencies() {
  const { program, first } = npm()
  // NODE_ENV=production or an `omit` in some .npmrc would leave out the tools that the build consists of.
  const args = [...first, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
  await toolStep('installing dependencies (npm ci)', program, args, { cwd: root, env: cleanEnvironment(), limitSeconds: 1200, repeat: 'npm ci' })
}

/** Whether the addon and the files beside it are those that the last build wrote, from the sources of now. */
export function nativeCurrent() {
  const notes = readNotes(notesFile)
  const files = nativeFiles()
  return files.some((file) => extname(file) === '.node') && notes['native'] === fingerprint(root, files) && notes['nativeSources'] === nativeWanted()
}

async function buildNative() {
  const env = await rustEnvironment()
  const fresh = join('.cache', 'native')
  rmSync(place(fresh), { recursive: true, force: true })
  const args = [
    'build',
    '--platform',
    '--release',
    '--manifest-path',
    'crates/binding/Cargo.toml',
    '--output-dir',
    fresh,
    '--js',
    'index.cjs',
    '--dts',
    'index.d.cts',
  ]
  await toolStep('building the Rust addon (napi build)', process.execPath, [packageCommand('@napi-rs/cli', 'napi'), ...args], {
    cwd: root,
    env,
    limitSeconds: 2400,
    repeat: `npx napi ${args.join(' ')}`,
  })
  // Renamed into place: a process that has the old addon loaded keeps it, where overwriting would pull its code away.
  mkdirSync(place('native'), { recursive: true })
  for (const name of readdirSync(place(fresh))) renameSync(place(fresh, name), place('native', name))
  // Taken after the build, since a first one writes Cargo.lock.
  addNotes(notesFile, { nativeSources: nativeWanted(), native: fingerprint(root, nativeFiles()) })
}

function scriptsCurrent() {
  const notes = readNotes(notesFile)
  return (
    existsSync(place('dist', 'index.js')) && notes['scriptSources'] === scriptsWanted() && notes['scripts'] === fingerprint(root, filesBelow(root, ['dist']))
  )
}

async function buildScripts() {
  const wanted = scriptsWanted()
  const emitted = /^TSFILE: .*?(dist\/.+)$/
  const output = await toolStep(
    'checking types and writing declarations (tsc)',
    process.execPath,
    [packageCommand('typescript', 'tsc'), '-p', 'tsconfig.json', '--listEmittedFiles'],
    {
      cwd: root,
      limitSeconds: 300,
      repeat: 'npx tsc -p tsconfig.json',
    },
  )
  const kept = new Set(output.split('\n').flatMap((line) => emitted.exec(line.replaceAll('\\', '/'))?.[1]?.trim() ?? []))
  const copied = filesBelow(root, ['src'])
    .filter((file) => extname(file) === '.mjs')
    .map((file) => ({ file: file.replace(/^src/, 'dist'), contents: readFileSync(place(file)) }))
  for (const { file, contents } of [...(await step('bundling (rolldown)', bundle)), ...copied]) {
    putInPlace(file, contents)
    kept.add(file)
  }
  // Emptying dist first would be simpler, but a process that runs from it would find it empty for a second.
  for (const file of filesBelow(root, ['dist'])) {
    if (!kept.has(file)) rmSync(place(file))
  }
  addNotes(notesFile, { scriptSources: wanted, scripts: fingerprint(root, filesBelow(root, ['dist'])) })
}

/** A thread that starts meanwhile reads the old file or the new one. @param {string} file @param {string | Uint8Array} contents */
function putInPlace(file, contents) {
  const fresh = place(`${file}.fresh`)
  mkdirSync(dirname(fresh), { recursive: true })
  writeFileSync(fresh, contents)
  renameSync(fresh, place(file))
}

/** One build at a time in a checkout: a second one waits, and then has nothing to do. @returns {Promise<() => void>} */
async function lock() {
  mkdirSync(dirname(lockFile), { recursive: true })
  const patience = 3600
  let told = false
  for (let waited = 0; waited < patience; waited += 0.2) {
    try {
      writeSync(openSync(lockFile, 'wx'), `${process.pid}`)
      const release = () => rmSync(lockFile, { force: true })
      process.once('exit', release)
      return () => {
        process.off('exit', release)
        release()
      }
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    }
    const holder = lockHolder()
    if (holder === null) rmSync(lockFile, { force: true })
    else if (holder > 0 && !told) {
      console.log(`waiting for the build of process ${holder} ...`)
      told = true
    }
    await sleep(200)
  }
  throw new StepError(`another build holds ${join('.cache', 'build.lock')} for ${patience} s: remove that file if no build is running.`)
}

/** @returns {number | null} the process that builds now; null when it has died without letting go */
function lockHolder() {
  try {
    const pid = Number(readFileSync(lockFile, 'utf8'))
    if (pid > 0) process.kill(pid, 0)
    return pid
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH' ? null : 0
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await script(async () => {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
    if (values.help) console.log('npm run build: installs the dependencies, builds the Rust addon and bundles src into dist, as far as needed.')
    else await build()
  })
}
