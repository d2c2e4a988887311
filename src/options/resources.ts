/** Amounts of resources: as users write them → in parts of 1/10,000, which add up exactly. */

import { badRange, badType } from '../errors/bad-input.ts'
import { optionalNumber } from './check.ts'

/** Parts of one whole. */
export const PARTS = 10_000

/** More than that is no amount of anything here. */
const AMOUNT_MAX = 1e9

/** So much of a named resource, in parts. */
export interface Amount {
  readonly name: string
  readonly parts: number
}

/** An amount in parts. What floating-point sums of decimals leave behind is no part: 0.1 + 0.2 is 0.3. */
export const optionalAmount = (value: unknown, argument: string, max: number = AMOUNT_MAX): number | undefined => {
  const amount = optionalNumber(value, argument, 0, max)
  if (amount === undefined) return undefined
  const parts = Math.round(amount * PARTS)
  if (Math.abs(amount * PARTS - parts) > 1e-9 * Math.max(1, parts)) throw badRange(argument, 'a multiple of 0.0001', value)
  return parts
}

/** Parts of one GPU, or whole ones. */
export const optionalGpus = (value: unknown): number | undefined => {
  const parts = optionalAmount(value, 'options.numGpus')
  if (parts !== undefined && parts > PARTS && parts % PARTS !== 0) throw badRange('options.numGpus', 'less than 1, or a whole number', value)
  return parts
}

/** CPU and GPU have options of their own. */
const OWN: Readonly<Record<string, string>> = { CPU: 'numCpus', GPU: 'numGpus' }

/** Named resources, without those of which there is nothing. */
export const optionalAmounts = (value: unknown, argument: string): readonly Amount[] | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badType(argument, 'an object of numbers by name, such as { db: 4 }', value)
  const amounts: Amount[] = []
  for (const [name, amount] of Object.entries(value)) {
    const own = OWN[name]
    if (own !== undefined) throw badRange(`${argument}.${name}`, `names of your own (say ${name} by the option ${own})`, amount)
    if (name === '') throw badRange(argument, 'names that are not empty', name)
    const parts = optionalAmount(amount, `${argument}.${name}`)
    if (parts === undefined) throw badType(`${argument}.${name}`, 'a number', amount)
    if (parts > 0) amounts.push({ name, parts })
  }
  // The order says nothing: { a, b } and { b, a } are the same need.
  return amounts.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Amounts as users read them. */
export const byName = (amounts: readonly Amount[]): Readonly<Record<string, number>> =>
  Object.freeze(Object.fromEntries(amounts.map(({ name, parts }) => [name, parts / PARTS])))
