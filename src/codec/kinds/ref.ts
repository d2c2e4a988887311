/** Kind: refs, which travel in a table outside the bytes; and the refs among a call's arguments that become their values. */

import type { ObjectRef } from '../../refs/object-ref.ts'
import { PAYLOAD_SHIFT, TAG } from '../layout.ts'
import type { Reader } from '../reader.ts'
import type { Writer } from '../writer.ts'

export const writeRef = (writer: Writer, ref: ObjectRef): void => {
  writer.word(TAG.ref)
  writer.word(writer.ref(ref))
}

export const readRef = (reader: Reader): ObjectRef => reader.ref(reader.unsigned())

export const writeDependency = (writer: Writer, index: number): void => writer.word(TAG.dependency | (index << PAYLOAD_SHIFT))

export const readDependency = (reader: Reader, head: number): unknown => {
  const index = head >>> PAYLOAD_SHIFT
  return index < reader.dependencies.length ? reader.dependencies[index] : reader.damaged('a dependency that was not given')
}
