/** `mobula/testing`: what tests of programs over this package look at. */

/// <reference types="node" preserve="true" />
import './platform.ts'

export { collectGarbage } from './api/collect-garbage.ts'
export { type Fault, faults } from './api/faults.ts'
export { type Stats, stats } from './api/stats.ts'
