/**
 * Joins the modules of src into one, so that a thread reads one file instead of dozens. By rolldown, which leaves a `const` at the top a
 * `const`: esbuild makes it a `var`, which V8 does not take for constant, and a task takes 6 % longer. Rollup leaves it, too, but reads no
 * TypeScript.
 */

import { place, root } from './places.mjs'
import { StepError } from './steps.mjs'

/** What users import, and what a worker thread begins with. */
const entries = ['index', 'state', 'testing', 'worker/loop']

/** A folder deep, as the rooms of src are: `new URL('../…', import.meta.url)` means the same in both. */
const joined = 'bundle/mobula.js'

/** @type {import('rolldown').InputOptions} */
const input = {
  input: Object.fromEntries(entries.map((name) => [name, place('src', `${name}.ts`)])),
  cwd: root,
  platform: 'node',
  // Packages, Node's and others.
  external: /^[^./]/,
  // The oldest that package.json admits.
  transform: { target: 'node20.19' },
  tsconfig: place('tsconfig.json'),
}

/** @type {import('rolldown').OutputOptions} */
const output = {
  dir: 'dist',
  format: 'esm',
  // All modules, the entries among them, which pass on its names: nothing is there twice, and modules run in the order in which they import each other.
  codeSplitting: { groups: [{ name: 'mobula' }] },
  entryFileNames: '[name].js',
  chunkFileNames: 'bundle/[name].js',
  // What rolldown was chosen for.
  topLevelVar: false,
  // Names that two files have get a number. To set the old ones, closures among them, would cost a third of an async task; those that users see are tested.
  keepNames: false,
  minifyInternalExports: false,
  // The package has src: neither the file nor its map need have what stands there.
  comments: false,
  sourcemap: true,
  sourcemapExcludeSources: true,
}

/** @returns {Promise<{ file: string, contents: string | Uint8Array }[]>} the JavaScript of dist and its maps, the files relative to the root */
export async function bundle() {
  // Not before it is wanted: in a fresh clone the build begins without it.
  const { rolldown } = await import('rolldown')
  try {
    /** @type {string[]} */
    const complaints = []
    const modules = await rolldown({ ...input, onLog: (level, { message }) => void (level === 'warn' && complaints.push(message)) })
    try {
      // The build puts each file into place as a whole.
      const made = (await modules.generate(output)).output
      for (const one of made) {
        if (one.type === 'chunk' && one.moduleIds.length > 0 && one.fileName !== joined) complaints.push(`${one.fileName} has code that belongs into ${joined}`)
      }
      if (complaints.length > 0) throw new Error(complaints.join('\n'))
      return made.map((one) => ({ file: `dist/${one.fileName}`, contents: one.type === 'chunk' ? one.code : one.source }))
    } finally {
      await modules.close()
    }
  } catch (error) {
    throw new StepError('src could not be bundled', { output: error instanceof Error ? error.message : String(error), repeat: 'npm run build' })
  }
}
