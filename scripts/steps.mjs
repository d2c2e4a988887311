/** Shows each step of a script as it runs, with its time, and how to repeat it alone when it fails. */

import { run } from './tool.mjs'

/** A failure whose message is all that a reader needs: no stack is shown for it. */
export class StepError extends Error {
  /** @param {string} message @param {{ output?: string, repeat?: string | undefined }} [details] */
  constructor(message, { output = '', repeat } = {}) {
    super(message)
    this.name = 'StepError'
    this.output = output
    this.repeat = repeat
  }
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`
}

/**
 * Does one step, and shows it as one line: its title at once, its outcome when it is known.
 * @template T
 * @param {string} title
 * @param {() => Promise<T> | T} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const start = performance.now()
  process.stdout.write(`${title} ... `)
  try {
    const result = await work()
    process.stdout.write(`done, ${duration(performance.now() - start)}\n`)
    return result
  } catch (error) {
    process.stdout.write(`FAILED after ${duration(performance.now() - start)}\n`)
    throw error
  }
}

/**
 * Runs a program as a step: silent while all is well, but never for longer than half a minute, and with all its output when it fails.
 * @param {string} title
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import('./tool.mjs').ToolOptions & { repeat: string }} options
 * @returns {Promise<string>} its output
 */
export function toolStep(title, program, args, options) {
  return step(title, async () => {
    const start = performance.now()
    let last = ''
    const beat = setInterval(() => {
      process.stdout.write(`\n  still running after ${duration(performance.now() - start)}: ${last} ... `)
    }, 30_000)
    try {
      const result = await run(program, args, {
        ...options,
        onOutput: (text) => {
          last = text.trimEnd().split('\n').at(-1)?.trim().slice(0, 120) ?? ''
        },
      })
      if (result.missing) throw new StepError(`${program} could not be started: ${result.missing.message}`, { repeat: options.repeat })
      if (result.late) throw new StepError(`${title}: not finished within ${options.limitSeconds} s`, { output: result.output, repeat: options.repeat })
      if (result.code !== 0) {
        const how = result.signal === null ? `exit code ${result.code}` : result.signal
        throw new StepError(`${title}: ${how}`, { output: result.output, repeat: options.repeat })
      }
      return result.output
    } finally {
      clearInterval(beat)
    }
  })
}

/** @param {unknown} error */
export function showFailure(error) {
  if (!(error instanceof StepError)) {
    console.error(error)
    return
  }
  // What tsc lists for the build to read says nothing about the failure.
  const output = error.output.replace(/^TSFILE: .*\n?/gm, '').trimEnd()
  if (output !== '') console.error(`\n${output}`)
  console.error(`\n${error.message}`)
  if (error.repeat) console.error(`Repeat with: ${error.repeat}`)
}

/**
 * The main function of a script: its failure is shown, and becomes the exit code.
 * @param {() => Promise<void>} main
 */
export async function script(main) {
  try {
    await main()
  } catch (error) {
    showFailure(error)
    process.exitCode = 1
  }
}
