/** Runs the cases in this process, as ES modules: `node run.mjs [--only text]`. What a setup cannot have is said by flags: see case.mjs. */
// @ts-nocheck: see cases/entry.mjs

import { basename } from 'node:path'
import './cases/every.mjs'
import './cases/esm.mjs'
import './cases/entry.mjs'
import { runCases } from './runner.mjs'

const word = 'entry'

export const ofEntry = (x) => `${word} ${x} ${basename('/a/b')}`

export class OfEntry {
  constructor(x) {
    this.x = x
  }
  show() {
    return `${word} ${this.x}`
  }
}

runCases()
