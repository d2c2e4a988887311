/** A module whose exports change. */
// @ts-nocheck: see cases/

export let level = 0
export let name = 'level 0'
export const raise = () => {
  level += 1
  name = `level ${level}`
}
