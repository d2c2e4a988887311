/** The architecture holds: imports go one way, each outside thing has one door, every file says what it is for, unsafe code is where it is named. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { filesBelow } from '../scripts/fingerprint.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The rooms of src by level, the highest first: each may import rooms of lower levels, and itself. */
const levels: readonly (readonly string[])[] = [
  ['index', 'state', 'testing'],
  ['api', 'driver', 'worker'],
  ['runtime', 'engine'],
  ['store'],
  ['binding', 'codec', 'functions', 'options', 'protocol'],
  ['errors', 'platform', 'refs'],
]

/** Imports inside a level, or upwards, that are meant: "from → to", each with its reason. */
const exceptions: Readonly<Record<string, string>> = {
  'api → driver': 'init starts the runtime, also from a synchronous first call; the pool itself is loaded with the first thread',
  'driver → worker': 'the driver starts workers, and what it hands them is described where it is received',
  'runtime → engine': 'the runtime drives the engine through its seam',
  'functions → codec': 'what a function captures is encoded',
  'functions → binding': 'texts of functions are analysed in Rust, and what travels has random names',
  'options → functions': 'a predicate or a class that is given as an option travels as functions and classes do',
}

/** What has one door only: a module that matches may be imported by the files that match, and by no other. */
const doors: readonly { readonly what: RegExp; readonly by: RegExp; readonly why: string }[] = [
  { what: /(^|\/)native\/|^#addon$/, by: /^src\/binding\.ts$/, why: 'only src/binding.ts loads the addon' },
  { what: /^piscina$/, by: /^src\/driver\/piscina-host\.ts$/, why: 'only src/driver/piscina-host.ts sees piscina' },
  { what: /^apache-arrow$/, by: /^src\/codec\/kinds\/arrow\.ts$/, why: 'only src/codec/kinds/arrow.ts sees Arrow' },
]

/** What Rust says of functions and modules. */
const analyses = ['ClassRecord', 'FreeNameRecord', 'FunctionAnalysis', 'ImportRecord', 'ModuleAnalysis', 'RangeRecord', 'RequireRecord']

/** What may be taken from src/binding.ts above the Engine seam: control alone, so that another engine can stand below it. */
const control = {
  rooms: /^src\/(driver|functions|worker)\//,
  names: new Set([
    'actorThreadEnded',
    'analyzeFunction',
    'analyzeLoading',
    'analyzeModule',
    'boxNames',
    'randomWords',
    ...analyses,
    'executeThread',
    'running',
    'start',
    'actorThreadEnded',
    'threadEnded',
    'threadTerminating',
    'version',
  ]),
  free: /^src\/engine\/local\//,
}

/** Files that nobody imports, because something else starts them. */
const entries = /^src\/((index|state|testing)\.ts|worker\/boot\.mjs)$/

/** Where `unsafe` may be written: rooms whose reason to exist is memory, atomics or the boundary. The rest of the crate forbids it. */
const unsafeFiles: readonly RegExp[] = [
  /^crates\/binding\/src\/(bell|drafts|handles|hook|objects|port|raw|uv|watch|lib)\.rs$/,
  /^crates\/store\/src\/(copy|draft|entry|file|growth|linecopy|mapping|pagemap|pin|private|reader|restore|segment|table|view|window)\.rs$/,
  /^crates\/sched\/src\/(slab|slot|table)\.rs$/,
  /^crates\/sync\/src\/(mutex|condvar|cache_padded|cell)\.rs$/,
  /^crates\/[a-z]+\/tests\//,
]

/** Names of drawers that fill up with what belongs elsewhere. */
const drawers = /(^|\/)(utils?|common|helpers?|misc|manager)(\.\w+)?(\/|$)/

interface Source {
  readonly file: string
  readonly text: string
  readonly imports: readonly string[]
  /** Files whose names stand in it in any form, those of workers that it starts included. */
  readonly mentions: readonly string[]
}

const source = filesBelow(root, ['src']).filter(isScript).map(read)
const others = filesBelow(root, ['test', 'bench', 'examples', 'scripts']).filter(isScript).map(read)
const rust = filesBelow(root, ['crates'])
  .filter((file) => extname(file) === '.rs' && !file.includes('/target/'))
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))

