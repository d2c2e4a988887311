/** Runs one fuzz target in this process, and prints its report: `run.ts ./codec.ts '{"seconds":60,"seed":1}'`. */

import type { fuzz } from './codec.ts'

const [, , file = '', settings = ''] = process.argv
const { seconds, seed, input } = JSON.parse(settings) as { seconds: number; seed: number; input?: string }
const target = (await import(file)) as { fuzz: typeof fuzz }
const report = await target.fuzz({ seconds, seed, ...(input === undefined ? {} : { input: Buffer.from(input, 'hex') }) })
const { rounds, decoded, refused, corpus, slowestMs, finding } = report
console.log(`seed ${seed}: ${rounds} inputs, ${decoded} decoded, ${refused} refused, ${corpus} kept; the slowest took ${slowestMs.toFixed(1)} ms`)
if (finding !== undefined) {
  console.log(finding)
  process.exitCode = 1
}
