/** The main job, `npm run demo`: delay features of three million flights, on workers and on one thread, compared. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { init, shutdown } from 'mobula'
import { readAirports } from './airports.ts'
import { ArgumentError, HELP, parseArguments } from './arguments.ts'
import { withBar } from './bar.ts'
import { compare } from './comparison.ts'
import type { Job } from './job.ts'
import { runOnWorkers } from './on-workers.ts'
import { runOnOneThread } from './one-thread.ts'
import { partitionsOf } from './parquet.ts'
import { checkTable, resultTables, timeTable, trafficTable, whole } from './report.ts'

/** The package exports its code only; its data lie in the folder beside that. */
const data = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')))

/** Both runs get the same bytes, read before either clock starts. */
const loadJob = (rows: number | undefined): Job => {
  const { buffer, byteOffset, byteLength } = readFileSync(data('flights-3m.parquet'))
  const file = new Uint8Array(buffer, byteOffset, byteLength)
  return { file, partitions: partitionsOf(file, rows), airports: readAirports(data('airports.csv')) }
}

const main = async (): Promise<void> => {
  const { help, rows, workers } = parseArguments(process.argv.slice(2))
  if (help) return console.log(HELP)
  const job = loadJob(rows)
  const steps = 3 * job.partitions.length
  const one = await withBar('one thread', steps, (progress) => runOnOneThread(job, progress))
  const info = await init(workers === undefined ? {} : { numCpus: workers, maxWorkers: workers })
  const many = await withBar(`${info.workers} workers `, steps, (progress) => runOnWorkers(job, info.workers, progress))
  const checks = compare(one, many)
  // Again, now that V8 has compiled what is hot, on each thread for itself: what a program sees that goes on for longer.
  const oneAgain = await withBar('one, again', steps, (progress) => runOnOneThread(job, progress))
  const manyAgain = await withBar(`${info.workers}, again   `, steps, (progress) => runOnWorkers(job, info.workers, progress))
  await shutdown()

  const parts = job.partitions.length
  console.log(`${whole(many.sums.rows)} flights in ${parts} ${parts === 1 ? 'partition' : 'partitions'}, node ${info.node}\n`)
  console.log(resultTables(many, job.airports))
  console.log(`\n${timeTable('seconds, from a cold start', one, many, info.workers)}`)
  console.log(`\n${timeTable('seconds, the same once more', oneAgain, manyAgain, info.workers)}`)
  console.log(`\n${trafficTable(many.traffic)}`)
  console.log(`\n${checkTable(checks)}`)
  const different = checks.filter(({ equal }) => !equal)
  if (different.length === 0) return console.log('\nBoth runs came to the same, to the last bit.')
  console.log(`\nThe runs differ in: ${different.map(({ what }) => what).join(', ')}.`)
  process.exitCode = 1
}

try {
  await main()
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
