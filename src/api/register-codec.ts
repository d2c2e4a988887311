/** `registerCodec`: how instances of one's own class travel. */

import { type CodecFunctions, defineCodec } from '../functions/codecs.ts'

/**
 * Says how instances of a class, and of classes that extend it, travel: `encode` gives data for an instance, `decode` makes an
 * instance of that data. For classes with state that cannot be seen from outside (`#private` fields, handles), and wherever the own
 * properties are not what should travel. Without a codec, instances travel by their own properties, and no constructor runs.
 *
 * Call it at the top of a module that both sides import, best the one that defines the class: a codec is known by its place there,
 * and a worker that needs it imports that module by itself. The program's own file does not do: workers never run it.
 *
 * `encode` runs at the call, before `.remote()` or `put` returns. What it gives may hold anything that travels, other instances too,
 * but not the instance itself. An instance of a class below gets its class back after `decode`.
 *
 * @returns a function that takes the codec back; an older one for the same class is then in force again
 * @throws {TypeError} if `Class` is no class or one that has a form of its own (`Object`, `Array`, `Map` …), or a function is missing
 * @example
 * ```ts
 * import { registerCodec } from 'mobula'
 * export class Money {
 *   #cents: number
 *   constructor(cents: number) { this.#cents = cents }
 *   get cents() { return this.#cents }
 * }
 * registerCodec(Money, { encode: (money) => money.cents, decode: (cents: number) => new Money(cents) })
 * ```
 */
export const registerCodec = <T extends object, D = unknown>(Class: abstract new (...args: never[]) => T, codec: CodecFunctions<T, D>): (() => void) =>
  defineCodec(Class, codec as unknown as CodecFunctions<object, unknown>)