test('imports go one way, from the rooms above to those below', () => {
  const wrong = source.flatMap(({ file, imports }) =>
    imports.flatMap((target) => {
      const [from, to] = [roomOf(file), roomOf(target)]
      if (to === null || from === null || from === to || `${from} → ${to}` in exceptions) return []
      const [above, below] = [levelOf(from), levelOf(to)]
      if (above === -1) return [`${file}: the room ${from} has no level in test/tidy.test.ts`]
      return below > above ? [] : [`${file} imports ${target}: ${from} may import only what is below it`]
    }),
  )
  none(wrong)
})

test('the package can be loaded without its pool and its Arrow', () => {
  const wrong = source.flatMap(({ file, text }) => {
    const eager = [...text.matchAll(/^import (?!type )[^;]*? from '([^']+)'/gm)].map((match) => resolve(file, match[1] ?? ''))
    const heavy = eager.filter((target) => target === 'piscina' || target === 'apache-arrow')
    return heavy.map((target) => `${file} imports ${target} at once: load it where it is first needed`)
  })
  none(wrong)
})

test('each outside thing has one door', () => {
  const wrong = source.flatMap(({ file, imports, mentions }) =>
    [...new Set([...imports, ...mentions])].flatMap((target) =>
      doors.flatMap(({ what, by, why }) => (what.test(target) && !by.test(file) ? [`${file} imports ${target}: ${why}`] : [])),
    ),
  )
  none(wrong)
})

test('above the Engine seam nothing is taken from the binding but control', () => {
  const wrong = source.flatMap(({ file, text }) =>
    [...text.matchAll(/^import (?:type )?\{([^}]*)\} from '([^']+)'/gm)].flatMap(([, names = '', target = '']) => {
      if (resolve(file, target) !== 'src/binding.ts' || control.free.test(file)) return []
      const taken = names.split(',').map((name) => name.replace(/^\s*type\s|\sas\s.*$/g, '').trim())
      const strange = control.rooms.test(file) ? taken.filter((name) => name !== '' && !control.names.has(name)) : taken
      return strange.map((name) => `${file} takes ${name} from src/binding.ts: go through src/engine`)
    }),
  )
  none(wrong)
})

test('src imports nothing but itself, Node, and what package.json promises to bring', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>
  const brought = new Set([...Object.keys(manifest['dependencies'] ?? {}), ...Object.keys(manifest['peerDependencies'] ?? {})])
  // A worker registers the tsx that the user's program has; the package does not bring it.
  brought.add('tsx')
  const wrong = source.flatMap(({ file, imports }) =>
    imports.flatMap((target) => {
      if (/^(node:|src\/|native\/|#)/.test(target)) return []
      const name = target.split('/', target.startsWith('@') ? 2 : 1).join('/')
      return brought.has(name) ? [] : [`${file} imports ${target}`]
    }),
  )
  none(wrong)
})

test('no file of src is imported by nobody', () => {
  const imported = new Set(source.flatMap(({ imports, mentions }) => [...imports, ...mentions]))
  none(source.flatMap(({ file }) => (imported.has(file) || entries.test(file) ? [] : [`${file} is imported by nobody`])))
})

test('every module begins with one sentence on what it is for', () => {
  const scripts = [...source, ...others].flatMap(({ file, text }) => {
    const said = /^(?:#!.*\n)?\/\*\*\s*([\s\S]*?)\*\//
      .exec(text)?.[1]
      ?.replace(/\n\s*\*/g, ' ')
      .trim()
    return said !== undefined && /^\S.{15,}[.:]/.test(said) ? [] : [`${file} does not begin with /** a sentence. */`]
  })
  const crates = rust.flatMap(({ file, text }) => (/^\/\/! \S.{10,}/.test(text) ? [] : [`${file} does not begin with //! a sentence.`]))
  none([...scripts, ...crates])
})

test('there are no drawers', () => {
  none([...source, ...others, ...rust].flatMap(({ file }) => (drawers.test(file) ? [`${file}: name it after its one noun or verb`] : [])))
})

test('only the entries of the package, and the file that a room is named after, pass on what others export', () => {
  none(
    source.flatMap(({ file, text }) =>
      !/^src\/(index|state|testing|(\w+)\/\2)\.ts$/.test(file) && /^export (?:type )?(?:\*|\{[^}]*\}) from /m.test(text) ? [`${file} re-exports`] : [],
    ),
  )
})

test('unsafe code is only where it is named', () => {
  const wrong = rust.flatMap(({ file, text }) => {
    const code = withoutRustText(text)
    return /\bunsafe\s*(\{|fn\b|impl\b|extern\b)/.test(code) && !unsafeFiles.some((named) => named.test(file)) ? [`${file} has unsafe code`] : []
  })
  none(wrong)
  for (const crate of ['analysis', 'runtime'])
    assert.match(
      readFileSync(join(root, `crates/${crate}/src/lib.rs`), 'utf8'),
      /^#!\[forbid\(unsafe_code\)\]$/m,
      `crates/${crate} does not forbid unsafe code`,
    )
})

test('crates know only the crates below them, and nothing of Node outside the binding', () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    sync: [],
    store: ['sync'],
    sched: ['sync'],
    runtime: ['store', 'sched', 'sync'],
    analysis: [],
    binding: ['analysis', 'runtime', 'store', 'sched', 'sync'],
  }
  const wrong = filesBelow(root, ['crates'])
    .filter((file) => /^crates\/\w+\/Cargo\.toml$/.test(file))
    .flatMap((file) => {
      const crate = file.split('/')[1] ?? ''
      const text = readFileSync(join(root, file), 'utf8')
      const inside = [...text.matchAll(/^mobula-(\w+)\b/gm)].map((match) => match[1] ?? '')
      const outside = crate !== 'binding' && /^(napi|neon|node-)/m.test(text) ? [`${file} depends on something of Node`] : []
      return [...outside, ...inside.flatMap((other) => (allowed[crate]?.includes(other) ? [] : [`${file} depends on mobula-${other}`]))]
    })
  none(wrong)
})

