/** A module that is there later. */
// @ts-nocheck: see cases/

export const waited = await new Promise((resolve) => setTimeout(resolve, 5, 'waited'))
export const show = (x) => `${waited} ${x}`
