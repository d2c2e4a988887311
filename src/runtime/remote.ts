/** A remote function: what was described once, shipped on the first call, and submitted on each. */

import { type Capsule, type Encoded, encode, encodeArgs } from '../codec/codec.ts'
import type { Addressee, Callee, EncodedArguments, Engine } from '../engine/engine.ts'
import { notSupported } from '../errors/bad-input.ts'
import { CaptureError, PendingCallsLimitError, ShutdownError } from '../errors/errors.ts'
import { placeOfFunction } from '../functions/capture.ts'
import { type CaptureRoot, type CaptureWishes, withRoot } from '../functions/capture-root.ts'
import { checkSize } from '../functions/capture-size.ts'
import { type Handle, TaskParts } from '../functions/handle.ts'
import { exportsGenerator } from '../functions/modules.ts'
import { type AnyFunction, type Described, isAsyncFunction, isGeneratorFunction, type Source } from '../functions/record.ts'
import { captureRefusal } from '../functions/refuse-capture.ts'
import type { RemoteTemplate } from '../functions/template.ts'
import { BACKPRESSURE, HELD, heldOf, type ResolvedTask, termsOf } from '../options/task.ts'
import { type ObjectRef, wasDisposed } from '../refs/object-ref.ts'
import type { ObjectRefGenerator } from '../refs/object-ref-generator.ts'
import { cancelOn } from './cancel-on.ts'
import { checkRef, current, type Runtime, refStopped } from './current.ts'
import { openStream } from './stream.ts'

export interface RemoteTarget {
  readonly described: Described
  readonly name: string
  readonly options: ResolvedTask
  /** In the runtime that it was last shipped to. */
  shipped: Shipped | undefined
  /** Shared with variants that take along the same: what a function takes along is read once. */
  readonly snapshot: Snapshot
}

interface Snapshot {
  taken: { readonly runtime: number; readonly parts: Taken } | undefined
}

interface Shipped extends Callee {
  readonly runtime: number
  readonly source: string
  readonly isAsync: boolean
  readonly isGenerator: boolean
}

export const makeTarget = (described: Described, options: ResolvedTask, snapshot: Snapshot = { taken: undefined }): RemoteTarget => ({
  described,
  name: options.name ?? described.name,
  options,
  shipped: undefined,
  snapshot,
})

/** What decides what a function takes along. */
const TAKING = ['captures', 'byValue', 'byReference', 'retryable'] as const

/** The same function with other options. */
export const variantOf = ({ described, options, snapshot }: RemoteTarget, changed: ResolvedTask): RemoteTarget =>
  makeTarget(described, { ...options, ...changed }, TAKING.some((option) => Object.hasOwn(changed, option)) ? undefined : snapshot)

/** Queues one call. The arguments are taken now; nothing is queued if one of them, or something that the function takes along, cannot travel. */
export const submitCall = ({ engine }: Runtime, target: RemoteTarget, args: readonly unknown[]): ObjectRef | ObjectRef[] | ObjectRefGenerator | undefined => {
  if (!engine.hasRoom()) {
    throw new PendingCallsLimitError(
      `task '${target.name}': as many tasks are unfinished as init({ maxPendingTasks }) allows. Nothing was queued: await some of them (wait, asCompleted), then call again.`,
    )
  }
  let { shipped } = target
  if (shipped === undefined || shipped.runtime !== engine.runtime) shipped = ship(target)
  const encoded = encodeArgs(args, target.name)
  checkRefs(encoded.deps)
  checkRefs(encoded.refs)
  const { returns = 1, signal } = target.options
  if (returns > 1) return submitSeveral(engine, encoded, { callee: shipped, returns, isGenerator: shipped.isGenerator, signal })
  const ref = engine.submit(shipped, encoded)
  if (signal !== undefined) cancelOn(signal, engine, ref)
  if (returns === 1) return shipped.isGenerator ? openStream(engine, ref) : ref
  // Nobody has a use for it; the task goes on.
  ref[Symbol.dispose]()
  return undefined
}

interface Several {
  readonly callee: Callee
  readonly returns: number
  readonly isGenerator: boolean
  readonly signal: AbortSignal | undefined
  readonly to?: Addressee
}

