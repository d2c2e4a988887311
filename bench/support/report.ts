/** Shows figures: a table for people, one JSON object per line for programs. */

import { appendFileSync } from 'node:fs'
import Table from 'cli-table3'
import type { Machine } from './machine.ts'
import type { Figure } from './measure.ts'
import type { Params, Unit } from './suite.ts'

/** One table for a whole suite; the last column compares each rival with the first of its bench. */
export function table(benches: readonly (readonly Figure[])[]): string {
  const table = new Table({
    head: ['bench', 'who', 'median', 'min', 'max', 'unit', 'runs', 'against the first'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'left', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  })
  for (const figures of benches) {
    for (const [index, figure] of figures.entries()) {
      const first = figures[0] ?? figure
      table.push([
        index === 0 ? `${figure.bench}${described(figure.params)}` : '',
        figure.who,
        shown(figure.median),
        shown(figure.min),
        shown(figure.max),
        figure.unit,
        figure.runs,
        index === 0 ? '' : compared(figure, first),
      ])
    }
  }
  return table.toString()
}

/** Appends, so that several suites and several runs can be kept in one file. */
export function writeJson(file: string, figures: readonly Figure[], machine: Machine): void {
  const line = ({ bench, who, unit, median, min, max, runs, params }: Figure): string =>
    `${JSON.stringify({ bench, who, unit, median, min, max, runs, params, machine })}\n`
  appendFileSync(file, figures.map(line).join(''))
}

export function isRate(unit: Unit): boolean {
  return unit.endsWith('/s') || unit === '%'
}

/** How much better or worse than the first, as a factor that is 1 or more. */
export function compared(figure: Figure, first: Figure): string {
  const better = isRate(figure.unit) ? figure.median / first.median : first.median / figure.median
  if (!Number.isFinite(better) || better <= 0) return ''
  return better >= 1 ? `${factor(better)} better` : `${factor(1 / better)} worse`
}

function factor(times: number): string {
  return `${times.toFixed(times < 10 ? 2 : 0)}×`
}

/** Three significant digits, and thousands apart. */
function shown(value: number): string {
  const rounded = value === 0 ? 0 : Number(value.toPrecision(3))
  return Math.abs(rounded) >= 1000 ? rounded.toLocaleString('en-US') : String(rounded)
}

function described(params: Params): string {
  const parts = Object.entries(params).map(([name, value]) => `${name} ${value}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}
