/** The ways in which users' code comes to run, and the cases of test/capture in each of them: as ES modules, TypeScript, compiled, bundled, as text. */

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { cases as texts } from '../test/capture/texts.mjs'
import { filesBelow } from './fingerprint.mjs'
import { cleanEnvironment, npm, packageCommand, place, readJson, root } from './places.mjs'
import { duration, StepError } from './steps.mjs'
import { run } from './tool.mjs'

/**
 * @typedef {object} Setup
 * @property {string} name
 * @property {readonly string[]} nodes the lines of Node that have it
 * @property {() => Promise<Start> | Start} prepare makes its files, and tells how it is started
 * @property {readonly string[]} [lacks] cases that fail there, as docs/functions.md says; that one passes is told, too
 */

/** @typedef {{ args: readonly string[], input?: string, cwd?: string, env?: NodeJS.ProcessEnv }} Start input: a file for stdin */

const every = ['20', '22', '24', '26']
const withoutOldest = ['22', '24', '26']
const source = place('test', 'capture')

/** Below the package, so that `mobula` is the package itself; whoever needs a manifest of its own gets a link. @param {string} name */
const folderOf = (name) => place('.cache', 'capture', name)

/** @type {readonly Setup[]} */
export const setups = [
  { name: 'esm', nodes: every, prepare: () => ({ args: [join(source, 'run.mjs')] }) },
  { name: 'esm-source-maps', nodes: ['24'], prepare: () => ({ args: ['--enable-source-maps', join(source, 'run.mjs')] }) },
  { name: 'cjs', nodes: every, prepare: () => ({ args: [join(source, 'run.cjs')] }) },
  { name: 'odd-path', nodes: ['20', '24'], prepare: () => ({ args: [join(copied('odd path #1 %41 ä?x'), 'run.mjs')] }) },
  { name: 'crlf', nodes: ['24'], prepare: crlf },
  { name: 'inspected', nodes: ['20', '24'], prepare: () => ({ args: ['--inspect=0', join(source, 'run.mjs')] }) },
  { name: 'coverage', nodes: ['20', '24'], prepare: coverage },
  { name: 'node-test', nodes: ['24'], prepare: nodeTest },
  { name: 'worker', nodes: every, prepare: () => ({ args: [join(source, 'in-worker.mjs')] }) },
  { name: 'tsx', nodes: every, prepare: () => ({ args: ['--import', 'tsx', typescript('tsx', '.ts', ['typescript', 'enums'])] }) },
  // On Node 20 tsx cannot require ES modules, as the package is one.
  {
    name: 'tsx-cts',
    nodes: withoutOldest,
    prepare: () => ({ args: ['--import', 'tsx', typescript('tsx-cts', '.cts', ['typescript', 'enums'])] }),
    lacks: ['an instance of a class that its module does not export'],
  },
  { name: 'strip', nodes: withoutOldest, prepare: () => ({ args: [typescript('strip', '.ts', ['typescript'])] }) },
  { name: 'esbuild-cjs', nodes: every, prepare: esbuildFiles },
  { name: 'tsc-cjs', nodes: every, prepare: tscFiles },
  { name: 'bundle', nodes: every, prepare: () => bundle('bundle', {}) },
  { name: 'bundle-cjs', nodes: ['24'], prepare: () => bundle('bundle-cjs', { format: 'cjs' }) },
  { name: 'bundle-min', nodes: every, prepare: () => bundle('bundle-min', { minify: true }) },
  { name: 'vite-ssr', nodes: ['24'], prepare: viteSsr },
  {
    name: 'webpack',
    nodes: ['24'],
    prepare: webpack,
    lacks: ['a local file: named, default, namespace, class', 'a local file that passes on another', 'namespaces in an object'],
  },
  { name: 'eval-esm', nodes: every, prepare: () => ({ args: ['--input-type=module', '-e', texts.esm] }) },
  { name: 'eval-cjs', nodes: every, prepare: () => ({ args: ['--input-type=commonjs', '-e', texts.cjs] }) },
  { name: 'stdin-esm', nodes: every, prepare: () => ({ args: ['--input-type=module', '-'], input: written('stdin-esm', texts.esm) }) },
  { name: 'stdin-cjs', nodes: every, prepare: () => ({ args: ['--input-type=commonjs', '-'], input: written('stdin-cjs', texts.cjs) }) },
  { name: 'repl', nodes: every, prepare: () => ({ args: ['-i'], input: written('repl', texts.repl) }) },
  { name: 'uvu', nodes: every, prepare: uvu },
  { name: 'vitest', nodes: every, prepare: () => vitest('forks') },
  { name: 'vitest-vm', nodes: every, prepare: () => vitest('vmThreads') },
  { name: 'vite', nodes: every, prepare: vite },
  { name: 'jest', nodes: every, prepare: jest },
]

