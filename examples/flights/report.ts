/** The tables that the demo prints. */

import Table from 'cli-table3'
import { type Airports, airportCode } from './airports.ts'
import type { Check } from './comparison.ts'
import { FEATURES } from './features.ts'
import { type Outcome, PHASES, totalOf } from './job.ts'
import type { Tally } from './sums.ts'
import type { Traffic } from './traffic.ts'

const WEEKDAYS = [
  ['Monday', 1],
  ['Tuesday', 2],
  ['Wednesday', 3],
  ['Thursday', 4],
  ['Friday', 5],
  ['Saturday', 6],
  ['Sunday', 0],
] as const
const BUSIEST = 5

export const resultTables = ({ sums, scaling }: Outcome, airports: Airports): string => {
  const weekdays = WEEKDAYS.map(([name, weekday]) => [name, ...figures(sums.byWeekday, weekday)])
  const hours = [...sums.byHour.flights.keys()].filter((hour) => (sums.byHour.flights[hour] as number) > 0)
  const byDelay = hours.toSorted((a, b) => meanDelay(sums.byHour, a) - meanDelay(sums.byHour, b))
  const bestAndWorst = [...new Set([byDelay[0], byDelay.at(-1)])].flatMap((hour) => (hour === undefined ? [] : [[clock(hour), ...figures(sums.byHour, hour)]]))
  const origins = [...sums.byOrigin.flights.keys()].toSorted((a, b) => (sums.byOrigin.flights[b] as number) - (sums.byOrigin.flights[a] as number))
  const busiest = origins.slice(0, BUSIEST).filter((row) => (sums.byOrigin.flights[row] as number) > 0)
  const features = FEATURES.map((name, k) => [name, decimal(scaling.mean[k]), decimal(1 / (scaling.factor[k] as number))])
  return [
    table(['weekday', ...FIGURES], weekdays),
    table(
      ['from', ...FIGURES],
      busiest.map((row) => [airportCode(airports, row), ...figures(sums.byOrigin, row)]),
    ),
    table(['best and worst hour', ...FIGURES], bestAndWorst),
    table(['feature', 'mean', 'standard deviation'], features),
  ].join('\n')
}

export const timeTable = (title: string, one: Outcome, many: Outcome, workers: number): string => {
  const [all, allAtOnce] = [totalOf(one.times), totalOf(many.times)]
  return table(
    [title, 'one thread', `${workers} ${workers === 1 ? 'worker' : 'workers'}`, 'faster by'],
    [
      ...PHASES.map((phase) => [
        phase,
        seconds(one.times[phase]),
        seconds(many.times[phase]),
        phase === 'start' ? '' : times(one.times[phase], many.times[phase]),
      ]),
      ['all', seconds(all), seconds(allAtOnce), times(all, allAtOnce)],
      ['all without start', seconds(all), seconds(allAtOnce - many.times.start), times(all, allAtOnce - many.times.start)],
    ],
  )
}

export const trafficTable = (traffic: readonly Traffic[]): string =>
  table(
    ['in the store', 'objects', 'copied in', 'read in place', 'by'],
    [
      ...traffic.map(({ what, objects, written, read, readers }) => [what, whole(objects), megabytes(written), megabytes(read), readers]),
      ['all', whole(sum(traffic, 'objects')), megabytes(sum(traffic, 'written')), megabytes(sum(traffic, 'read')), ''],
    ],
    [4],
  )

export const checkTable = (checks: readonly Check[]): string =>
  table(
    ['checksum', 'one thread', 'workers', ''],
    checks.map(({ what, one, other, equal }) => [what, exact(one), exact(other), equal ? 'equal' : 'DIFFERENT']),
  )

export const whole = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 })

const FIGURES = ['flights', 'mean delay, min', '15 min late or more'] as const

const figures = (tally: Tally, group: number): string[] => {
  const flights = tally.flights[group] as number
  return [
    whole(flights),
    flights === 0 ? '' : meanDelay(tally, group).toFixed(2),
    flights === 0 ? '' : `${((100 * (tally.late[group] as number)) / flights).toFixed(1)} %`,
  ]
}

const meanDelay = ({ delay, flights }: Tally, group: number): number => (delay[group] as number) / (flights[group] as number)

const table = (head: readonly string[], rows: readonly (readonly string[])[], leftColumns: readonly number[] = []): string => {
  const colAligns = head.map((_, k) => (k === 0 || leftColumns.includes(k) ? ('left' as const) : ('right' as const)))
  const result = new Table({ head: [...head], colAligns, style: { head: [], border: [], compact: true } })
  result.push(...rows.map((row) => [...row]))
  return result.toString()
}

const sum = (traffic: readonly Traffic[], key: 'objects' | 'written' | 'read'): number => traffic.reduce((total, one) => total + one[key], 0)
const clock = (hour: number): string => `${String(hour).padStart(2, '0')}:00–${String(hour).padStart(2, '0')}:59`
const decimal = (value: number | undefined): string => (value !== undefined && Number.isFinite(value) ? value.toFixed(3) : '–')
const seconds = (ms: number): string => (ms === 0 ? '–' : (ms / 1000).toFixed(3))
const times = (one: number, other: number): string => (other > 0 ? `${(one / other).toFixed(2)} ×` : '')
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
/** All digits that a double has, so that two of them that look alike are alike. */
const exact = (value: number): string => (Number.isInteger(value) ? whole(value) : String(value))