/** A call that returns several objects. Those of a generator settle one by one: none of them stands for its end, which nobody has. */
export const submitSeveral = (engine: Engine, args: EncodedArguments, { callee, returns, isGenerator, signal, to }: Several): ObjectRef[] => {
  const refs = engine.submitMany(callee, args, isGenerator ? returns + 1 : returns, to)
  const [task] = refs as [ObjectRef]
  if (signal !== undefined) cancelOn(signal, engine, task)
  if (!isGenerator) return refs
  task[Symbol.dispose]()
  return refs.slice(1)
}

export const checkRefs = (refs: readonly ObjectRef[]): void => {
  for (let k = 0; k < refs.length; k++) {
    const stopped = refStopped(checkRef(refs[k], 'args'))
    if (stopped !== undefined) throw new ShutdownError(stopped.message)
  }
}

/** Targets whose functions are being taken apart, the outermost first: those that they take along may be they themselves. */
const shipping: RemoteTarget[] = []

/** Makes the function known to this thread's runtime, and stores what it takes along. */
const ship = (target: RemoteTarget): Shipped => {
  const { engine } = current() as Runtime
  const { name, options } = target
  const { source, isAsync, isGenerator, env } = takeAlong(target)
  const { returns = 1, backpressure = BACKPRESSURE } = options
  const isOne = generates(target, isGenerator)
  const id = engine.define({ name, source, isAsync, ...termsOf(options, isOne && returns > 1), ...(isOne && returns === 1 && { stream: backpressure }) })
  const shipped: Shipped = { runtime: engine.runtime, id, source, isAsync, isGenerator: isOne, env }
  target.shipped = shipped
  return shipped
}

/** Whether calls are those of a generator, as far as that can be told here. */
const generates = ({ described, options }: RemoteTarget, isGenerator: boolean): boolean =>
  // Nobody looks further into a module before a worker does.
  isGenerator || (described.kind === 'module' && options.backpressure !== undefined)

/** What a function or a class is, with what it takes along; read once for all variants that take the same. */
export const takeAlong = (target: RemoteTarget): Taken => {
  const { engine } = current() as Runtime
  const known = target.snapshot.taken
  const parts = known?.runtime === engine.runtime ? known.parts : take(target, target.described, heldOf(target.options))
  target.snapshot.taken = { runtime: engine.runtime, parts }
  return parts
}

interface Taken {
  readonly source: string
  readonly isAsync: boolean
  readonly isGenerator: boolean
  readonly env: ObjectRef | undefined
}

const take = (target: RemoteTarget, described: Described, held: unknown): Taken => {
  switch (described.kind) {
    case 'shipped':
      if (described.env !== undefined) {
        const stopped = refStopped(described.env)
        if (stopped !== undefined) throw stopped
      }
      if (held !== undefined) throw notSupported('retryExceptions, as a function or with classes of your own, on a remote function that came from elsewhere')
      return described
    case 'module': {
      const source: Source = { kind: 'module', url: described.url, name: described.exported, env: held !== undefined }
      const env = held === undefined ? undefined : store(target, new TaskParts(undefined, held))
      return { source: JSON.stringify(source), isAsync: false, isGenerator: exportsGenerator(described.url, described.exported), env }
    }
    case 'function':
      return takeFunction(target, described.fn, held)
  }
}

const takeFunction = (target: RemoteTarget, fn: AnyFunction, held: unknown): Taken => {
  const isAsync = isAsyncFunction(fn)
  const isGenerator = isGeneratorFunction(fn)
  const root: CaptureRoot = { fn, wishes: wishesOf(target.options), ...(target.described.kind === 'function' && { file: target.described.file }) }
  const encoded = encodeFunction(target, root, held)
  const capsule = root.capsule as Capsule | undefined
  if (capsule !== undefined && capsule.values.length === 0 && held === undefined) {
    const source: Source = { kind: 'text', template: capsule.template, env: false }
    return { source: JSON.stringify(source), isAsync, isGenerator, env: undefined }
  }
  const { engine } = current() as Runtime
  for (const ref of encoded.refs) checkCaptured(target.name, ref)
  const source: Source = { kind: 'closure', at: placeOf(capsule), isAsync, env: true }
  return { source: JSON.stringify(source), isAsync, isGenerator, env: engine.put(encoded) }
}

const checkCaptured = (name: string, ref: ObjectRef): void => {
  if (wasDisposed(ref))
    throw new CaptureError(`cannot ship '${name}', which takes ${ref} along, which was disposed; dispose of it when the function is shipped`)
  const stopped = refStopped(ref)
  if (stopped !== undefined) throw stopped
}

