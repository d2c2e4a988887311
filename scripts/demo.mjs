/** `npm run demo`: builds what is missing, then runs the demo with the arguments given (`npm run demo -- --help`). */

import { build } from './build.mjs'
import { root } from './places.mjs'
import { script } from './steps.mjs'
import { run } from './tool.mjs'

await script(async () => {
  await build({ quiet: true })
  const { code, signal } = await run(process.execPath, ['--import', 'tsx', 'examples/flights/main.ts', ...process.argv.slice(2)], {
    cwd: root,
    inherit: true,
    limitSeconds: 24 * 3600,
  })
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
})
