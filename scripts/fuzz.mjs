/** `npm run fuzz`: feeds a target of test/fuzz with damaged input for a while; a finding is an exit code of 1, and its input to see it again. */

import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ensureDependencies } from './build.mjs'
import { place, root, rustEnvironment } from './places.mjs'
import { StepError, script } from './steps.mjs'
import { run } from './tool.mjs'

const help = `npm run fuzz -- codec|spill [options]

  codec          damaged encoded values for the decoder
  spill          damaged spill files under the object store (Linux)
  --seconds N    how long; 60 unless said
  --seed N       the same seed feeds the same inputs; another one each time unless said
  --input HEX    only this input, in every mode (codec)`

await script(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, input: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  const [name = 'codec'] = positionals
  if (values.help) {
    console.log(help)
    return
  }
  const seconds = Number(values.seconds ?? 60)
  const seed = Number(values.seed ?? randomInt(2 ** 31))
  if (!(seconds > 0) || !Number.isInteger(seed)) throw new StepError('--seconds and --seed want numbers')
  if (name === 'spill') return spill(seconds, seed)
  if (!existsSync(place('test', 'fuzz', `${name}.ts`))) throw new StepError(`there is no target ${name}`)
  await ensureDependencies()
  const settings = JSON.stringify({ seconds, seed, input: values.input })
  const result = await run(process.execPath, ['--import', 'tsx', 'test/fuzz/run.ts', `./${name}.ts`, settings], {
    cwd: root,
    inherit: true,
    limitSeconds: seconds + 300,
  })
  if (result.code !== 0) throw new StepError(`${name}: see above`, { repeat: `npm run fuzz -- ${name} --seconds ${seconds} --seed ${seed}` })
})

/** A test of Rust's, which runs for longer and with other seeds. @param {number} seconds @param {number} seed */
async function spill(seconds, seed) {
  const args = ['test', '--release', '-p', 'mobula-store', '--test', 'damage', '--', '--nocapture']
  const env = { ...(await rustEnvironment()), MOBULA_FUZZ_SECONDS: `${Math.ceil(seconds)}`, MOBULA_FUZZ_SEED: `${seed}` }
  const result = await run('cargo', args, { cwd: root, env, inherit: true, limitSeconds: seconds + 1200 })
  if (result.code !== 0) throw new StepError('spill: see above', { repeat: `npm run fuzz -- spill --seconds ${seconds} --seed ${seed}` })
}