/** @param {string} name */
export const setupOf = (name) => {
  const found = setups.find((setup) => setup.name === name)
  if (found === undefined) throw new StepError(`there is no setup ${name}: ${setups.map((setup) => setup.name).join(', ')}`)
  return found
}

/** Prepared once for all Nodes. @type {Map<string, Promise<Start>>} */
const prepared = new Map()

/**
 * Runs the cases of a setup. Shows nothing: the lines are for whoever asked.
 * @param {Setup} setup
 * @param {string} node
 * @param {{ limitSeconds?: number, more?: readonly string[] }} [options] more: arguments for the runner
 * @returns {Promise<{ passed: number, failed: number, lines: string[] }>}
 */
export async function runSetup(setup, node, { limitSeconds = 300, more = [] } = {}) {
  const ready = prepared.get(setup.name) ?? Promise.resolve().then(() => setup.prepare())
  prepared.set(setup.name, ready)
  const start = performance.now()
  /** @type {Start} */
  let made
  try {
    made = await ready
  } catch (error) {
    const { message, output = '' } = /** @type {StepError} */ (error)
    return { passed: 0, failed: 1, lines: [...output.split('\n'), `it could not be prepared: ${message}`] }
  }
  const { args, input, cwd = root, env = {} } = made
  const environment = { ...cleanEnvironment(), NO_COLOR: '1', NODE_REPL_HISTORY: '', ...env }
  const [program, ...first] = input === undefined ? [node] : ['sh', '-c', 'input=$1; shift; exec "$@" < "$input"', 'sh', input, node]
  const result = await run(program ?? node, [...first, ...args, ...more], { cwd, env: environment, limitSeconds })
  // Behind the prompt of the REPL.
  const said = /^(?:> )?(\d+) of (\d+)$/m.exec(result.output)
  const passed = Number(said?.[1] ?? 0)
  const all = Number(said?.[2] ?? 0)
  const lines = result.output.split('\n').filter((line) => /FAILED |does not end/.test(line))
  if (result.late) lines.push(`not finished within ${limitSeconds} s`)
  if (said === null) lines.push(...result.output.trimEnd().split('\n').slice(-30))
  const { lacks = [] } = setup
  const lacking = lacks.filter((name) => lines.some((line) => line.includes(`FAILED ${name}:`)))
  for (const name of lacks) if (!lacking.includes(name)) lines.push(`FAILED ${name}: it passes, though docs/functions.md says that it does not`)
  // Those that fail are listed; a process that says all is well has to end well.
  const failed = all - passed - 2 * lacking.length + lacks.length + (said === null || result.late || (passed === all && result.code !== 0) ? 1 : 0)
  if (passed === all && result.code !== 0) lines.push(`it ended with ${result.signal ?? `exit code ${result.code}`}`)
  return { passed, failed, lines: [...lines, `${passed} of ${all}, ${duration(performance.now() - start)}`] }
}

/** The files of the cases. */
const sources = () => filesBelow(source, ['.']).filter((file) => /^(cases\/|modules\/|esm-modules\/|case|run|runner)/.test(file) && /\.(mjs|json)$/.test(file))

