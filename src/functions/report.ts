/** What a function would take along, name by name. */

import { type Capsule, capsulesHere } from '../codec/capsules.ts'
import { encode } from '../codec/codec.ts'
import { MobulaError } from '../errors/errors.ts'
import { isObjectRef } from '../refs/object-ref.ts'
import { placeOfFunction } from './capture.ts'
import { type CaptureRoot, withRoot } from './capture-root.ts'
import { refuseSize } from './capture-size.ts'
import { CellSession } from './cells.ts'
import { factsOf, textOf } from './facts.ts'
import { isGlobalName } from './globals.ts'
import { Handle, TaskParts } from './handle.ts'
import type { Template } from './template.ts'

type AnyFunction = (...args: never[]) => unknown

export interface CapturedName {
  readonly name: string
  /** Its value goes along; the receiver imports it; every thread has it; it is a ref or a remote function. */
  readonly how: 'value' | 'reference' | 'global' | 'ref'
  /** Of its encoded value alone; what names share counts for each. 0 for what no bytes are needed for. */
  readonly bytes: number
}

export interface Report {
  readonly names: readonly CapturedName[]
  readonly error?: MobulaError
}

export const reportCapture = (fn: AnyFunction): Report => {
  const root: CaptureRoot = { fn, wishes: {}, isDry: true }
  let error: MobulaError | undefined
  try {
    const name = fn.name === '' ? 'anonymous' : fn.name
    const { byteLength } = withRoot(root, () => encode(new TaskParts(fn, undefined), `cannot ship '${name}'`))
    refuseSize(name, byteLength, () => placeOfFunction(fn))
  } catch (failure) {
    if (!(failure instanceof MobulaError)) throw failure
    error = failure
  }
  const names = root.capsule === undefined ? [] : namesOf(fn, root.capsule)
  return error === undefined ? { names } : { names, error }
}

const namesOf = (fn: AnyFunction, { template, values }: Capsule): CapturedName[] => {
  const facts = factsOf(textOf(fn))
  const parsed = JSON.parse(template) as Template
  if (typeof facts === 'string' || parsed.kind !== 'function') return []
  const imported = new Set(parsed.imports.map(({ local }) => local))
  return facts.free.flatMap(({ name }): CapturedName[] => {
    const at = parsed.names.indexOf(name)
    if (at >= 0) return [{ name, ...howOf(values[at]) }]
    if (imported.has(name)) return [{ name, how: 'reference', bytes: 0 }]
    return isGlobalName(name) ? [{ name, how: 'global', bytes: 0 }] : []
  })
}

const howOf = (value: unknown): Pick<CapturedName, 'how' | 'bytes'> => {
  if (isObjectRef(value) || value instanceof Handle) return { how: 'ref', bytes: 0 }
  return withRoot({ fn: howOf, wishes: {}, isDry: true }, () => {
    try {
      const way = wayTo(value)
      if (way !== undefined) return { how: way, bytes: 0 }
      return { how: 'value', bytes: encode(new TaskParts(value, undefined), 'value').byteLength }
    } catch {
      // What cannot travel is told as the error.
      return { how: 'value', bytes: 0 }
    }
  })
}

/** What both ends have goes as the way to find it, whatever it is called here. */
const wayTo = (value: unknown): 'global' | 'reference' | undefined => {
  if (typeof value !== 'function' && (typeof value !== 'object' || value === null)) return undefined
  const capsule = capsulesHere()?.take(value, { learnt: [], state: new CellSession([]) })
  const kind = capsule === undefined ? undefined : (JSON.parse(capsule.template) as Template).kind
  if (kind === 'global') return 'global'
  return kind === 'import' || kind === 'class' || kind === 'require' ? 'reference' : undefined
}
