/** Random ids. Node's 'crypto' would do, but takes 7 ms to load in a process, and 5 in each thread. */

import { randomWords } from '../../binding.ts'

/** The two words that tell the ids of one isolate from those of others. */
export const randomPair = (): readonly [number, number] => {
  const [first = 0, second = 0] = randomWords(2)
  return [first, second]
}

/** So many random bytes, a multiple of 4, in hexadecimal. */
export const randomHex = (bytes: number): string =>
  randomWords(bytes / 4)
    .map((word) => word.toString(16).padStart(8, '0'))
    .join('')