/** Imports of files beside a file, under the extension that these have now. @param {string} text @param {string} extension */
const withExtension = (text, extension) => text.replace(/(['"`])(\.{1,2}\/[^'"`\n]+)\.(?:mjs|ts)(\?\w+)?\1/g, `$1$2${extension}$3$1`)

/** @param {string} name @param {string} text */
function written(name, text) {
  const file = join(folderOf(name), 'input.js')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

/**
 * Copies the cases, JavaScript as it is, into files of TypeScript. Returns the one to start.
 * @param {string} name @param {string} extension @param {readonly string[]} more files of cases that only TypeScript has
 */
function typescript(name, extension, more) {
  const folder = folderOf(name)
  rmSync(folder, { recursive: true, force: true })
  for (const file of [...sources(), ...more.map((one) => `cases/${one}.ts`)]) {
    const to = join(folder, file.replace(/\.(mjs|ts)$/, extension))
    mkdirSync(dirname(to), { recursive: true })
    if (extname(file) === '.json') cpSync(join(source, file), to)
    else writeFileSync(to, withExtension(readFileSync(join(source, file), 'utf8'), extension))
  }
  const entry = extension === '.cts' ? 'run-common' : 'run'
  const file = join(folder, `${entry}${extension}`)
  const imports = more.map((one) => `import './cases/${one}${extension}'\n`).join('')
  writeFileSync(file, `${imports}${readFileSync(file, 'utf8')}`)
  return file
}

/** Each file by itself, as build tools do that keep modules apart. */
async function esbuildFiles() {
  const { transform } = await import('esbuild')
  const folder = folderOf('esbuild-cjs')
  rmSync(folder, { recursive: true, force: true })
  for (const file of sources().filter((file) => !/\b(run|esm|entry|waits)\.mjs$/.test(file))) {
    const to = join(folder, file.replace(/\.mjs$/, '.cjs'))
    mkdirSync(dirname(to), { recursive: true })
    if (extname(file) === '.json') cpSync(join(source, file), to)
    else {
      const text = withExtension(readFileSync(join(source, file), 'utf8'), '.cjs')
      writeFileSync(to, (await transform(text, { format: 'cjs', platform: 'node', target: 'node20', sourcefile: basename(to) })).code)
    }
  }
  return { args: [join(folder, 'run-common.cjs')] }
}

async function tscFiles() {
  const from = folderOf('tsc-cjs-source')
  const folder = folderOf('tsc-cjs')
  rmSync(folder, { recursive: true, force: true })
  typescript('tsc-cjs-source', '.cts', ['typescript', 'enums'])
  for (const name of ['cases/esm', 'cases/entry', 'esm-modules/waits']) rmSync(join(from, `${name}.cts`))
  rmSync(join(from, 'run.cts'))
  for (const file of filesBelow(from, ['.']).filter((file) => extname(file) === '.cts')) {
    const path = join(from, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace(/\.cts(['"`])/g, '.cjs$1'))
  }
  const options = { target: 'es2022', module: 'nodenext', types: ['node'], outDir: folder, rootDir: from, noCheck: true, sourceMap: true, skipLibCheck: true }
  writeFileSync(join(from, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['**/*.cts'] }))
  const { code, output } = await run(process.execPath, [packageCommand('typescript', 'tsc'), '-p', from], { cwd: root, limitSeconds: 120 })
  if (code !== 0) throw new StepError('tsc does not compile the cases', { output })
  return { args: [join(folder, 'run-common.cjs')] }
}

/** All in one file but the packages. @param {string} name @param {import('esbuild').BuildOptions} options */
async function bundle(name, options) {
  const { build } = await import('esbuild')
  const folder = folderOf(name)
  rmSync(folder, { recursive: true, force: true })
  const outfile = join(folder, options.format === 'cjs' ? 'bundle.cjs' : 'bundle.mjs')
  await build({
    entryPoints: [join(source, 'run-common.mjs')],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    logLevel: 'silent',
    ...options,
  })
  return { args: [outfile, '--bundled', ...(options.minify ? ['--no-names'] : [])] }
}

/** What `vite build --ssr` makes: all in one file but the packages. A linked package, as `mobula` is here, has to be named. */
async function viteSsr() {
  const folder = await installed('vite', ['vite@7'])
  copyCases(folder)
  writeFileSync(join(folder, 'vite.config.mjs'), "export default { ssr: { external: ['mobula'] }, build: { target: 'node20', sourcemap: true } }\n")
  await compiled(folder, 'vite', ['build', '--ssr', 'run-common.mjs', '--logLevel', 'error'])
  return { args: [join(folder, 'dist', 'run-common.js'), '--bundled'] }
}

/** For Node, as ES modules, with the packages outside. */
async function webpack() {
  const folder = await installed('webpack', ['webpack@5', 'webpack-cli@6'])
  copyCases(folder)
  const config = {
    mode: 'production',
    target: 'node20',
    entry: './run-common.mjs',
    experiments: { outputModule: true },
    output: { module: true, path: join(folder, 'dist'), filename: 'bundle.mjs' },
    devtool: 'source-map',
    // The cases ask for exports that are not there, and `createRequire` of what is no file.
    module: { parser: { javascript: { exportsPresence: false, createRequire: false } } },
  }
  const externals = "({ request }, done) => (/^[./]/.test(request) ? done() : done(null, 'module ' + request))"
  writeFileSync(join(folder, 'webpack.config.mjs'), `export default { ...${JSON.stringify(config)}, externalsType: 'module', externals: [${externals}] }\n`)
  await compiled(folder, 'webpack', [])
  return { args: [join(folder, 'dist', 'bundle.mjs'), '--bundled', '--no-names'] }
}

/** Runs a build tool that was installed apart. @param {string} folder @param {string} name @param {readonly string[]} args */
async function compiled(folder, name, args) {
  const { bin } = readJson(join(folder, 'node_modules', name, 'package.json'))
  const program = join(folder, 'node_modules', name, typeof bin === 'string' ? bin : bin[name])
  const { code, output } = await run(process.execPath, [program, ...args], { cwd: folder, env: cleanEnvironment(), limitSeconds: 300 })
  if (code !== 0) throw new StepError(`${name} does not compile the cases`, { output })
}

/** The cases as uvu's tests, under tsx. */
function uvu() {
  const entry = typescript('uvu', '.ts', ['typescript'])
  const file = join(dirname(entry), 'cases.test.ts')
  writeFileSync(
    file,
    `import { test } from 'uvu'\n${asTests("import './cases/typescript.ts'\nimport './cases/every.ts'\nimport './cases/esm.ts'", 'ts')}test.run()\n`,
  )
  return { args: ['--import', 'tsx', file] }
}

/** One test that runs all cases: what a test framework does to modules is the question, not how it counts. @param {string} imports @param {string} extension */
const asTests = (imports, extension) => `${imports}
import { runCases } from './runner.${extension}'

test('cases', async () => {
  await runCases({ exits: false })
}${extension === 'ts' ? '' : ', 240_000'})
`

/** The cases as tests of Node's own. */
function nodeTest() {
  const file = join(copied('node-test'), 'cases.test.mjs')
  writeFileSync(file, asTests("import { test } from 'node:test'\nimport './cases/every.mjs'\nimport './cases/esm.mjs'", 'mjs').replace(', 240_000', ''))
  return { args: [file] }
}

/** With the ends of lines and the mark at the beginning that editors of Windows leave. */
function crlf() {
  const folder = copied('crlf')
  for (const file of filesBelow(folder, ['.']).filter((file) => extname(file) === '.mjs')) {
    const text = readFileSync(join(folder, file), 'utf8')
    writeFileSync(join(folder, file), `\ufeff${text.replaceAll('\n', '\r\n')}`)
  }
  return { args: [join(folder, 'run.mjs')] }
}

/** V8's coverage goes by the same inspector as capture. It has to be written as if there were no capture. */
function coverage() {
  const folder = folderOf('coverage')
  rmSync(folder, { recursive: true, force: true })
  return { args: [join(source, 'run.mjs')], env: { NODE_V8_COVERAGE: folder } }
}

/** Installs test frameworks apart from the project, once. @param {string} name @param {readonly string[]} packages */
async function installed(name, packages) {
  const folder = folderOf(name)
  mkdirSync(folder, { recursive: true })
  if (existsSync(join(folder, 'node_modules', 'mobula'))) return folder
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  const { program, first } = npm()
  const args = [...first, 'install', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline', ...packages]
  const { code, output } = await run(program, args, { cwd: folder, env: cleanEnvironment(), limitSeconds: 600 })
  if (code !== 0) throw new StepError(`npm does not install ${packages.join(' and ')}`, { output })
  symlinkSync(root, join(folder, 'node_modules', 'mobula'))
  return folder
}

/** A fresh copy of the cases as they are. @param {string} name */
function copied(name) {
  const folder = folderOf(name)
  rmSync(folder, { recursive: true, force: true })
  copyCases(folder)
  return folder
}

/** @param {string} folder */
function copyCases(folder) {
  for (const file of sources()) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(source, file), join(folder, file))
  }
}

/** With the cases, those that only vite loads among them. */
async function withVite() {
  const folder = await installed('vitest', ['vitest@4'])
  copyCases(folder)
  cpSync(join(source, 'vite'), join(folder, 'vite'), { recursive: true })
  return folder
}

/** As a server of vite's loads what it renders with. */
async function vite() {
  const folder = await withVite()
  writeFileSync(
    join(folder, 'run-vite.mjs'),
    "import './cases/every.mjs'\nimport './cases/esm.mjs'\nimport './vite/cases'\nexport { runCases } from './runner.mjs'\n",
  )
  const server = `import { createServer, createServerModuleRunner } from 'vite'
// A package that is linked vite takes for a part of the project; an installed one it leaves to Node.
const ssr = { external: ['mobula'] }
const server = await createServer({ server: { middlewareMode: true, hmr: false, ws: false }, appType: 'custom', logLevel: 'error', ssr })
const runner = createServerModuleRunner(server.environments.ssr, { hmr: false, sourcemapInterceptor: 'prepareStackTrace' })
const { runCases } = await runner.import('/run-vite.mjs')
await runCases({ exits: false })
await server.close()
`
  writeFileSync(join(folder, 'server.mjs'), server)
  return { args: [join(folder, 'server.mjs')], cwd: folder }
}

/** @param {string} pool */
async function vitest(pool) {
  const folder = await withVite()
  const imports = "import { test } from 'vitest'\nimport './cases/every.mjs'\nimport './cases/esm.mjs'\nimport './vite/cases'\nimport './vite/mocks'"
  writeFileSync(join(folder, 'cases.test.mjs'), asTests(imports, 'mjs'))
  writeFileSync(join(folder, 'vitest.config.mjs'), "export default { define: { __DEFINED__: JSON.stringify('defined') } }\n")
  const args = [join(folder, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--root', folder, `--pool=${pool}`, '--disable-console-intercept']
  return { args, cwd: folder }
}

async function jest() {
  const folder = await installed('jest', ['jest@30'])
  copyCases(folder)
  writeFileSync(join(folder, 'cases.test.mjs'), asTests("import './cases/every.mjs'\nimport './cases/esm.mjs'", 'mjs'))
  writeFileSync(
    join(folder, 'jest.config.mjs'),
    "export default { testMatch: ['**/*.test.mjs'], transform: {}, moduleFileExtensions: ['mjs', 'js', 'cjs', 'json', 'node'] }\n",
  )
  return { args: ['--experimental-vm-modules', join(folder, 'node_modules', 'jest', 'bin', 'jest.js'), '--rootDir', folder], cwd: folder }
}
