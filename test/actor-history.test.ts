/** What is kept of actors beside the runs of tasks: each instance, on which thread it lived, from when to when, and why it is gone. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ActorInstance } from '../src/engine/engine.ts'
import { type ActorHandle, type AnyActorHandle, actorId, exitActor, get, getRuntimeContext, kill, put, remote } from '../src/index.ts'
import { current } from '../src/runtime/current.ts'
import { eventually, rejection, withRuntime } from './support/with-runtime.ts'

class Host {
  constructor(breaks = false) {
    if (breaks) throw new Error('as it should')
  }
  worker(): string | undefined {
    return getRuntimeContext().workerId
  }
  leave(): void {
    exitActor()
  }
  die(): never {
    process.exit(3)
  }
}
const Hosts = remote(Host)

const instancesOf = (actor: AnyActorHandle): readonly ActorInstance[] =>
  current()
    ?.engine.instances()
    .filter(({ id }) => id === actorId(actor)) ?? []
const only = (actor: AnyActorHandle): ActorInstance => {
  const [instance, ...others] = instancesOf(actor)
  assert.equal(others, [])
  return instance as ActorInstance
}
const stages = (actor: AnyActorHandle): readonly unknown[] => instancesOf(actor).map(({ stage, restarts, reason }) => [stage, restarts, reason])
/** The thread that it says to live on, when its constructor has returned. */
const placeOf = async (actor: ActorHandle<Host>): Promise<number> => Number(await get(actor.worker.remote()))

test(
  'an instance has its moments in order, its thread, its class and its name',
  withRuntime({ namespace: 'here' }, async () => {
    const before = Date.now()
    const actor = Hosts.options({ name: 'hits' }).remote()
    const worker = await placeOf(actor)
    const { wanted, alive = 0, gone, ...rest } = only(actor)
    assert.equal(rest, { id: actorId(actor), className: 'Host', name: 'hits', namespace: 'here', restarts: 0, worker, stage: 'alive', text: '' })
    // The calendar and the clock that runs on may be set apart a little.
    assert.ok(before - 100 <= wanted && wanted <= alive && alive <= Date.now() + 100, `${before} ${wanted} ${alive} ${Date.now()}`)
    assert.is(gone, undefined)
    kill(actor)
    const end = only(actor)
    assert.equal([end.stage, end.reason, end.worker, end.wanted, end.alive], ['ended', 'killed', worker, wanted, alive])
    assert.ok((end.gone ?? 0) >= alive)
  }),
)

test(
  'an actor that cannot begin says what it lacks',
  withRuntime({ numCpus: 1 }, async () => {
    const later = remote(async () => new Promise<boolean>((resolve) => setTimeout(resolve, 100, false)))
    const waiting = Hosts.remote(later.remote())
    const unplaced = Hosts.options({ numCpus: 5 }).remote(put(false))
    assert.equal([stages(waiting), stages(unplaced)], [[['waiting', 0, undefined]], [['unplaced', 0, undefined]]])
    assert.equal([only(waiting).worker, only(waiting).name, only(waiting).alive], [undefined, undefined, undefined])
    await placeOf(waiting)
    assert.equal([stages(waiting), stages(unplaced)], [[['alive', 0, undefined]], [['unplaced', 0, undefined]]])
    kill(unplaced)
    assert.equal(stages(unplaced), [['ended', 0, 'killed']])
  }),
)

test(
  'each restart is an instance of its own, with the reason of the one before',
  withRuntime({}, async () => {
    const actor = Hosts.options({ maxRestarts: 2, maxTaskRetries: -1 }).remote()
    const first = await placeOf(actor)
    await rejection(get(actor.die.options({ maxTaskRetries: 0 }).remote()))
    const second = await placeOf(actor)
    kill(actor, { noRestart: false })
    await placeOf(actor)
    const [crashed, killed, alive] = instancesOf(actor)
    assert.equal(stages(actor), [
      ['lost', 0, 'crashed'],
      ['lost', 1, 'killed'],
      ['alive', 2, undefined],
    ])
    assert.equal([crashed?.worker, killed?.worker], [first, second])
    assert.match(crashed?.text ?? '', /3/)
    assert.equal([killed?.wanted, alive?.wanted], [crashed?.gone, killed?.gone])
    await rejection(get(actor.leave.remote()))
    assert.equal(stages(actor).at(-1), ['ended', 2, 'exited'])
  }),
)

test(
  'an end says why: nobody has it any more, its constructor threw, its thread died',
  withRuntime({}, async () => {
    const [dropped, broken, dying] = [Hosts.remote(), Hosts.remote(true), Hosts.remote()]
    const id = actorId(dropped)
    await get(dropped.worker.remote())
    await dropped[Symbol.asyncDispose]()
    await rejection(get(broken.worker.remote()))
    await rejection(get(dying.die.remote()))
    await eventually('it has ended', () => stages(dying).some((stage) => (stage as unknown[])[0] === 'ended'))
    const reasons = current()
      ?.engine.instances()
      .map((instance) => [instance.id, instance.reason, instance.alive !== undefined])
    assert.equal(reasons, [
      [id, 'out of scope', true],
      [actorId(broken), 'constructor', false],
      [actorId(dying), 'crashed', true],
    ])
  }),
)

test.run()
