/** TypeScript that is more than types. */
// @ts-nocheck: vite compiles it

export enum Kind {
  Small = 'small',
  Large = 'large',
}

export interface Sized {
  readonly width: number
  readonly height: number
}
