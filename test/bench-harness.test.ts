/** The bench harness: rivals alternate, warm-up is not counted, what is opened is closed, and figures come out as promised. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openPiscina } from '../bench/compare/piscina.ts'
import { openPostMessage } from '../bench/compare/post-message.ts'
import { machine } from '../bench/support/machine.ts'
import { type Figure, measure, spread } from '../bench/support/measure.ts'
import { compared, table, writeJson } from '../bench/support/report.ts'
import type { Bench, Rival } from '../bench/support/suite.ts'

function recorded(log: string[], who: string, figures: number[]): Rival {
  return {
    who,
    open: () => void log.push(`open ${who}`),
    run: () => {
      log.push(who)
      return figures.shift() ?? 0
    },
    close: () => void log.push(`close ${who}`),
  }
}

const bench = (rivals: readonly Rival[], more: Partial<Bench> = {}): Bench => ({
  bench: 'b',
  unit: 'ms',
  params: { size: 1 },
  rivals,
  runs: 2,
  warmup: 1,
  ...more,
})

test('rivals alternate, another one first each round, and warm-up is not counted', async () => {
  const log: string[] = []
  const figures = await measure(bench([recorded(log, 'x', [90, 1, 3]), recorded(log, 'y', [80, 5, 4])]))
  assert.is(log.join(' '), 'open x open y x y y x x y close y close x')
  assert.equal(figures, [
    { bench: 'b', who: 'x', unit: 'ms', median: 2, min: 1, max: 3, runs: 2, params: { size: 1 } },
    { bench: 'b', who: 'y', unit: 'ms', median: 4.5, min: 4, max: 5, runs: 2, params: { size: 1 } },
  ])
})

test('fresh rivals are never open together', async () => {
  const log: string[] = []
  await measure(bench([recorded(log, 'x', [1]), recorded(log, 'y', [1])], { fresh: true, runs: 1, warmup: 0 }))
  assert.is(log.join(' '), 'open x x close x open y y close y')
})

test('a rival that fails leaves nothing open, itself included', async () => {
  for (const broken of ['open', 'run'] as const) {
    const log: string[] = []
    const fails = { ...recorded(log, 'y', []), [broken]: () => Promise.reject(new Error('broken')) }
    const error = await measure(bench([recorded(log, 'x', [1]), fails])).catch((reason: unknown) => reason)
    assert.is((error as Error).message, 'broken')
    assert.is(log.slice(-2).join(' '), 'close y close x')
  }
})

test('what is no figure is refused', async () => {
  const error = await measure(bench([{ who: 'x', run: () => Number.NaN }])).catch((reason: unknown) => reason)
  assert.match((error as Error).message, /x returned NaN/)
})

test('the median of an odd and of an even number of samples', () => {
  assert.equal(spread([5, 1, 100]), { median: 5, min: 1, max: 100, runs: 3 })
  assert.equal(spread([4, 1, 100, 6]), { median: 5, min: 1, max: 100, runs: 4 })
  assert.throws(() => spread([]), /at least one run/)
})

test('rates are better when higher, times when lower', () => {
  const figure = (unit: Figure['unit'], median: number): Figure => ({ bench: 'b', who: 'x', unit, median, min: 1, max: 1, runs: 1, params: {} })
  assert.is(compared(figure('tasks/s', 300), figure('tasks/s', 100)), '3.00× better')
  assert.is(compared(figure('ms', 300), figure('ms', 100)), '3.00× worse')
})

test('figures are shown in a table, and written one JSON object per line', async () => {
  const figures = await measure(bench([recorded([], 'x', [1, 1234.5, 1234.5]), recorded([], 'y', [1, 2, 2])]))
  const lines = table([figures]).split('\n')
  assert.ok(
    lines.some((line) => /b \(size 1\).*x.*1,230.*ms/.test(line)),
    lines.join('\n'),
  )
  const folder = mkdtempSync(join(tmpdir(), 'mobula-bench-'))
  try {
    const file = join(folder, 'figures.jsonl')
    writeJson(file, figures, machine())
    const written = readFileSync(file, 'utf8').trimEnd().split('\n')
    assert.is(written.length, 2)
    const first = JSON.parse(written[0] ?? '') as Record<string, unknown>
    assert.equal(Object.keys(first), ['bench', 'who', 'unit', 'median', 'min', 'max', 'runs', 'params', 'machine'])
    assert.is((first['machine'] as { node: string }).node, process.version)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every rival of bench/compare does the same work', async () => {
  const modes = ['latency', 'throughput', 'plain'] as const
  const opens = [() => openPostMessage({ threads: 2 }), ...modes.map((mode) => () => openPiscina({ threads: 2, mode }))]
  for (const open of opens) {
    const pool = await open()
    try {
      assert.is(await pool.run('add', { a: 1, b: 2 }), 3, pool.who)
      const numbers = new Float64Array([1, 2, 4])
      assert.is(await pool.run('sum', numbers, [numbers.buffer]), 7, pool.who)
      assert.is(numbers.length, 0, `${pool.who} does not transfer`)
      const many = await Promise.all(Array.from({ length: 100 }, (_, index) => pool.run('identity', index)))
      assert.equal(many, [...many.keys()], pool.who)
    } finally {
      await pool.close()
    }
  }
})

test.run()
