/** Runs the cases in this process, as ES modules: `node run.mjs [--only text]`. What a setup cannot have is said by flags: see case.mjs. */

import './cases/every.mjs'
import './cases/esm.mjs'
import { runCases } from './runner.mjs'

runCases()
