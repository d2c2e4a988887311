/** Runs the cases that need no `import.meta`: the beginning of what is compiled to CommonJS. */

import './cases/every.mjs'
import { runCases } from './runner.mjs'

runCases()
