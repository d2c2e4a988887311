/** A module that counts on its thread how often it was loaded. */
// @ts-nocheck: see cases/

const key = Symbol.for('mobula.capture.loads')
globalThis[key] = (globalThis[key] ?? 0) + 1

/** Names the thread, too. */
const thread = Math.random()

export const loads = () => [globalThis[key], thread]
