/** Has V8 collect now: it does not know how much memory of the store a forgotten handle or view holds. */

let collect: ((options?: { readonly type: 'minor' }) => void) | undefined

const collector = (): NonNullable<typeof collect> => {
  if (collect === undefined) {
    // The flag is the whole process's: taking it back would race with another thread that is just here. It shows in new contexts only.
    process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc')
    collect = process.getBuiltinModule('node:vm').runInNewContext('gc') as NonNullable<typeof collect>
  }
  return collect
}

/** A major collection of this thread. Finalizers of handles run in the next turn of its loop. */
export const collectHere = (): void => {
  collector()()
  finishCollection()
}

/** What a collection finds of buffers is freed by a thread of V8's, beside us; the next collection, and be it the smallest, waits for that. */
export const finishCollection = (): void => collector()({ type: 'minor' })
