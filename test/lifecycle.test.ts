/** However a program ends, nothing of it is left; while work is awaited, it does not end. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { figures } from '../src/binding.ts'
import { get, init, isInitialized, put, remote, shutdown } from '../src/index.ts'
import { collectGarbage, eventually } from './support/with-runtime.ts'

const program = fileURLToPath(new URL('./fixtures/programs/ends.mjs', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
  /** What it left where others would find it. */
  readonly left: readonly string[]
}

/** Starts the program, waits until it says that it is ready, and lets `then` do something to it. */
const run = async (how: string, state: string, then?: (child: ChildProcess) => void): Promise<Ended> => {
  // A temp folder of its own: other tests may use the common one meanwhile.
  const folder = mkdtempSync(join(tmpdir(), 'mobula-ends-'))
  const child = spawn(process.execPath, [program, how, state], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  })
  let output = ''
  let told = false
  const hear = (chunk: Buffer): void => {
    output += chunk
    if (!told && output.includes('ready')) {
      told = true
      then?.(child)
    }
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 60_000)
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(watchdog)
  const left = readdirSync(folder)
  rmSync(folder, { recursive: true })
  return { code, signal, output, left: [...left, ...sharedMemory()] }
}

const later = (signal: NodeJS.Signals) => (child: ChildProcess) => setTimeout(() => child.kill(signal), 200)

const sharedMemory = (): string[] => (process.platform === 'linux' ? readdirSync('/dev/shm').filter((name) => name.includes('mobula')) : [])

const cases: readonly (readonly [how: string, state: string, code: number])[] = [
  ['natural', 'parked', 0],
  ['natural', 'busy', 0],
  ['natural', 'awaiting', 0],
  ['natural', 'blocked', 0],
  ['exit', 'parked', 7],
  ['exit', 'busy', 7],
  ['exit', 'blocked', 7],
  ['throw', 'busy', 1],
  ['throw', 'parked', 1],
]

for (const [how, state, code] of cases) {
  test(`a program ends: ${how}, workers ${state}`, async () => {
    const ended = await run(how, state)
    assert.equal({ code: ended.code, signal: ended.signal }, { code, signal: null }, ended.output)
    assert.equal(ended.left, [])
  })
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  for (const how of ['wait', 'sync']) {
    test(`${signal} ends a program that waits (${how}), with busy workers, and leaves nothing`, async () => {
      const ended = await run(how, 'busy', later(signal))
      assert.equal({ code: ended.code, signal: ended.signal }, { code: null, signal }, ended.output)
      assert.equal(ended.left, [])
    })
  }
}

test('20 starts and shutdowns leave threads, maps and file descriptors as they were', async () => {
  const echo = remote((x: number) => x)
  const cycle = async (): Promise<void> => {
    await init({ numCpus: 1, objectStoreMemory: 64 * 2 ** 20 })
    const ref = put(new Uint8Array(1_000_000))
    assert.is((await get(ref)).length, 1_000_000)
    assert.is(await get(echo.remote(1)), 1)
    await shutdown()
  }
  for (let k = 0; k < 5; k++) await cycle()
  const count = (): Record<string, number> => ({
    threads: readdirSync('/proc/self/task').length,
    descriptors: readdirSync('/proc/self/fd').length,
    segments: readdirSync('/proc/self/fd').filter((name) => link(`/proc/self/fd/${name}`).includes('memfd')).length,
  })
  if (process.platform !== 'linux') return
  const before = count()
  for (let k = 0; k < 20; k++) await cycle()
  const story = (): string =>
    `${JSON.stringify(before)} are back: ${JSON.stringify(count())}, of ${readdirSync('/proc/self/fd').map((name) => link(`/proc/self/fd/${name}`))}`
  await eventually(story, () => {
    // A thread that was cut off while it read its modules leaves their files to the collector.
    collectGarbage()
    const now = count()
    return Object.entries(before).every(([name, value]) => (now[name] as number) <= value + 2)
  })
  // The last views are the collector's to give back.
  await eventually('the store is empty', () => {
    collectGarbage()
    return figures().storeObjects === 0 && figures().storePins === 0
  })
})

const link = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

test('init right after a shutdown that nobody awaited starts a runtime that stays', async () => {
  const echo = remote((x: number) => x)
  await init({ numCpus: 1 })
  echo.remote(1)
  const stopping = shutdown()
  await init({ numCpus: 1 })
  const ref = put(5)
  await stopping
  assert.ok(isInitialized())
  assert.is(await get(echo.remote(ref)), 5)
  await shutdown()
})

test("a thread that ends without shutdown leaves the package to the process's other threads", async () => {
  const url = new URL('../dist/index.js', import.meta.url).href
  const thread = new Worker(`import(${JSON.stringify(url)}).then(async ({ get, remote }) => { await get(remote((x) => x).remote(1)); process.exit(0) })`, {
    eval: true,
    execArgv: [],
  })
  await once(thread, 'exit')
  const { get: getThere, remote: remoteThere, shutdown: shutdownThere } = (await import(url)) as typeof import('../src/index.ts')
  assert.is(await getThere(remoteThere((x: number) => x + 1).remote(1)), 2)
  await shutdownThere()
})

test.run()
