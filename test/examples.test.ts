/** The examples and the demo do what they say: run as a reader runs them, and the demo's figures are worked out a second way. time limit: 300 s */

import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { get, init, put, shutdown } from 'mobula'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { airportCode, airportFinder, greatCircleKm, readAirports } from '../examples/flights/airports.ts'
import { ArgumentError, parseArguments } from '../examples/flights/arguments.ts'
import { columnsOf } from '../examples/flights/arrow.ts'
import { compare } from '../examples/flights/comparison.ts'
import { FEATURE_COUNT } from '../examples/flights/features.ts'
import type { Job } from '../examples/flights/job.ts'
import { runOnOneThread } from '../examples/flights/one-thread.ts'
import { partitionsOf } from '../examples/flights/parquet.ts'
import { decode } from '../examples/flights/tasks.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dataFile = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')))
const parquet = new Uint8Array(readFileSync(dataFile('flights-3m.parquet')))
const airports = readAirports(dataFile('airports.csv'))

const example = async (file: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, ['--import', 'tsx', `examples/${file}`, ...args], { cwd: root })) }
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string }
  }
}

/** What each small example prints. One that is added must be added here. */
const printed: Readonly<Record<string, readonly string[]>> = {
  'nested.ts': ['400000 numbers, in order: true'],
  'quick-start.ts': ['tasks run on 2 threads', '[ 4, 168, 9592 ]', '78523', 'true'],
  'share-array.ts': ['16 tasks read 64 MB where it lies: the sum is 4189990528', 'it begins with 0, 1, 2, whatever became of the first copy: 0, 0, 0'],
  'take-along.ts': [
    'true 3 ab838eaa',
    'true 12 4d2062a6',
    '[ 2, 4, 8 ]',
    '99 100',
    "false cannot ship 'anonymous', which captures locked, which captures lock.held, which is a Promise; await it first, or pass an ObjectRef",
  ],
}

test('every example is among those that are run, and short', () => {
  const files = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.ts'))
  assert.equal(files.sort(), Object.keys(printed))
  for (const file of files) assert.ok(readFileSync(join(root, 'examples', file), 'utf8').split('\n').length <= 61, `${file} is longer than 60 lines`)
})

for (const [file, lines] of Object.entries(printed)) {
  test(`${file} prints what its comments say`, async () => {
    const { code, stdout, stderr } = await example(file)
    assert.is(code, 0, stderr)
    assert.equal(stdout.trimEnd().split('\n'), [...lines])
  })
}

/** The first rows, decoded by hyparquet itself into an object per row. */
const rowsOf = (count: number, start = 0): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({
    file: { byteLength: parquet.byteLength, slice: (from, to) => parquet.slice(from, to).buffer },
    compressors,
    rowStart: start,
    rowEnd: start + count,
  })

const jobOf = (rows: number): Job => ({ file: parquet, partitions: partitionsOf(parquet, rows), airports })
const progress = (): void => {}

test('the demo on a small slice: figures, checksums, bytes, and nothing on stderr', async () => {
  const { code, stdout, stderr } = await example('flights/main.ts', '--rows', '20000', '--workers', '2')
  assert.is(code, 0, stderr + stdout)
  assert.is(stderr, '')
  const rows = await rowsOf(20_000)
  assert.match(stdout, '20,000 flights in 1 partition,')
  // Monday, worked out from the row objects and by JavaScript's own calendar.
  const mondays = rows.filter(({ date }) => (date as Date).getUTCDay() === 1).map(({ delay }) => Number(delay))
  const mean = mondays.reduce((sum, delay) => sum + delay, 0) / mondays.length
  const late = mondays.filter((delay) => delay >= 15).length / mondays.length
  assert.equal(cells(stdout, 'Monday'), ['Monday', mondays.length.toLocaleString('en-US'), mean.toFixed(2), `${(100 * late).toFixed(1)} %`])
  const total = rows.reduce((sum, { delay }) => sum + Number(delay), 0).toLocaleString('en-US')
  assert.equal(cells(stdout, 'minutes of delay'), ['minutes of delay', total, total, 'equal'])
  assert.equal(cells(stdout, 'tensors that differ in a byte'), ['tensors that differ in a byte', '0', '0', 'equal'])
  const megabytes = `${((20_000 * FEATURE_COUNT * 4) / 1e6).toFixed(1)} MB`
  assert.equal(cells(stdout, 'tensors '), ['tensors', '1', megabytes, megabytes, 'the driver, to compare'])
  assert.match(stdout, 'Both runs came to the same, to the last bit.')
  assert.not.match(stdout, 'DIFFERENT')
})

