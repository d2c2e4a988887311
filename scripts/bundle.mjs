/**
 * Joins the modules of src into one, so that a thread reads one file instead of dozens. By esbuild, which is well kept and is here
 * already: tsx, which runs the tests, brings it.
 */

import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { place, root } from './places.mjs'
import { StepError } from './steps.mjs'

/** What users import, and what a worker thread begins with. */
const entries = ['index', 'state', 'testing', 'worker/loop'].map((name) => place('src', `${name}.ts`))

/**
 * Every entry imports every other, so all of them need the same modules, of which esbuild makes one file, and the entries pass on its
 * names: nothing is there twice, and modules run in the order in which they import each other, which esbuild does not keep between files.
 * @type {import('esbuild').Plugin}
 */
const joined = {
  name: 'joined',
  setup({ onLoad }) {
    const imports = entries.map((entry) => `import ${JSON.stringify(entry)}\n`).join('')
    onLoad({ filter: /\.ts$/ }, ({ path }) => (entries.includes(path) ? { loader: 'ts', contents: `${readFileSync(path, 'utf8')}\n${imports}` } : undefined))
  },
}

/** @type {import('esbuild').BuildOptions} */
const options = {
  entryPoints: entries,
  absWorkingDir: root,
  outbase: 'src',
  outdir: 'dist',
  // A folder deep, as the rooms of src are: `new URL('../…', import.meta.url)` means the same in both. A second chunk is an error, by its name.
  chunkNames: 'bundle/mobula',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  // The oldest that package.json admits.
  target: 'node20.19',
  packages: 'external',
  // The package has src: the maps need not have it, too.
  sourcemap: true,
  sourcesContent: false,
  // Names that two files have get a number. To set the old ones, closures among them, would cost a third of an async task; those that users see are tested.
  keepNames: false,
  plugins: [joined],
  logLevel: 'silent',
  // The build puts each file into place as a whole.
  write: false,
}

/** @returns {Promise<{ file: string, contents: Uint8Array }[]>} the JavaScript of dist and its maps, the files relative to the root */
export async function bundle() {
  // Not before it is wanted: in a fresh clone the build begins without it.
  const { build, formatMessages, stop } = await import('esbuild')
  try {
    const { outputFiles = [], warnings } = await build(options)
    if (warnings.length > 0) throw new Error((await formatMessages(warnings, { kind: 'warning' })).join(''))
    return outputFiles.map(({ path, contents }) => ({ file: relative(root, path).replaceAll('\\', '/'), contents }))
  } catch (error) {
    throw new StepError('src could not be bundled', { output: error instanceof Error ? error.message : String(error), repeat: 'npm run build' })
  } finally {
    await stop()
  }
}
