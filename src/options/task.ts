/** Options of remote functions: raw as users write them, resolved as a submission needs them. */

import { checkOptions, optionalString } from './check.ts'

export interface TaskOptions {
  /** Shown in errors and in front of what the task prints. Default: the function's name. */
  readonly name?: string
}

const KNOWN = ['name']
/** Names of the contract that this version refuses. */
const LATER = [
  'numCpus',
  'numGpus',
  'resources',
  'numReturns',
  'maxRetries',
  'retryExceptions',
  'timeout',
  'priority',
  'maxCalls',
  'signal',
  'isolation',
  'backpressure',
  'captures',
  'byValue',
  'byReference',
]

export const resolveTask = (options: unknown, where: string): TaskOptions => {
  const raw = checkOptions(options, `${where}: options`, KNOWN, LATER)
  const name = optionalString(raw.name, 'options.name')
  return name === undefined ? {} : { name }
}
