/** What a bench needs only while it runs. */

export interface Held<T> {
  (): T
  drop(): void
}

/** Made at the first use, let go with `drop`. */
export const held = <T>(make: () => T): Held<T> => {
  let kept: { readonly value: T } | undefined
  const get = (): T => {
    kept ??= { value: make() }
    return kept.value
  }
  return Object.assign(get, {
    drop: () => {
      kept = undefined
    },
  })
}
