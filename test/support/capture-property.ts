/** What holds for every closure: called on a worker it gives what it gives here. Checked with some each day, and with many more in test/long. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import fc from 'fast-check'
import { get, remote } from '../../src/index.ts'
import { asCommonModule, asExpression, asModule, program, type Tape } from './arbitrary-closure.ts'

type Closure = (x: number) => unknown

interface Way {
  readonly name: string
  write(tape: Tape): string
  load(text: string, file: string): Closure | Promise<Closure>
  readonly extension?: string
}

export interface Property {
  readonly name: string
  /** Throws with seed, path and the smallest program found. */
  check(extent: { runs: number; seed: number }): Promise<void>
}

/** `write`: the program's text; `load`: the closure that it makes, from a file of its own if `extension` is given. */
const property = ({ name, write, load, extension }: Way): Property => ({
  name,
  check: async ({ runs, seed }) => {
    const folder = mkdtempSync(join(tmpdir(), 'mobula-closure-'))
    let files = 0
    const holds = async (text: string, x: number): Promise<void> => {
      // A file for each program: modules are never forgotten.
      const file = join(folder, `program${files++}${extension ?? ''}`)
      if (extension !== undefined) writeFileSync(file, text)
      const here = await load(text, file)
      // Submitted first: what the call here changes must not be seen there.
      const ref = remote(here).remote(x)
      const [there, expected] = [await outcome(() => get(ref)), await outcome(() => here(x))]
      assert.deepEqual(there, expected)
    }
    const texts = fc.array(fc.nat(1000), { minLength: 30, maxLength: 400, size: 'max' }).map((tape) => write(tape))
    try {
      await fc.assert(fc.asyncProperty(texts, fc.integer({ min: -3, max: 9 }), holds), { numRuns: runs, seed })
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
})

const outcome = async (run: () => unknown): Promise<unknown> => {
  try {
    return { value: await run() }
  } catch (error) {
    const { name, message } = error as Error
    return { name, message }
  }
}

export const properties: readonly Property[] = [
  property({
    name: 'a closure of a script',
    write: (tape) => `'use strict'; ${asExpression(program(tape, false))}`,
    load: (text) => new Script(text).runInThisContext() as Closure,
  }),
  property({
    name: 'a closure of an ES module',
    write: (tape) => asModule(program(tape, true)),
    load: async (_, file) => ((await import(pathToFileURL(file).href)) as { made: Closure }).made,
    extension: '.mjs',
  }),
  property({
    name: 'a closure of a CommonJS module',
    write: (tape) => asCommonModule(program(tape, true)),
    load: (_, file) => (createRequire(file)(file) as { made: Closure }).made,
    extension: '.cjs',
  }),
]
