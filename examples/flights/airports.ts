/** The airports of airports.csv as two arrays that every task reads from the store: what they are called, and where they are. */

import { readFileSync } from 'node:fs'

export interface Airports {
  /** The code of airport k, four bytes as one number. */
  readonly codes: Uint32Array
  /** Where airport k is on a sphere of radius 1: x, y, z at 3k, 3k + 1, 3k + 2. */
  readonly positions: Float64Array
}

/**
 * The code is the first field of a line, latitude and longitude are the last two, and none of them is ever quoted. Names and cities
 * between them may be, which is why the line is cut from both ends instead of at every comma.
 */
export const readAirports = (file: string): Airports => {
  const lines = readFileSync(file, 'latin1').trimEnd().split('\n').slice(1)
  const codes = new Uint32Array(lines.length)
  const positions = new Float64Array(lines.length * 3)
  lines.forEach((line, k) => {
    const beforeLongitude = line.lastIndexOf(',')
    const beforeLatitude = line.lastIndexOf(',', beforeLongitude - 1)
    const latitude = radians(line.slice(beforeLatitude + 1, beforeLongitude))
    const longitude = radians(line.slice(beforeLongitude + 1))
    codes[k] = packed(Buffer.from(line.slice(0, line.indexOf(',')), 'latin1'))
    positions[3 * k] = Math.cos(latitude) * Math.cos(longitude)
    positions[3 * k + 1] = Math.cos(latitude) * Math.sin(longitude)
    positions[3 * k + 2] = Math.sin(latitude)
  })
  return { codes, positions }
}

/** Finds airports by the bytes of their codes. */
export const airportFinder = ({ codes }: Airports): ((code: Uint8Array) => number) => {
  const rows = new Map<number, number>()
  codes.forEach((code, k) => {
    rows.set(code, k)
  })
  return (code) => {
    const row = rows.get(packed(code))
    if (row === undefined) throw new Error(`no airport is called ${Buffer.from(code).toString('latin1')}`)
    return row
  }
}

export const airportCode = ({ codes }: Airports, row: number): string => {
  const code = codes[row] ?? 0
  return String.fromCharCode(code >>> 24, (code >>> 16) & 255, (code >>> 8) & 255, code & 255).replaceAll('\0', '')
}

/** On a sphere as large as the Earth: its mean radius by the IUGG. */
const EARTH_RADIUS_KM = 6371.0088

/** From the straight line through the Earth, so that a flight costs one root and one arcsine instead of the haversine's five functions. */
export const greatCircleKm = (positions: Float64Array, from: number, to: number): number => {
  const x = (positions[3 * from] as number) - (positions[3 * to] as number)
  const y = (positions[3 * from + 1] as number) - (positions[3 * to + 1] as number)
  const z = (positions[3 * from + 2] as number) - (positions[3 * to + 2] as number)
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(x * x + y * y + z * z) / 2))
}

const radians = (degrees: string): number => {
  const value = Number(degrees)
  if (degrees === '' || !Number.isFinite(value)) throw new Error(`${degrees} is no angle`)
  return (value * Math.PI) / 180
}

const packed = (code: Uint8Array): number => {
  let value = 0
  for (let k = 0; k < 4; k++) value = (value << 8) | (code[k] ?? 0)
  return value >>> 0
}
