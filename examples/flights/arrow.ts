/** A partition as an Arrow table: its columns lie in the store and are read there. */

import { makeVector, Table } from 'apache-arrow'
import type { Columns } from './parquet.ts'

export const arrowOf = ({ minute, delay, distance, origin, destination }: Columns): Table =>
  new Table({
    minute: makeVector(minute),
    delay: makeVector(delay),
    distance: makeVector(distance),
    origin: makeVector(origin),
    destination: makeVector(destination),
  })

/** The arrays under the table. Nothing is copied: one batch's columns are views of what the store holds. */
export const columnsOf = (table: Table): Columns => ({
  minute: table.getChild('minute')?.toArray(),
  delay: table.getChild('delay')?.toArray(),
  distance: table.getChild('distance')?.toArray(),
  origin: table.getChild('origin')?.toArray(),
  destination: table.getChild('destination')?.toArray(),
})

/** The bytes of all columns. */
export const tableBytes = (table: Table): number => Object.values(columnsOf(table)).reduce((bytes, { byteLength }) => bytes + byteLength, 0)
