/** Runs one suite in this process: `run-suite.ts <file> <settings as JSON>`. */

import { pathToFileURL } from 'node:url'
import { machine, machineLine } from './machine.ts'
import { type Figure, measure } from './measure.ts'
import { table, writeJson } from './report.ts'
import type { Suite } from './suite.ts'

interface Settings {
  readonly json?: string
  readonly runs?: number
  readonly warmup?: number
  /** Only benches whose name contains it. */
  readonly only?: string
}

const [file = '', settingsText = '{}'] = process.argv.slice(2)
const { json, runs, warmup, only } = JSON.parse(settingsText) as Settings
const { suite } = (await import(pathToFileURL(file).href)) as { readonly suite?: Suite }
if (!suite) throw new Error(`${file} exports no \`suite\``)

const where = machine()
console.log(`\n${suite.question}\nNot evidence of: ${suite.notEvidenceOf}\n${machineLine(where)}\n`)

const all: (readonly Figure[])[] = []
for (const bench of await suite.benches()) {
  if (only !== undefined && !bench.bench.includes(only)) continue
  const live = process.stdout.isTTY === true
  const figures = await measure(bench, {
    runs,
    warmup,
    onRound: (round, rounds) => {
      if (live) process.stdout.write(`\r\x1b[K${bench.bench}: round ${round + 1} of ${rounds}`)
    },
  })
  if (live) process.stdout.write('\r\x1b[K')
  all.push(figures)
  if (json !== undefined) writeJson(json, figures, where)
}
if (all.length === 0) throw new Error(only === undefined ? `${file} has no benches` : `${file} has no bench whose name contains "${only}"`)
console.log(table(all))