test('no file names a place that only one machine has', () => {
  const texts = filesBelow(root, ['.ci', 'bench', 'crates', 'docs', 'examples', 'native', 'scripts', 'src', 'test'])
    .concat([
      'README.md',
      'ARCHITECTURE.md',
      'CONTRIBUTING.md',
      'CHANGELOG.md',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'biome.json',
      'Cargo.toml',
    ])
    .filter((file) => existsSync(join(root, file)) && /\.(ts|mjs|js|json|md|rs|toml|supp)$|^\.ci\//.test(file))
  const forbidden = [/\.\.\/shared\b/, /\/(?:work|root|home\/\w+|Users\/\w+)\/[a-z]/, /"resolved": "https?:/]
  none(
    texts.flatMap((file) => {
      if (file === 'test/tidy.test.ts') return []
      const text = readFileSync(join(root, file), 'utf8')
      return forbidden.flatMap((pattern) => {
        const found = pattern.exec(text)
        return found ? [`${file} says ${found[0]}`] : []
      })
    }),
  )
})

test.run()

function none(wrong: readonly string[]): void {
  if (wrong.length > 0) throw new Error(`${wrong.length} breaches (why: ARCHITECTURE.md)\n  ${wrong.join('\n  ')}`)
}

function isScript(file: string): boolean {
  return /\.(ts|mjs)$/.test(file) && !file.endsWith('.d.ts')
}

function read(file: string): Source {
  const text = readFileSync(join(root, file), 'utf8')
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const said = [
    ...code.matchAll(/\b(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'/g),
    ...code.matchAll(/^import '([^']+)'/gm),
    ...code.matchAll(/\b(?:import|require|requireNative|require\.resolve)\(\s*'([^']+)'/g),
  ]
  const named = code.matchAll(/'(\.{1,2}\/[^'\s]+\.(?:ts|js|mjs|node))'/g)
  const targets = (matches: Iterable<RegExpMatchArray>): string[] => Array.from(matches, (match) => resolve(file, match[1] ?? ''))
  return { file, text, imports: targets(said), mentions: targets(named) }
}

/** A relative import as a path from the root, with the extension of its source: a built worker is started from TypeScript. */
function resolve(file: string, target: string): string {
  if (!target.startsWith('.')) return target
  const path = normalize(join(dirname(file), target)).replaceAll('\\', '/')
  const typescript = path.replace(/\.js$/, '.ts')
  return existsSync(join(root, path)) || !existsSync(join(root, typescript)) ? path : typescript
}

/** src/codec/kinds/arrow.ts is in the room codec, src/binding.ts is a room of its own; outside src there are none. */
function roomOf(file: string): string | null {
  return /^src\/(\w[\w-]*)/.exec(file)?.[1] ?? null
}

function levelOf(room: string): number {
  return levels.findIndex((level) => level.includes(room))
}

/** Without comments and literals, in which the word may stand. */
function withoutRustText(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
}
