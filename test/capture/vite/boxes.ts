/** A module that imports as vite lets it. */
// @ts-nocheck: Node resolves none of these imports

import { join } from 'node:path'
import { Kind, Sized } from './kinds'
import text from './note.txt?raw'

export const area = ({ width, height }: Sized): string => label(`${width * height}`, Kind.Large)

export const label = (name: string, kind: Kind): string => join(kind, name)

export const note = (): string => text.trim()

export class Box {
  constructor(readonly width: number) {}
  get twice(): number {
    return this.width * 2
  }
}
