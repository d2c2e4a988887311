/** Runs one test file in this process (`node --import tsx run-file.mjs <file> <exit limit in ms>`), and reports on descriptor 3, one JSON object per line. */

import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import * as modules from 'node:module'
import { pathToFileURL } from 'node:url'

const [file = '', exitLimit = '10000'] = process.argv.splice(2)
// As if the file had been started itself.
process.argv[1] = file

/** @param {object} event */
const report = (event) => writeSync(3, `${JSON.stringify(event)}\n`)

const watchedUvu = new URL('./watched-uvu.mjs', import.meta.url).href
watchImportsOfUvu()

/** @type {Set<import('node:worker_threads').Worker>} */
const workers = new Set()
let workerEnded = () => {}
subscribe('worker_threads', (message) => {
  // tsx compiles in a thread of esbuild's, which lives as long as the process and is nobody's leak.
  if (/[\\/]node_modules[\\/]esbuild[\\/]/.test(new Error('made by').stack ?? '')) return
  const { worker } = /** @type {{ worker: import('node:worker_threads').Worker }} */ (message)
  workers.add(worker)
  worker.once('exit', () => {
    workers.delete(worker)
    workerEnded()
  })
})

// With this set, uvu leaves the running to others; they find the suites in the queue.
const queue = /** @type {(() => Promise<[string | true, number, number, number]>)[]} */ ([])
Object.assign(globalThis, { UVU_DEFER: 1, UVU_INDEX: 0, UVU_QUEUE: [queue] })

await runTests()
watchTheExit()

async function runTests() {
  const { ledger } = /** @type {typeof import('./watched-uvu.mjs')} */ (await import(watchedUvu))
  ledger.onTest = (name, ok) => report({ type: 'test', name, ok })
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    console.error(error)
    report({ type: 'done', passed: 0, total: 0, problems: ['the file itself threw while it was loaded'] })
    return
  }
  let passed = 0
  let total = 0
  const problems = []
  for (const suite of queue) {
    try {
      const [errors, ran, , all] = await suite()
      passed += ran
      total += all
      if (errors !== true && errors.length > 0) console.log(`\n${errors}`)
    } catch (error) {
      console.error(error)
      if (ledger.hookFailures.length === 0) problems.push('uvu itself failed while it ran a suite')
    }
  }
  problems.push(...ledger.hookFailures)
  if (ledger.waiting > 0) problems.push(`${ledger.waiting} tests did not run: the file never calls \`run()\` of their suite`)
  else if (total === 0 && problems.length === 0) problems.push('it contains no test')
  if (ledger.skipped > 0) problems.push(`${ledger.skipped} tests are skipped: mend them or take them out`)
  if (ledger.only > 0) problems.push('`only` keeps other tests from running: take it out')
  report({ type: 'done', passed, total, problems })
}

/** The process has to end by itself now: what keeps it from ending, or still lives when it ends, is a leak. */
function watchTheExit() {
  const half = Number(exitLimit) / 2
  setTimeout(() => report({ type: 'lingers', resources: process.getActiveResourcesInfo(), workers: workers.size }), half).unref()
  let waited = false
  process.on('beforeExit', () => {
    // A worker that was told to end, and is unreferenced, may need a moment more than the loop.
    if (workers.size === 0 || waited) return
    waited = true
    const patience = setTimeout(() => {}, half)
    workerEnded = () => {
      if (workers.size === 0) clearTimeout(patience)
    }
  })
  process.on('exit', () => {
    if (workers.size > 0) report({ type: 'leak', workers: workers.size })
  })
}

function watchImportsOfUvu() {
  // Node 20 has only the hooks that run on a thread of their own; newer ones warn of those.
  if (typeof modules.registerHooks === 'function') {
    modules.registerHooks({
      resolve: (specifier, context, next) =>
        specifier === 'uvu' && context.parentURL !== watchedUvu ? { url: watchedUvu, shortCircuit: true } : next(specifier, context),
    })
    return
  }
  const source = `export const resolve = (specifier, context, next) =>
    specifier === 'uvu' && context.parentURL !== ${JSON.stringify(watchedUvu)} ? { url: ${JSON.stringify(watchedUvu)}, shortCircuit: true } : next(specifier, context)`
  modules.register(`data:text/javascript,${encodeURIComponent(source)}`)
}
