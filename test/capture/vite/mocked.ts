/** A module in whose place a test puts another. */

export const said = (x: number): string => `said ${x}`
