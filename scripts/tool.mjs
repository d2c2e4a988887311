/** Runs another program in a process group of its own, with a time limit, so that nothing of it is left whatever happens. */

import { spawn } from 'node:child_process'

/**
 * @typedef {object} ToolOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {number} [limitSeconds]
 * @property {boolean} [inherit] show the output as it comes instead of keeping it
 * @property {(text: string) => void} [onOutput]
 */

/**
 * @typedef {object} ToolResult
 * @property {number | null} code the exit code; null when a signal ended it
 * @property {string | null} signal
 * @property {string} output stdout and stderr together
 * @property {boolean} late whether the time limit ended it
 * @property {NodeJS.ErrnoException | null} missing why the program could not be started at all
 */

/** @type {Set<number>} */
const groups = new Set()

/** @param {number} pid @param {NodeJS.Signals} signal */
export function killGroup(pid, signal = 'SIGKILL') {
  try {
    process.kill(-pid, signal)
  } catch {
    // The group has ended already, which is what was wanted.
  }
}

/** A group does not hear the terminal's Ctrl-C: whoever starts one has it ended with this process. @param {number} pid */
export function adoptGroup(pid) {
  if (groups.size === 0) watchSignals()
  groups.add(pid)
}

/** @param {number} pid */
export function dismissGroup(pid) {
  groups.delete(pid)
}

let watching = false

function watchSignals() {
  if (watching) return
  watching = true
  const endAll = () => {
    for (const pid of groups) killGroup(pid)
  }
  process.on('exit', endAll)
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.once(signal, () => process.exit(code))
  }
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {ToolOptions} [options]
 * @returns {Promise<ToolResult>}
 */
export function run(program, args, options = {}) {
  const { cwd, env = process.env, limitSeconds = 1800, inherit = false, onOutput } = options
  return new Promise((resolve) => {
    // A program that shows its output stays in this group: it may talk to the terminal, and Ctrl-C reaches it.
    const child = spawn(program, args, { cwd, env, detached: !inherit, stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'] })
    const { pid } = child
    let output = ''
    let late = false
    /** @type {NodeJS.ErrnoException | null} */
    let missing = null
    if (pid !== undefined && !inherit) adoptGroup(pid)
    const limit = setTimeout(() => {
      late = true
      if (pid !== undefined && !inherit) killGroup(pid)
      else child.kill('SIGKILL')
    }, limitSeconds * 1000)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text
        onOutput?.(text)
      })
    }
    const settle = (/** @type {number | null} */ code, /** @type {string | null} */ signal) => {
      clearTimeout(limit)
      if (pid !== undefined) dismissGroup(pid)
      resolve({ code, signal, output, late, missing })
    }
    child.on('error', (error) => {
      missing = error
      if (pid === undefined) settle(null, null)
    })
    child.on('exit', () => {
      // A grandchild that outlives its parent may hold the pipes open for ever.
      setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, 2000).unref()
    })
    child.on('close', settle)
  })
}