const wishesOf = ({ captures, byValue, byReference }: ResolvedTask): CaptureWishes => ({ captures, byValue, byReference })

/** The function, what it takes along, and what its options hold, as one value. Valid until the next encoding. */
const encodeFunction = (target: RemoteTarget, root: CaptureRoot, held: unknown): Encoded => {
  shipping.push(target)
  try {
    const encoded = withRoot(root, () => encode(new TaskParts(root.fn, held), `cannot ship '${target.name}'`))
    checkSize(target.name, encoded.byteLength, () => placeOfFunction(root.fn))
    return encoded
  } finally {
    shipping.pop()
  }
}

const store = (target: RemoteTarget, value: TaskParts): ObjectRef => {
  const { engine } = current() as Runtime
  return engine.put(encode(value, `task '${target.name}'`))
}

/** Tells functions of one name apart in lists of tasks. */
const placeOf = (capsule: Capsule | undefined): string => {
  if (capsule === undefined) return ''
  const [, at = ''] = /"url":("(?:[^"\\]|\\.)*","line":\d+,"column":\d+)/.exec(capsule.template) ?? []
  return at
}

type How = Pick<RemoteTemplate, 'source' | 'isAsync' | 'isGenerator'>

const targets = new WeakMap<Handle, RemoteTarget>()

/** Makes the object that users hold a remote function. */
export const bindTarget = (handle: Handle, target: RemoteTarget): void => {
  targets.set(handle, target)
}

/** A remote function on its way to another thread. */
export const takeHandle = (handle: Handle, isDry: boolean): Capsule => {
  const target = targets.get(handle) as RemoteTarget
  const { name, options, described } = target
  if (options.signal !== undefined)
    throw captureRefusal(`is the remote function '${name}' with the option signal, which belongs to this thread; leave it out, and use cancel`)
  const { signal: _, captures: __, ...travelling } = options
  const held = heldOf(options)
  const template = (how: RemoteTemplate['how'], { source, isAsync, isGenerator }: How): string =>
    JSON.stringify({
      kind: 'remote',
      name: described.name,
      options: JSON.stringify(held === undefined ? travelling : { ...travelling, retryable: HELD }),
      isAsync,
      isGenerator,
      how,
      source,
    })
  const whole = (how: RemoteTemplate['how'], of: How, values: readonly unknown[]): Capsule => ({
    template: template(how, of),
    values,
    steps: values.map((_value, k) => (k === 0 ? '' : "'s retryExceptions")),
    id: '',
  })
  if (shipping.includes(target) && described.kind === 'function') {
    const kind = { isAsync: isAsyncFunction(described.fn), isGenerator: isGeneratorFunction(described.fn) }
    if (target === shipping.at(-1)) return whole('self', { ...kind, source: selfSource(described.fn, target) }, [])
    return whole('inside', { ...kind, source: '' }, [described.fn, held])
  }
  // What it would take along is looked at, not stored.
  if (isDry) return whole('inside', { source: '', isAsync: false, isGenerator: false }, described.kind === 'function' ? [described.fn, held] : [])
  const { engine } = current() as Runtime
  const shipped = target.shipped?.runtime === engine.runtime ? target.shipped : ship(target)
  return shipped.env === undefined ? whole('alone', shipped, []) : whole('ref', shipped, [shipped.env])
}

/** Its calls from elsewhere are of another definition than its calls from here: which is made when it has been taken apart. */
const selfSource = (fn: AnyFunction, target: RemoteTarget): string =>
  JSON.stringify({ kind: 'closure', at: `${target.name} by itself`, isAsync: isAsyncFunction(fn), env: true } satisfies Source)

/** The target of a remote function that came from another thread. */
export const madeTarget = (
  { name, options, how, source, isAsync, isGenerator }: RemoteTemplate,
  values: readonly unknown[],
  home: ObjectRef | undefined,
): RemoteTarget => {
  const resolved = JSON.parse(options) as ResolvedTask
  if (how === 'inside') {
    const [fn, held] = values as [AnyFunction, unknown]
    return makeTarget({ kind: 'function', name, fn, file: '' }, held === undefined ? resolved : { ...resolved, retryable: { held } })
  }
  const env = how === 'ref' ? (values[0] as ObjectRef) : how === 'self' ? home : undefined
  return makeTarget({ kind: 'shipped', name, source, isAsync, isGenerator, env }, resolved)
}
