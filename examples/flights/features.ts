/** What is computed of a flight: eight numbers. */

import { type Airports, greatCircleKm } from './airports.ts'
import type { Columns } from './parquet.ts'

export const FEATURES = [
  'hour, sine',
  'hour, cosine',
  'weekday, sine',
  'weekday, cosine',
  'day of the year',
  'great circle, km',
  'distance flown, mi',
  'delay, min',
] as const

export const FEATURE_COUNT: number = FEATURES.length

const MINUTES_PER_DAY = 1440
const DAYS_PER_WEEK = 7
const MS_PER_DAY = 86_400_000

/** 0 is Sunday, as in JavaScript; 1 January 1970 was a Thursday. */
export const weekdayOf = (minute: number): number => (Math.floor(minute / MINUTES_PER_DAY) + 4) % DAYS_PER_WEEK

export const hourOf = (minute: number): number => Math.floor((minute % MINUTES_PER_DAY) / 60)

/** Sines, then cosines, of a circle in so many steps: a time of day or a weekday has few values, and its neighbours are near at midnight too. */
const circle = (steps: number): Float64Array => {
  const table = new Float64Array(2 * steps)
  for (let k = 0; k < steps; k++) {
    const angle = (2 * Math.PI * k) / steps
    table[k] = Math.sin(angle)
    table[steps + k] = Math.cos(angle)
  }
  return table
}

const CLOCK = circle(MINUTES_PER_DAY)
const WEEK = circle(DAYS_PER_WEEK)

/** Writes the features of flight `row` into `features`, and nothing else: both passes read them from there. */
export const featuresOf = (columns: Columns, { positions }: Airports): { readonly features: Float64Array; readonly compute: (row: number) => void } => {
  const { minute, delay, distance, origin, destination } = columns
  const features = new Float64Array(FEATURE_COUNT)
  let day = -1
  const compute = (row: number): void => {
    const now = minute[row] as number
    const time = now % MINUTES_PER_DAY
    const today = (now - time) / MINUTES_PER_DAY
    // The records are in the order of time, so a date is worked out about 16 times per partition.
    if (today !== day) {
      day = today
      const weekday = weekdayOf(now)
      features[2] = WEEK[weekday] as number
      features[3] = WEEK[DAYS_PER_WEEK + weekday] as number
      features[4] = dayOfYear(today)
    }
    features[0] = CLOCK[time] as number
    features[1] = CLOCK[MINUTES_PER_DAY + time] as number
    features[5] = greatCircleKm(positions, origin[row] as number, destination[row] as number)
    features[6] = distance[row] as number
    features[7] = delay[row] as number
  }
  return { features, compute }
}

/** 1 January is 1. */
const dayOfYear = (day: number): number => {
  const date = new Date(day * MS_PER_DAY)
  return day - Date.UTC(date.getUTCFullYear(), 0, 1) / MS_PER_DAY + 1
}
