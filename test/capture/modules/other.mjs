/** A module that passes on what another exports, under other names. */
// @ts-nocheck: see cases/

export * as plane from './plane.mjs'
export { default as halve, Point as Place } from './plane.mjs'
export const other = 'other'
