/** A module that nobody imports before it is needed. */
// @ts-nocheck: see cases/

import { area } from './plane.mjs'

export const lazily = (x) => `lazy ${area(x, 2)}`
