/** What `npm pack` makes can be installed elsewhere, imported, required and type-checked. Time limit: 300 s. */

import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanEnvironment, npm, packageCommand, readJson, root } from '../../scripts/places.mjs'

const exec = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'mobula-package-'))
const user = join(folder, 'user')
let tarball = ''
let files: readonly string[] = []

/** Runs a program in the user's folder; what it printed is part of the error if it fails. */
async function call(program: string, args: readonly string[], cwd: string = user): Promise<string> {
  try {
    return (await exec(program, args, { cwd, env: { ...cleanEnvironment(), NO_COLOR: '1' }, maxBuffer: 1 << 26 })).stdout
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string }
    throw new Error(`${message}\n${stdout}\n${stderr}`)
  }
}

const callNpm = (args: readonly string[], cwd?: string): Promise<string> => call(npm().program, [...npm().first, ...args], cwd)

test.before(async () => {
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n')
  const packed = await callNpm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root)
  const listed: unknown = JSON.parse(packed)
  const [only] = Object.values(listed as Record<string, { filename: string; files: { path: string }[] }>)
  tarball = join(folder, only?.filename ?? '')
  files = only?.files.map(({ path }) => path) ?? []
  await callNpm(['install', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline', tarball])
})

test.after(() => {
  rmSync(folder, { recursive: true, force: true })
})

const names = 'Object.keys(mobula).sort().join()'

test('it holds what a user needs, and nothing that only the project needs', () => {
  for (const wanted of ['dist/index.js', 'dist/index.d.ts', 'dist/worker/boot.mjs', 'native/index.cjs', 'LICENSE', 'README.md', 'package.json']) {
    assert.ok(files.includes(wanted), `${wanted} is missing`)
  }
  const strange = files.filter((file) => /^(crates|test|bench|scripts|examples|target|node_modules|\.)/.test(file))
  assert.equal(strange, [])
})

test('its maps name files that it has', () => {
  const wrong = files
    .filter((file) => file.endsWith('.map'))
    .flatMap((file) => {
      const { sources } = readJson(join(user, 'node_modules', 'mobula', file)) as { sources: string[] }
      return sources.map((source) => posix.join(posix.dirname(file), source)).flatMap((source) => (files.includes(source) ? [] : [`${file} names ${source}`]))
    })
  assert.equal(wrong, [])
})

test('it can be imported', async () => {
  const printed = await call(process.execPath, ['--input-type=module', '-e', `import * as mobula from 'mobula'; console.log(${names})`])
  assert.match(printed, /\bget\b.*\binit\b.*\bput\b/)
})

test('what it exports has the name under which it is exported', async () => {
  // The function behind `remote` has none.
  const program = `
    for (const entry of ['mobula', 'mobula/state', 'mobula/testing'])
      for (const [name, value] of Object.entries(await import(entry)))
        if (typeof value === 'function' && ![name, ''].includes(value.name)) console.log(entry, name, value.name)`
  assert.is(await call(process.execPath, ['--input-type=module', '-e', program]), '')
})

test('hosts that it does not run on are told so before the addon is loaded', async () => {
  const bun = `Object.defineProperty(process.versions, 'bun', { value: '1.0.0' }); process.dlopen = () => console.log('the addon is loaded')`
  for (const entry of ['mobula', 'mobula/state', 'mobula/testing']) {
    const program = `${bun}; await import('${entry}').catch((error) => console.log(error.message))`
    const printed = await call(process.execPath, ['--input-type=module', '-e', program])
    assert.match(printed, /^mobula does not run on Bun: [^\n]*\n$/, entry)
  }
})

test('what its modules do when they are loaded is part of it', async () => {
  // src/engine/local/hold.ts, from which nobody takes a name.
  const program = `const before = process.listenerCount('exit'); await import('mobula'); console.log(process.listenerCount('exit') - before)`
  assert.is((await call(process.execPath, ['--input-type=module', '-e', program])).trim(), '1')
})

test('it can be required where Node can require a module', async () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const can = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)
  assert.ok(can, 'package.json admits a Node that cannot')
  const printed = await call(process.execPath, ['--input-type=commonjs', '-e', `const mobula = require('mobula'); console.log(${names})`])
  assert.match(printed, /\bget\b.*\binit\b.*\bput\b/)
})

