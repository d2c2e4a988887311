/** `mobula/state`: what the runtime is doing, for people. */

import './platform.ts'

export { type MemorySummary, memorySummary } from './api/memory-summary.ts'
export type { Holding } from './engine/engine.ts'
