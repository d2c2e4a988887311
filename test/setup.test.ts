/** `init({ setup })`: a module that every worker imports before its first task, and what happens when it fails. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, getSync, init, isInitialized, remote, shutdown, WorkerSetupError } from '../src/index.ts'
import { eventually, rejection, thrown, withRuntime } from './support/with-runtime.ts'

const counts = new URL('./fixtures/setup/counts.ts', import.meta.url)
const throws = new URL('./fixtures/setup/throws.ts', import.meta.url)

const echo = remote((x: unknown) => x)
const seen = remote(() => {
  const { setups, seen } = globalThis as unknown as { setups?: number; seen?: unknown[] }
  return [setups, ...(seen ?? ['nothing'])]
})

const forms: Readonly<Record<string, string | URL>> = {
  'a URL': counts,
  'the text of a URL': counts.href,
  'a path': fileURLToPath(counts),
  'a path from here': relative(process.cwd(), fileURLToPath(counts)),
}

for (const [what, setup] of Object.entries(forms)) {
  test(
    `${what}: it has run to its end, once, before the first task of each worker, and may use the API`,
    withRuntime({ numCpus: 2, setup }, async () => {
      for (const one of await get(Array.from({ length: 40 }, () => seen.remote())))
        assert.equal(one, [1, 2, 'put by a setup', 'put by a setup', undefined, 'string'])
    }),
  )
}

test(
  'a worker that takes the place of a dead one runs it, too',
  withRuntime({ numCpus: 1, setup: counts }, async () => {
    await rejection(get(remote(() => process.exit(1), { maxRetries: 0 }).remote()))
    assert.is((await get(seen.remote()))[0], 1)
  }),
)

test('one that throws: a WorkerSetupError for every task, with the cause and its stack, and no attempt after the third', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mobula-setup-'))
  const log = join(folder, 'log')
  try {
    await init({ numCpus: 1, setup: throws, env: { SETUP_LOG: log } })
    const refs = [echo.remote(1), echo.remote(2)]
    for (const ref of [...refs, echo.remote(refs[0])]) {
      const error = await rejection(get(ref))
      assert.instance(error, WorkerSetupError)
      assert.is(error.code, 'ERR_WORKER_SETUP')
      assert.match(error.message, /setup module file:.*throws\.ts failed: QuotaError: no licence left/)
      const { name, message, stack } = error.cause as Error
      assert.equal([name, message], ['QuotaError', 'no licence left'])
      assert.match(stack as string, /throws\.ts:10:7/)
      assert.match(stack as string, /TypeError: the deeper reason/)
    }
    assert.instance(await rejection(get(echo.remote(3))), WorkerSetupError)
    assert.is(readFileSync(log, 'utf8'), 'tried\n'.repeat(3))
    await shutdown()
    assert.is(figures().workers, undefined)
  } finally {
    await shutdown()
    rmSync(folder, { recursive: true })
  }
})

const failing: readonly (readonly [what: string, module: string, message: RegExp])[] = [
  ['throws no error', 'throw { plain: 1 }', /failed: .*plain: 1/],
  ['has a mistake in it', 'let let = 1', /SyntaxError/],
  ['imports what is not there', 'import "node:nowhere"', /ERR_UNKNOWN_BUILTIN_MODULE|No such built-in module/],
  ['ends its thread', 'process.exit(7)', /exit code 7/],
  ['throws where nobody catches', 'setTimeout(() => { throw new RangeError("out of band") }); await new Promise(() => {})', /RangeError: out of band/],
]

for (const [what, module, message] of failing) {
  test(`one that ${what} is told, also to a driver that blocks`, async () => {
    await init({ numCpus: 1, setup: `data:text/javascript,${encodeURIComponent(module)}`, logToDriver: false })
    const error = thrown(() => getSync(echo.remote(1)))
    assert.instance(error, WorkerSetupError)
    assert.match(error.message, message)
    assert.instance(await rejection(get(echo.remote(2))), WorkerSetupError)
    await shutdown()
  })
}

test('one that never ends holds up neither shutdown nor a wait with a limit, and its thread is handed nothing', async () => {
  for (const module of ['await new Promise((resolve) => setTimeout(resolve, 1e9))', 'for (;;);']) {
    await init({ numCpus: 1, setup: `data:text/javascript,${module}` })
    const ref = echo.remote(1)
    assert.is(thrown(() => getSync(ref, { timeout: 100 })).code, 'ERR_GET_TIMEOUT')
    await eventually('the thread is on its way', () => figures().queued === 1 && figures().workers === 0)
    const lost = rejection(get(ref))
    await shutdown()
    assert.is((await lost).code, 'ERR_SHUTDOWN')
  }
})

const wrong: readonly (readonly [what: string, setup: unknown, class_: new (...args: never[]) => Error, message: RegExp])[] = [
  ['a number', 1, TypeError, /^options\.setup: expected the URL or the path of a module, got 1/],
  ['a function', () => {}, TypeError, /^options\.setup/],
  ['nothing', '', TypeError, /^options\.setup/],
  ['a path to nowhere', './nowhere.ts', RangeError, /^options\.setup: expected a module that exists, got 'file:.*nowhere\.ts'/],
  ['a folder', './test', RangeError, /^options\.setup: expected a module that exists/],
  ['a URL to nowhere', new URL('./nowhere.ts', import.meta.url), RangeError, /^options\.setup: expected a module that exists/],
  ['a module of the web', 'https://example.org/setup.js', RangeError, /^options\.setup: expected a path, or a URL of file:, data: or node:/],
  ['no URL', 'http://[', RangeError, /^options\.setup/],
]

for (const [what, setup, class_, message] of wrong) {
  test(`${what} is refused at once`, () => {
    const error = thrown(() => init({ setup: setup as string }))
    assert.instance(error, class_)
    assert.match(error.message, message)
    assert.not(isInitialized())
  })
}

test.run()
