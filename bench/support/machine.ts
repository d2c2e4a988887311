/** Says on what machine, and beside how much other work, figures were taken. */

import { cpus, freemem, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly freeGiB: number
  readonly os: string
  readonly node: string
  /** The load of the last minute when the suite began. */
  readonly load: number
}

export function machine(): Machine {
  const [first, ...others] = cpus()
  const gib = (bytes: number): number => Math.round((bytes / 2 ** 30) * 10) / 10
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: others.length + 1,
    memoryGiB: gib(totalmem()),
    freeGiB: gib(freemem()),
    os: `${process.platform}-${process.arch} ${release()}`,
    node: process.version,
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  }
}

export function machineLine({ cpu, cores, memoryGiB, freeGiB, os, node, load }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB (${freeGiB} free), ${os}, Node ${node}, load ${load}`
}
