/** Kind: instances of users' classes: by a codec that was registered for them, else by their own properties and the key of their class. */

import { inspect, types } from 'node:util'
import { SerializationError } from '../../errors/errors.ts'
import type { Taken } from '../capsules.ts'
import { type AnyClass, type Codec, classFor, codecFor, hidesState, keyFor, nearestCodec } from '../classes.ts'
import { PAYLOAD_MAX, PAYLOAD_SHIFT, REFERENCED, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import { failUnder, Refusal } from '../refusal.ts'
import { classNameOf, hintForClass, withArticle } from '../refuse.ts'
import type { Writer } from '../writer.ts'

/** Writes another instance of a class whose instances were nothing but properties before. False if this may be something else. */
export const writeSibling = (writer: Writer, value: object, prototype: object, inner: () => void): boolean => {
  const key = records.get(prototype)
  if (key === undefined || Object.keys(value).length === 0) return false
  refuseHidden(value)
  writeAs(writer, key, inner)
  return true
}

/** Classes of which an instance was written as a record: neither an array nor anything that a kind takes. */
const records = new WeakMap<object, ClassKey>()

export const writeRecordInstance = (writer: Writer, value: object, prototype: object, inner: () => void): void => {
  writeInstance(writer, value, prototype, inner)
  records.set(prototype, plain.get(prototype) as ClassKey)
}

/** Writes an instance of a user's class; `inner` writes what it is apart from its class. */
export const writeInstance = (writer: Writer, value: object, prototype: object, inner: () => void): void => {
  const key = keyOfPlain(prototype, value)
  refuseHidden(value)
  writeAs(writer, key, inner)
}

/** A class that travels itself comes behind the instance, which it may refer to. */
const writeAs = (writer: Writer, key: ClassKey, inner: () => void): void => {
  if (typeof key === 'string') {
    writeHead(writer, TAG.instance, key)
    inner()
    return
  }
  writer.word(TAG.instance | (CLASS_ITSELF << PAYLOAD_SHIFT))
  inner()
  writer.value(key)
}

/** True if a codec was registered for the class of `value` or one above it; then it is written. */
export const writeCoded = (writer: Writer, value: object, prototype: object): boolean => {
  const codec = nearestCodec(prototype)
  if (codec === undefined) return false
  // The codec makes an instance of its own class: one of a class below is told what it was.
  if (codec.Class.prototype === prototype) writeByCodec(writer, value, codec)
  else writeAs(writer, keyOfDerived(prototype, value), () => writeByCodec(writer, value, codec))
  return true
}

const writeByCodec = (writer: Writer, value: object, codec: Codec): void => {
  const at = writeHead(writer, TAG.coded, codec.whole ?? codec.key, value)
  let data: unknown
  try {
    data = codec.encode(value)
  } catch (thrown) {
    throw new Refusal(`could not be encoded: the codec of ${codec.Class.name} threw; its error is the cause`, { thrown })
  }
  try {
    writer.value(data)
  } catch (error) {
    failUnder(error, ' (as its codec gave it)')
  }
  // Nothing else can have referred to it yet.
  if (((writer.words[at] as number) & REFERENCED) !== 0) {
    throw new Refusal(`cannot be encoded: what the codec of ${codec.Class.name} gave for it contains the instance itself`)
  }
}

/** A class by its name, or itself. */
type ClassKey = string | AnyClass

/** In the place of a number: the class itself follows, each time, so that it may bring along instances of itself. */
const CLASS_ITSELF = PAYLOAD_MAX

/** Classes and codecs are numbered as they are met; a new one's key follows its number. */
const writeHead = (writer: Writer, tag: number, key: ClassKey | Taken, value?: object): number => {
  const { at } = writer
  const isKey = typeof key === 'string'
  const known = isKey ? writer.classes.indexOf(key) : -1
  const number = !isKey ? CLASS_ITSELF : known < 0 ? writer.classes.push(key) - 1 : known
  const head = tag | (number << PAYLOAD_SHIFT)
  if (value === undefined) writer.word(head)
  else writer.open(value, head)
  if (known < 0) writer.value(key)
  return at
}

/** Classes whose instances are their own properties, with the keys of the classes. Not of those that hide something. */
const plain = new WeakMap<object, ClassKey>()

const keyOfPlain = (prototype: object, value: object): ClassKey => {
  const known = plain.get(prototype)
  if (known !== undefined) return known
  if (bases.has(prototype)) throw new Refusal(`has the prototype of ${nameOf(value)} without being one; pass a plain object`)
  const classes = classesAbove(prototype, value)
  const hidden = hidesState(value)
  for (const Class of classes) {
    if (hidden ?? hasPrivateState(Class)) {
      throw new Refusal(
        `is an instance of ${nameOf(value)}, and ${Class.name === '' ? 'a class of it' : Class.name} keeps state in #private fields, which nobody else can read; registerCodec(${Class.name}, { encode, decode })`,
      )
    }
  }
  const key = keyOfDerived(prototype, value)
  plain.set(prototype, key)
  return key
}

const keyOfDerived = (prototype: object, value: object): ClassKey => {
  const Class = classOf(prototype)
  if (Class === undefined) throw new Refusal('has a prototype that is no class; pass a plain object, or make it an instance of a class')
  const found = keyFor(Class)
  if ('key' in found) return found.key
  if ('isValue' in found) return Class
  throw new Refusal(`is an instance of ${nameOf(value)}: ${found.reason}`)
}

const classOf = (prototype: object): AnyClass | undefined => {
  const made = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown
  return typeof made === 'function' && made.prototype === prototype ? (made as AnyClass) : undefined
}

/** Builtin classes that a kind of ours takes, own properties included. */
const bases: ReadonlySet<object> = new Set<object>([
  Object.prototype,
  ...[Array, Map, Set, Date, RegExp, Number, String, Boolean, BigInt, ArrayBuffer].map((base) => base.prototype as object),
])

/** The users' classes of an instance. Refuses it if one above them is none of ours: what that keeps is not to be seen. */
const classesAbove = (prototype: object, value: object): AnyClass[] => {
  const classes: AnyClass[] = []
  for (let at: object | null = prototype; at !== null && !bases.has(at); at = Object.getPrototypeOf(at) as object | null) {
    const Class = classOf(at)
    const hint = Class === undefined ? undefined : hintForClass(Class.name)
    // Users have classes of these names, too.
    if (Class !== undefined && hint !== undefined && 'reason' in keyFor(Class))
      throw new Refusal(
        `is ${nameOf(value) === Class.name ? withArticle(Class.name) : `an instance of ${nameOf(value)}, which extends ${Class.name}`}; ${hint}`,
      )
    if (Class !== undefined && isNative(Class)) {
      throw new Refusal(
        `is an instance of ${nameOf(value)}, made by native code, whose state cannot be read; pass plain data, or registerCodec(${Class.name}, { encode, decode })`,
      )
    }
    if (Class !== undefined) classes.push(Class)
  }
  return classes
}

const textOf = (Class: AnyClass): string => Function.prototype.toString.call(Class)

const isNative = (Class: AnyClass): boolean => /\{\s*\[native code\]\s*\}$/.test(textOf(Class))

/** Where V8 cannot be asked. Comments and texts may contain anything: what is left of `#name` outside of them is a private member. Methods hide no state, but are not told apart. */
const hasPrivateState = (Class: AnyClass): boolean => /#[\p{ID_Start}$_]/u.test(textOf(Class).replace(NO_CODE, ' '))

const NO_CODE = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g

/** What lies beside ordinary properties would be lost without a word. */
const refuseHidden = (value: object): void => {
  const [symbol] = Object.getOwnPropertySymbols(value)
  if (symbol !== undefined) {
    throw new Refusal(
      `is an instance of ${nameOf(value)} with state under the symbol ${inspect(symbol)}, which does not travel; registerCodec(${nameOf(value)}, { encode, decode })`,
    )
  }
  if (Array.isArray(value) || types.isRegExp(value) || types.isStringObject(value)) return
  const names = Object.getOwnPropertyNames(value)
  if (names.length === Object.keys(value).length) return
  const hidden = names.find((name) => !Object.prototype.propertyIsEnumerable.call(value, name))
  throw new Refusal(
    `is an instance of ${nameOf(value)} with the hidden property ${inspect(hidden)}, which does not travel; registerCodec(${nameOf(value)}, { encode, decode })`,
  )
}

const nameOf = (value: object): string => {
  const name = classNameOf(value)
  return name === '' ? 'a class without a name' : name
}

export const readInstance = (reader: Reader, head: number): object => {
  const number = head >>> PAYLOAD_SHIFT
  const known = number === CLASS_ITSELF ? undefined : classAt(reader, number)
  const inner = reader.value()
  const Class = known ?? classItself(reader)
  if (typeof inner !== 'object' || inner === null) return reader.damaged('an instance that is no object')
  const prototype = Class.prototype as object
  if (!canBecome(inner, prototype)) return reader.damaged('an instance of another kind than its class')
  return Object.setPrototypeOf(inner, prototype) as object
}

/** Whether a value is what an instance of this class is apart from it: of the builtin class below it, or what a codec of a class below it made. */
const canBecome = (inner: object, prototype: object): boolean => {
  const own = Object.getPrototypeOf(inner) as object | null
  if (own === null || bases.has(own)) return own === baseOf(prototype)
  return Object.prototype.isPrototypeOf.call(own, prototype)
}

const basesFound = new WeakMap<object, object>()

const baseOf = (prototype: object): object => {
  const known = basesFound.get(prototype)
  if (known !== undefined) return known
  let at: object | null = prototype
  while (at !== null && !bases.has(at)) at = Object.getPrototypeOf(at) as object | null
  const base = at ?? Object.prototype
  basesFound.set(prototype, base)
  return base
}

const classItself = (reader: Reader): AnyClass => {
  const Class = reader.value()
  return typeof Class === 'function' ? (Class as unknown as AnyClass) : reader.damaged('an instance of what is no class')
}

const classAt = (reader: Reader, number: number): AnyClass => {
  const known = reader.classes[number]
  if (typeof known === 'function') return known
  const key = newKey(reader, number)
  const Class = classFor(key) ?? reader.options.onUnknownClass?.(key)
  if (Class === undefined) {
    throw new SerializationError(
      `the value holds an instance of a class that this thread does not know: ${key}. Import that module here, or use await get(ref), which does; it has to export the class.`,
    )
  }
  reader.classes.push(Class)
  return Class
}

const newKey = (reader: Reader, number: number): string => {
  const key = number === reader.classes.length ? reader.value() : undefined
  return typeof key === 'string' ? key : reader.damaged('a class that was not announced')
}

export const readCoded = (reader: Reader, head: number, at: number): object => {
  const codec = codecAt(reader, head >>> PAYLOAD_SHIFT)
  const data = reader.value()
  let value: unknown
  try {
    value = codec.decode(data)
  } catch (cause) {
    throw new SerializationError(`the codec of ${codec.Class.name} threw while it decoded; its error is the cause`, { cause })
  }
  if (!(value instanceof codec.Class))
    throw new SerializationError(`the codec of ${codec.Class.name} decoded ${inspect(value, { depth: 0 })}, which is no instance of that class`)
  if ((head & REFERENCED) !== 0) reader.remember(at, value)
  return value
}

const codecAt = (reader: Reader, number: number): Codec => {
  if (number === CLASS_ITSELF) {
    const { key } = reader.value() as { readonly key?: unknown }
    return (typeof key === 'string' ? codecFor(key) : undefined) ?? reader.damaged('a codec that is none')
  }
  const known = reader.classes[number]
  if (typeof known === 'object') return known
  const key = newKey(reader, number)
  if (codecFor(key) === undefined) reader.options.onUnknownClass?.(key)
  const codec = codecFor(key)
  if (codec === undefined) {
    throw new SerializationError(`the value needs a codec that this thread does not have: ${key}. Import that module here, or use await get(ref), which does.`)
  }
  reader.classes.push(codec)
  return codec
}
