/** `mobula/state`: what the runtime is doing, for people. */

/// <reference types="node" preserve="true" />
import './platform.ts'

export { type MemorySummary, memorySummary } from './api/memory-summary.ts'
export { availableResources, clusterResources } from './api/resources.ts'
export type { Holding } from './engine/engine.ts'
