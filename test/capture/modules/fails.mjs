/** A module that throws on every thread but the driver's. */
// @ts-nocheck: see cases/

if (globalThis[Symbol.for('mobula.capture.driver')] !== true) throw new RangeError('fails.mjs cannot be loaded here')

export const useless = () => 'useless'