test('importing it keeps no process alive and starts nothing', async () => {
  const program = `import 'mobula'; console.log(process.getActiveResourcesInfo().filter((name) => /Worker|Port|Timeout/.test(name)).length)`
  assert.is((await call(process.execPath, ['--input-type=module', '-e', program])).trim(), '0')
})

test('it works without the development dependencies: a task runs in a worker, and meets its runtime by every entry', async () => {
  assert.not.ok(existsSync(join(user, 'node_modules', 'tsx')), 'tsx came with the package')
  const program = `
    import { get, init, remote, shutdown } from 'mobula'
    await init({ numCpus: 1 })
    const double = remote((n) => n * 2)
    console.log(await get(double.remote(21)))
    const others = remote(async () => {
      const { isInitialized } = await import('mobula')
      const { clusterResources } = await import('mobula/state')
      const { stats } = await import('mobula/testing')
      return [isInitialized(), (await clusterResources()).CPU, (await stats()).tables.slots > 0]
    })
    console.log((await get(others.remote())).join())
    await shutdown()
  `
  writeFileSync(join(user, 'task.mjs'), program)
  assert.is(await call(process.execPath, ['task.mjs']), '42\ntrue,1,true\n')
})

test('errors of a task name the file and line of its function, also where Node reads source maps', async () => {
  const program = `
    import { get, remote, shutdown } from 'mobula'
    const fails = remote(() => {
      throw new Error('of the user')
    })
    console.log(await get(fails.remote()).catch((error) => error.stack))
    await shutdown()
  `
  writeFileSync(join(user, 'fails.mjs'), program)
  for (const options of [[], ['--enable-source-maps']]) {
    const [, first = ''] = (await call(process.execPath, [...options, 'fails.mjs'])).split('\n')
    assert.match(first, /\/user\/fails\.mjs:4:/, `with ${options.join() || 'no options'}`)
  }
})

test('its types are found and strict', async () => {
  mkdirSync(join(user, 'node_modules', '@types'), { recursive: true })
  for (const name of ['@types/node', 'undici-types']) {
    if (existsSync(join(root, 'node_modules', name))) cpSync(join(root, 'node_modules', name), join(user, 'node_modules', name), { recursive: true })
  }
  writeFileSync(
    join(user, 'check.mts'),
    `import { createBuffer, get, put } from 'mobula'
     import { stats } from 'mobula/testing'
     export const n: number = await get(put(1))
     // @ts-expect-error
     export const s: string = await get(put(1))
     export const bytes: Uint8Array<ArrayBuffer> = createBuffer(3).buffer
     // @ts-expect-error
     export const view: Float64Array<ArrayBuffer> = await get(put(new Float64Array(3)))
     export const pins: number = (await stats()).store.pins\n`,
  )
  // Neither told of Node's types nor spared the package's own: what it needs it says itself.
  const args = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable']
  await call(process.execPath, [packageCommand('typescript', 'tsc'), ...args, 'check.mts'])
})

test('it names all packages that its types need', () => {
  const { peerDependencies = {}, dependencies = {} } = readJson(join(root, 'package.json'))
  const text = files.filter((file) => file.endsWith('.d.ts')).map((file) => readFileSync(join(user, 'node_modules', 'mobula', file), 'utf8'))
  if (text.some((types) => /\bBuffer\b|'node:|types="node"/.test(types))) assert.ok('@types/node' in { ...peerDependencies, ...dependencies })
})

test('publint finds nothing', async () => {
  await call(process.execPath, [packageCommand('publint', 'publint'), 'run', tarball, '--strict'], root)
})

test('attw finds nothing', async () => {
  // "esm-only": that CommonJS code meets a module is meant, and tested above with `require`.
  await call(process.execPath, [packageCommand('@arethetypeswrong/cli', 'attw'), tarball, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii'], root)
})

test('the license named is the license enclosed', () => {
  assert.is(readJson(join(root, 'package.json')).license, 'Apache-2.0')
  assert.ok(files.includes('LICENSE'))
})

test.run()
