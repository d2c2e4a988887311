/** Where running code is: on the driver, in a task, after an await, inside of a wait, and once its task is over. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { get, getRuntimeContext, init, type RuntimeContext, remote, shutdown } from '../src/index.ts'
import type * as tasks from './fixtures/tasks/context.ts'
import { rejection, thrown, withRuntime } from './support/with-runtime.ts'

const module = new URL('./fixtures/tasks/context.ts', import.meta.url)
const sync = remote.module<typeof tasks.sync>(module, 'sync')
const async_ = remote.module<typeof tasks.async>(module, 'async')
const plain = remote.module<typeof tasks.plain>(module, 'plain')
const either = remote.module<typeof tasks.either>(module, 'either')

test('without a runtime there is no context', () => {
  assert.is(thrown(() => getRuntimeContext()).code, 'ERR_NOT_INITIALIZED')
})

test('the driver is in no task', async () => {
  const info = await init({ numCpus: 1, namespace: 'mine' })
  const { nodeId, ...rest } = getRuntimeContext()
  assert.match(nodeId, /^[0-9a-f]{32}$/)
  const { jobId } = info
  assert.equal(rest, {
    jobId,
    taskId: undefined,
    workerId: undefined,
    taskName: undefined,
    attempt: 0,
    namespace: 'mine',
    assignedResources: {},
    gpuIds: [],
    actorId: undefined,
    actorName: undefined,
    wasRestarted: false,
  })
  await shutdown()
})

test(
  'a task knows itself by the id of its ref, its worker and the run',
  withRuntime({ numCpus: 1 }, async () => {
    const ref = sync.remote()
    const { jobId, nodeId, namespace } = getRuntimeContext()
    const { workerId, ...rest } = await get(ref)
    assert.match(workerId as string, /^\d+$/)
    assert.equal(rest, {
      jobId,
      nodeId,
      namespace,
      taskId: ref.id,
      taskName: 'sync',
      attempt: 0,
      assignedResources: { CPU: 1 },
      gpuIds: [],
      actorId: undefined,
      actorName: undefined,
      wasRestarted: false,
    })
  }),
)

test(
  'tasks that overlap on one thread each see themselves, before and after every await',
  withRuntime({ numCpus: 1 }, async () => {
    const forms = { async: async_, plain, either }
    const refs = Object.entries(forms).flatMap(([name, fn]) => Array.from({ length: 40 }, (_, k) => ({ name, ref: fn.remote(k % 4) })))
    // Those that return at once run between them, in the scopes that the others may not be left in.
    const between = Array.from({ length: 40 }, () => either.remote(-1))
    for (const { name, ref } of refs) {
      for (const context of (await get(ref)) as RuntimeContext[]) assert.equal([context.taskName, context.taskId], [name, ref.id])
    }
    for (const ref of between) assert.is((await get(ref))[0]?.taskId, ref.id)
  }),
)

test(
  'the first promise of a function that had returned none is followed, too',
  withRuntime({ numCpus: 1 }, async () => {
    for (let round = 0; round < 3; round++) {
      assert.equal(await taskNames(either.remote(-1)), ['either'])
      assert.equal(await taskNames(either.remote(1)), ['either', 'either', 'either'])
    }
    assert.is(await get(remote.module<typeof tasks.thenable>(module, 'thenable').remote()), 'thenable')
  }),
)

const taskNames = async (ref: ReturnType<typeof either.remote>): Promise<(string | undefined)[]> => (await get(ref)).map(({ taskName }) => taskName)

test(
  'a task that runs inside of a wait leaves the one that waits as it was',
  withRuntime({ numCpus: 1 }, async () => {
    assert.equal(await get(remote.module<typeof tasks.around>(module, 'around').remote()), ['around', 'sync', 'around'])
    assert.equal(await get(remote.module<typeof tasks.awaits>(module, 'awaits').remote()), ['awaits', 'sync', 'awaits'])
    await get(either.remote(-1))
    const aroundLater = remote.module<typeof tasks.aroundLater>(module, 'aroundLater')
    for (let k = 0; k < 3; k++) assert.equal(await get(aroundLater.remote({})), ['aroundLater'])
  }),
)

test(
  'what goes on after its task has ended belongs to none, whatever runs meanwhile',
  withRuntime({ numCpus: 1 }, async () => {
    const leaves = [remote.module<typeof tasks.leavesWork>(module, 'leavesWork'), remote.module<typeof tasks.leavesWorkLater>(module, 'leavesWorkLater')]
    for (const leavesWork of leaves) {
      // The first call and later ones have scopes of different kinds.
      for (let k = 0; k < 3; k++) await get(leavesWork.remote(20))
      const others = Array.from({ length: 10 }, () => async_.remote(60))
      assert.equal(await get(remote.module<typeof tasks.heardSoFar>(module, 'heardSoFar').remote(3)), [undefined, undefined, undefined])
      await get(others)
    }
  }),
)

test(
  'a failure after an await, and storage of the user beside ours',
  withRuntime({ numCpus: 1 }, async () => {
    assert.is((await rejection(get(remote.module<typeof tasks.throwsLater>(module, 'throwsLater').remote()))).at, 'throwsLater')
    const ownStorage = remote.module<typeof tasks.ownStorage>(module, 'ownStorage')
    assert.equal(
      await get([1, 2, 3].map((n) => ownStorage.remote(n))),
      [1, 2, 3].map((n) => [n, 'ownStorage']),
    )
  }),
)

test(
  'a name given by options is the name',
  withRuntime({ numCpus: 1 }, async () => {
    const named = remote(
      async (url: string) => {
        const { getRuntimeContext } = (await import(url)) as typeof import('../src/index.ts')
        return getRuntimeContext().taskName
      },
      { name: 'renamed' },
    )
    assert.is(await get(named.remote(new URL('../src/index.ts', import.meta.url).href)), 'renamed')
  }),
)

test.run()
