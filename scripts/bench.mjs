/** `npm run bench`: builds, then measures each suite of bench/ in a process of its own, and prints medians with their spread. */

import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { filesBelow } from './fingerprint.mjs'
import { place, root } from './places.mjs'
import { StepError, script } from './steps.mjs'
import { run } from './tool.mjs'

const suites = filesBelow(root, ['bench']).filter((file) => /^bench\/[^/]+\.bench\.ts$/.test(file))
const names = suites.map((file) => basename(file, '.bench.ts'))

const help = `npm run bench [-- [suites] [options]]

  suites         ${names.length > 0 ? names.join(', ') : '(there is none yet)'}; all unless named
  --json FILE    append each figure to FILE, one JSON object per line:
                 { bench, who, unit, median, min, max, runs, params, machine }
  --only TEXT    only benches whose name contains TEXT
  --runs N       measured rounds of each bench, instead of what its suite says
  --warmup N     rounds before those that are not counted
  --help`

await script(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      only: { type: 'string' },
      runs: { type: 'string' },
      warmup: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    console.log(help)
    return
  }
  for (const name of positionals) {
    if (!names.includes(name)) throw new StepError(`there is no suite ${name}: there are ${names.join(', ')}`)
  }
  if (suites.length === 0) throw new StepError('there is no suite: bench/<name>.bench.ts is missing')
  const settings = JSON.stringify({
    json: values.json === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? process.cwd(), values.json),
    only: values.only,
    runs: count('runs', values.runs, 1),
    warmup: count('warmup', values.warmup, 0),
  })
  await build({ quiet: true })
  for (const name of positionals.length > 0 ? positionals : names) {
    const file = place('bench', `${name}.bench.ts`)
    if (!existsSync(file)) throw new StepError(`there is no ${file}`)
    const result = await run(process.execPath, ['--expose-gc', '--import', 'tsx', 'bench/support/run-suite.ts', file, settings], {
      cwd: root,
      inherit: true,
      limitSeconds: 3600,
    })
    if (result.late) throw new StepError(`the suite ${name} did not end within an hour`)
    if (result.code !== 0) throw new StepError(`the suite ${name} failed`, { repeat: `npm run bench -- ${name}` })
  }
})

/** @param {string} option @param {string | undefined} text @param {number} least */
function count(option, text, least) {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isInteger(number) || number < least) throw new StepError(`--${option} wants a whole number of at least ${least}, and got ${text}`)
  return number
}
