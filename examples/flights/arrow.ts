/** A partition as an Arrow table: a stream of bytes that is read where it lies. */

import { makeVector, Table, tableFromIPC, tableToIPC } from 'apache-arrow'
import type { Columns } from './parquet.ts'

/** As IPC bytes rather than as a `Table`, so that it does not matter which copy of apache-arrow a reader has: tsx loads one for `import` and one for `require`. */
export const arrowOf = ({ minute, delay, distance, origin, destination }: Columns): Uint8Array =>
  tableToIPC(
    new Table({
      minute: makeVector(minute),
      delay: makeVector(delay),
      distance: makeVector(distance),
      origin: makeVector(origin),
      destination: makeVector(destination),
    }),
    'stream',
  )

/** The arrays under the table. Nothing is copied: one batch's columns are views of the bytes. */
export const columnsOf = (bytes: Uint8Array): Columns => {
  const table = tableFromIPC(bytes)
  return {
    minute: table.getChild('minute')?.toArray(),
    delay: table.getChild('delay')?.toArray(),
    distance: table.getChild('distance')?.toArray(),
    origin: table.getChild('origin')?.toArray(),
    destination: table.getChild('destination')?.toArray(),
  }
}