test('the demo on more than one row group cuts the last', async () => {
  const { code, stdout, stderr } = await example('flights/main.ts', '--rows', '300000', '--workers', '3')
  assert.is(code, 0, stderr + stdout)
  assert.match(stdout, '300,000 flights in 2 partitions')
  assert.equal(cells(stdout, 'rows'), ['rows', '300,000', '300,000', 'equal'])
  assert.match(stdout, '3 workers')
})

test('wrong arguments are one sentence and exit code 2, and --help is no mistake', async () => {
  const wrong = await example('flights/main.ts', '--rows', 'many')
  assert.is(wrong.code, 2)
  assert.is(wrong.stderr, '--rows must be a whole number from 1 up, not "many".\n')
  assert.is(wrong.stdout, '')
  const help = await example('flights/main.ts', '--help')
  assert.is(help.code, 0)
  assert.match(help.stdout, '--workers N')
})

test('arguments: what is taken and what is not', () => {
  assert.equal(parseArguments(['--rows', '1_000', '--workers=4']), { help: false, rows: 1000, workers: 4 })
  assert.equal(parseArguments([]), { help: false, rows: undefined, workers: undefined })
  for (const wrong of [['--rows', '0'], ['--rows', '-1'], ['--rows', '1.5'], ['--rows', ''], ['--workers', '257'], ['--rows'], ['--row', '1'], ['1000']]) {
    assert.throws(
      () => parseArguments(wrong),
      (error: unknown) => error instanceof ArgumentError && /^\S.*[^.]\.$/.test(error.message) && !error.message.includes('\n'),
      wrong.join(' '),
    )
  }
})

test('columns are what hyparquet reads, at both ends of a row group and in the last', async () => {
  const { partitions } = jobOf(3_000_000)
  assert.is(partitions.length, 11)
  for (const { group, start } of [
    { group: 0, start: 0 },
    { group: 5, start: 272_727 - 500 },
    { group: 10, start: 272_730 - 500 },
  ]) {
    const partition = partitions[group]
    assert.ok(partition)
    const columns = columnsOf(decode(parquet, partition, airports))
    const rows = await rowsOf(500, group * 272_727 + start)
    const read = rows.map((_, k) => ({
      date: new Date((columns.minute[start + k] as number) * 60_000),
      delay: BigInt(columns.delay[start + k] as number),
      distance: BigInt(columns.distance[start + k] as number),
      origin: airportCode(airports, columns.origin[start + k] as number),
      destination: airportCode(airports, columns.destination[start + k] as number),
    }))
    assert.equal(read, rows)
  }
})

test('a table in the store is read where it lies: its columns are views of one stored object', async () => {
  const [partition] = partitionsOf(parquet, 10_000)
  assert.ok(partition)
  await init({ numCpus: 1 })
  try {
    const columns = columnsOf(await get(put(decode(parquet, partition, airports))))
    // One buffer under all columns is the stored object itself; copies would have one each.
    assert.is(new Set(Object.values(columns).map(({ buffer }) => buffer)).size, 1)
    assert.is(columns.origin.length, 10_000)
  } finally {
    await shutdown()
  }
})

test('features are scaled to mean 0 and standard deviation 1, and are what their definitions say', async () => {
  const outcome = runOnOneThread(jobOf(280_000), progress)
  const [row] = await rowsOf(1)
  const first = outcome.tensors[0]?.values
  assert.ok(first && row)
  const when = row.date as Date
  const hour = (2 * Math.PI * (when.getUTCHours() * 60 + when.getUTCMinutes())) / 1440
  const weekday = (2 * Math.PI * when.getUTCDay()) / 7
  const expected = [
    Math.sin(hour),
    Math.cos(hour),
    Math.sin(weekday),
    Math.cos(weekday),
    1,
    haversineKm(row.origin, row.destination),
    Number(row.distance),
    Number(row.delay),
  ]
  expected.forEach((value, k) => {
    near(first[k] as number, (value - (outcome.scaling.mean[k] as number)) * (outcome.scaling.factor[k] as number), 1e-5)
  })
  for (let k = 0; k < FEATURE_COUNT; k++) {
    let [count, sum, squares] = [0, 0, 0]
    for (const { values } of outcome.tensors) {
      for (let at = k; at < values.length; at += FEATURE_COUNT) {
        const value = values[at] as number
        count++
        sum += value
        squares += value * value
      }
    }
    assert.is(count, 280_000)
    near(sum / count, 0, 1e-5)
    near(squares / count, 1, 1e-5)
  }
})

