/** Runs one test file as a child process under a time limit, and judges it: uvu's own exit code is green in too many ways of failing. */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { adoptGroup, dismissGroup, killGroup } from '../../scripts/tool.mjs'
import { filesNow, MARK, processesLeft } from './census.mjs'

const runFile = fileURLToPath(new URL('./run-file.mjs', import.meta.url))

/**
 * @typedef {object} Verdict
 * @property {number} passed tests that passed
 * @property {number} failed tests that failed, and at least 1 if there is a problem
 * @property {string[]} problems what is wrong, one sentence each
 * @property {string} output
 */

/**
 * @typedef {object} SuperviseOptions
 * @property {string} cwd the folder in which `--import tsx` can be resolved
 * @property {string} [node] the Node to run it with
 * @property {number} [limitSeconds] for the whole file
 * @property {number} [exitLimitMs] for the process to end by itself after its last test
 * @property {(text: string) => void} [onOutput]
 * @property {(name: string | null) => void} [onTest]
 */

let runs = 0

/**
 * @param {string} file
 * @param {SuperviseOptions} options
 * @returns {Promise<Verdict>}
 */
export async function supervise(file, options) {
  const { cwd, node = process.execPath, limitSeconds = 120, exitLimitMs = 10_000, onOutput, onTest } = options
  runs += 1
  const mark = `${process.pid}-${runs}-${Date.now()}`
  // The test's temporary files have a folder of their own, so that what is left in it is known to be its fault.
  const temporary = mkdtempSync(join(tmpdir(), 'mobula-test-'))
  const sweep = () => rmSync(temporary, { recursive: true, force: true })
  process.on('exit', sweep)
  const before = new Set(filesNow(temporary))
  const child = spawn(node, ['--import', 'tsx', runFile, file, String(exitLimitMs)], {
    cwd,
    env: { ...process.env, TMPDIR: temporary, [MARK]: mark },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const group = child.pid
  if (group === undefined) {
    sweep()
    process.off('exit', sweep)
    return { passed: 0, failed: 1, problems: [`${node} could not be started`], output: '' }
  }
  adoptGroup(group)

  /** @type {NodeJS.Timeout | undefined} */
  let exitLimit
  const seen = observe(child, {
    onOutput,
    onTest,
    onDone: () => {
      exitLimit = setTimeout(() => {
        if (seen.code === null && seen.signal === null) seen.late = 'exit'
        killGroup(group)
      }, exitLimitMs)
    },
  })
  const fileLimit = setTimeout(() => {
    seen.late ??= 'file'
    killGroup(group)
  }, limitSeconds * 1000)
  await seen.closed
  clearTimeout(fileLimit)
  clearTimeout(exitLimit)

  const problems = judge(seen, { limitSeconds, exitLimitMs })
  problems.push(...(await endLeftovers(mark, group)))
  dismissGroup(group)
  for (const path of filesNow(temporary)) {
    if (!before.has(path)) problems.push(`it left ${path.replace(temporary, 'TMPDIR')} behind`)
  }
  sweep()
  process.off('exit', sweep)
  const passed = seen.done?.passed ?? seen.passed
  const failed = seen.done === null ? 1 : seen.done.total - passed
  return { passed, failed: problems.length > 0 ? Math.max(failed, 1) : failed, problems, output: seen.output }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {{ onOutput: ((text: string) => void) | undefined, onTest: ((name: string | null) => void) | undefined, onDone: () => void }} listeners
 */
function observe(child, { onOutput, onTest, onDone }) {
  const seen = {
    output: '',
    /** @type {'file' | 'exit' | null} which limit ended it */
    late: null,
    /** @type {string | null} the test that runs */
    current: null,
    passed: 0,
    /** @type {{ passed: number, total: number, problems: string[] } | null} */
    done: null,
    /** @type {{ resources: string[], workers: number } | null} */
    lingers: null,
    leakedWorkers: 0,
    /** @type {number | null} */
    code: null,
    /** @type {string | null} */
    signal: null,
    closed: Promise.resolve(),
  }
  const [, out, err, events] = /** @type {import('node:stream').Readable[]} */ (child.stdio)
  for (const stream of [out, err]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      seen.output += text
      onOutput?.(text)
    })
  }
  let rest = ''
  events?.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = JSON.parse(line)
      if (event.type === 'test') {
        if (event.ok) seen.passed += 1
        seen.current = event.name
        onTest?.(event.name)
      } else if (event.type === 'done') {
        seen.done = event
        onDone()
      } else if (event.type === 'lingers') seen.lingers = event
      else seen.leakedWorkers = event.workers
    }
  })
  seen.closed = new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      seen.code = code
      seen.signal = signal
      // A leaked grandchild can hold the pipes; what was written is read, and then nobody waits for it.
      setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy()
      }, 1000).unref()
    })
    child.on('close', () => resolve())
  })
  return seen
}

/**
 * @param {ReturnType<typeof observe>} seen
 * @param {{ limitSeconds: number, exitLimitMs: number }} limits
 * @returns {string[]}
 */
function judge(seen, { limitSeconds, exitLimitMs }) {
  const during = seen.current === null ? '' : ` during the test "${seen.current}"`
  const how = seen.signal === null ? `exit code ${seen.code}` : seen.signal
  if (seen.late === 'file') return [`it did not finish within ${limitSeconds} s, and was ended${during}; its last output: ${lastLine(seen.output)}`]
  if (seen.done === null) return [`the process ended (${how}) before its tests were done${during}`]
  const problems = [...seen.done.problems]
  const { passed, total } = seen.done
  if (passed < total && problems.length === 0) problems.push(`${total - passed} of ${total} tests failed`)
  if (seen.late === 'exit') {
    const holders = seen.lingers
      ? `it is kept alive by ${seen.lingers.workers} workers, and: ${seen.lingers.resources.join(', ')}`
      : 'its event loop did not even answer'
    problems.push(`the process did not end within ${exitLimitMs / 1000} s after its last test; ${holders}`)
  } else if (seen.code !== 0) problems.push(`the process ended with ${how} after its tests`)
  if (seen.leakedWorkers > 0) problems.push(`${seen.leakedWorkers} worker threads were still alive when the process ended`)
  return problems
}

/** @param {string} mark @param {number} group @returns {Promise<string[]>} */
async function endLeftovers(mark, group) {
  let left = processesLeft(mark, group)
  // A child that is just ending is no leak.
  for (let patience = 0; left.length > 0 && patience < 10; patience++) {
    await sleep(100)
    left = processesLeft(mark, group)
  }
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Ended meanwhile.
    }
  }
  return left.map(({ pid, command }) => `it left a process behind: ${pid} ${command.slice(0, 200)}`)
}

/** @param {string} output */
const lastLine = (output) => output.trimEnd().split('\n').at(-1)?.trim().slice(0, 200) || '(nothing)'
