/** Says that calls of a function can never run, as long as the runtime is what it is. */

import type { FunctionRecord, ResourceFigure } from '../engine.ts'

const WHOLE = 10_000

export const warnBeyond = ({ name, cpu, gpu, named }: FunctionRecord, there: readonly ResourceFigure[]): void => {
  const needs = [{ name: 'CPU', parts: cpu }, { name: 'GPU', parts: gpu }, ...named]
  const missing = needs.flatMap(({ name: resource, parts }) => {
    const total = there.find((figure) => figure.name === resource)?.total ?? 0
    return parts > total ? [`${parts / WHOLE} ${resource} (there is ${total === 0 ? 'none' : total / WHOLE})`] : []
  })
  process.emitWarning(
    `task '${name}' needs ${missing.join(' and ')}: its calls stay pending until the runtime ends. init({ numCpus, numGpus, resources }) says how much there is.`,
    'MobulaWarning',
  )
}