test('great circles: a known one, the same place, the other side of the Earth', () => {
  const row = (code: string): number => airportFinder(airports)(Buffer.from(code))
  // New York to Los Angeles is 3,974 km by every table; the coordinates here have eight digits.
  near(greatCircleKm(airports.positions, row('JFK'), row('LAX')), 3974, 2)
  near(greatCircleKm(airports.positions, row('JFK'), row('LAX')), haversineKm('JFK', 'LAX'), 1e-6)
  assert.is(greatCircleKm(airports.positions, row('ATL'), row('ATL')), 0)
  near(greatCircleKm(Float64Array.of(1, 0, 0, -1, 0, 0), 0, 1), Math.PI * 6371.0088, 1e-6)
  assert.throws(() => row('???'), /no airport is called \?\?\?/)
})

test('a name with commas in quotes does not shift the columns', () => {
  const row = airportFinder(airports)(Buffer.from('BTR'))
  near((Math.asin(airports.positions[3 * row + 2] as number) * 180) / Math.PI, 30.53316083, 1e-9)
})

test('a difference in one number of one tensor, or in one sum, is found', () => {
  const one = runOnOneThread(jobOf(2000), progress)
  const other = runOnOneThread(jobOf(2000), progress)
  assert.not(compare(one, other).some(({ equal }) => !equal))
  const values = other.tensors[0]?.values
  assert.ok(values)
  values[values.length - 1] = (values.at(-1) as number) + 1e-3
  assert.equal(different(compare(one, other)), ['tensors that differ in a byte'])
  other.sums.byHour.late[0] = (other.sums.byHour.late[0] as number) + 1
  assert.equal(different(compare(one, other)), ['figures by group that differ', 'tensors that differ in a byte'])
  assert.equal(different(compare(one, { ...one, sums: { ...one.sums, miles: one.sums.miles + 1 } })), ['miles flown'])
  assert.equal(different(compare({ ...one, tensors: [] }, one)), ['sum of the tensors', 'tensors that differ in a byte'])
})

test('npm run demo passes its arguments and its exit code on', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/demo.mjs', '--workers', '0'], { cwd: root, encoding: 'utf8' })
  assert.is(status, 2, stdout + stderr)
  assert.match(stderr, '--workers must be a whole number from 1 to 256, not "0".')
})

test.run()

/** The cells of the row that begins with these words. */
function cells(output: string, start: string): string[] {
  const line = output.split('\n').find((one) => one.startsWith(`│ ${start}`))
  assert.ok(line, `no row begins with ${start} in\n${output}`)
  return line
    .split('│')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

function different(checks: ReturnType<typeof compare>): string[] {
  return checks.filter(({ equal }) => !equal).map(({ what }) => what)
}

function near(value: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(value - expected) <= tolerance, `expected ${expected} ± ${tolerance}, got ${value}`)
}

/** By the other formula, and from the file's text. */
function haversineKm(from: unknown, to: unknown): number {
  const lines = readFileSync(dataFile('airports.csv'), 'utf8').split('\n')
  const [one, other] = [from, to].map((code) =>
    (lines.find((line) => line.startsWith(`${code},`)) ?? '')
      .split(',')
      .slice(-2)
      .map((degrees) => (Number(degrees) * Math.PI) / 180),
  )
  const [[lat1 = 0, lon1 = 0] = [], [lat2 = 0, lon2 = 0] = []] = [one, other]
  const a = Math.sin((lat2 - lat1) / 2) ** 2 + Math.cos(lat1) * Math.cos(lat2) * Math.sin((lon2 - lon1) / 2) ** 2
  return 2 * 6371.0088 * Math.asin(Math.sqrt(a))
}
