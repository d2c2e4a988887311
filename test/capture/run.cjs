/** Runs the cases that are written in CommonJS. */

require('./cases/common.cjs')
const { runCases } = require('./runner.mjs')

runCases()
