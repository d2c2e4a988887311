/** As much of the API as the cases use, with every call made here and now: what a case expects has to be what JavaScript does. */
// @ts-nocheck: a stand-in

export const isLocal = true
export const init = async () => {}
export const shutdown = async () => {}

export class CaptureError extends Error {}
export class SerializationError extends Error {}
export class TaskError extends Error {}

export class ObjectRef {
  constructor(promise) {
    this.promise = promise
    promise.catch(() => {})
  }
}

const resolved = (value) => (value instanceof ObjectRef ? value.promise : value)

export const remote = (fn) => {
  const bound = {
    remote: (...args) => new ObjectRef((async () => fn(...(await Promise.all(args.map(resolved)))))()),
    options: () => bound,
  }
  return bound
}
remote.module = (url, name) => remote(async (...args) => (await import(url))[name](...args))

export const put = (value) => new ObjectRef(Promise.resolve(value))
export const get = (refs) => (Array.isArray(refs) ? Promise.all(refs.map((ref) => ref.promise)) : refs.promise)
export const getSync = () => {
  throw new Error('not without workers')
}
export const wait = async (refs) => [refs, []]
