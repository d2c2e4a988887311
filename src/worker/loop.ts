/** A worker's loop: takes records from the runtime, begins each by a claim, and runs it. */

import { LocalEngine } from '../engine/local/engine.ts'
import * as L from '../engine/local/layout.ts'
import { Port } from '../engine/local/port.ts'
import { setProgramEntries } from '../functions/entry.ts'
import { setProjectRoot } from '../functions/project.ts'
import '../functions/ship.ts'
import { setCurrent } from '../runtime/current.ts'
import '../runtime/remote-class.ts'
import '../runtime/remote-handle.ts'
import { runningTask, taskOnStack } from '../runtime/running.ts'
import { Executor } from './execute.ts'
import { reportExit } from './exit.ts'
import { passes, WORKER_START } from './fault-points.ts'
import { prefixOutput } from './output.ts'
import { Retirement } from './retire.ts'
import { setUp } from './set-up.ts'
import type { WorkerStart } from './start.ts'

const OFFERED = 1
const CLAIMED = 2

/** Installs the loop in this thread's event loop; once this has settled the addon calls it when there is work. */
export const install = async (start: WorkerStart): Promise<void> => {
  setProgramEntries(start.entries)
  setProjectRoot(start.root)
  const port = new Port({
    role: 'worker',
    runtime: start.runtime,
    start: start.workerId,
    isSingle: start.actor !== undefined,
    onWork: () => runRound(port, executor),
    onLeave: () => retirement.hear(),
    // Not at once: the loop's hook is on the stack, and results are to be handed in.
    onEnd: () => setImmediate(() => process.exit(0)),
    runningFunction: () => taskOnStack()?.function,
    runningTask,
    onUnwanted: (task, isTimeout) => executor.endTask(task, isTimeout),
    onActorDropped: (actor) => executor.dropActor(actor),
    onRoom: (task) => executor.resume(task),
    onCollect: () => executor.forgetClosures(),
  })
  const retirement: Retirement = new Retirement(port)
  const executor: Executor = new Executor(port, () => flushOutput())
  const engine = new LocalEngine({
    runtime: start.runtime,
    port,
    help: (task) => executor.help(task),
    beforeBlock: () => executor.giveBackLoading(),
    unwanted: () => runningTask()?.ended,
  })
  setCurrent({ engine, role: 'worker', info: start.info, nodeId: start.nodeId, workerId: String(start.workerId) })
  const flushOutput = prefixOutput(start)
  reportExit(port)
  if (start.setup !== undefined) await setUp(port, start.setup)
  passes(port, WORKER_START)
  port.takeSeat(start.actor)
}

/**
 * One round of records. More rounds follow at once, unless async tasks wait for their microtasks. When a task turns out to be async,
 * those behind it may not begin beside it: the next round, for which the runtime knows of it, begins with what may.
 */
const runRound = (port: Port, executor: Executor): void => {
  const { words, shared } = port
  const { claims } = port
  let isCutShort: boolean
  do {
    isCutShort = false
    const count = port.next()
    if (count === 0) return
    executor.beginRound()
    const wasFree = executor.isFree
    const round = words[L.H_ROUND] as number
    // A look at the clock costs as much as a tenth of a small task.
    const stride = (count >> 2) + 1
    let look = stride
    for (let k = 0; k < count; k++) {
      const at = L.TASKS + k * L.TASK_WORDS
      if (words[at + L.TASK_ACTOR + 1] !== 0) {
        // Its actor has as many calls going on as it may: the next round gives it back.
        if (!executor.mayBegin(at)) {
          isCutShort = true
          continue
        }
      } else if (wasFree && !executor.isFree && !executor.isAsync(at)) {
        isCutShort = true
        break
      }
      const offered = (round << 2) | OFFERED
      // Whoever changes the word first has the task: this worker, or a thief that found it lying.
      if (Atomics.compareExchange(shared, claims + k, offered, (round << 2) | CLAIMED) !== offered) continue
      if (k >= look) {
        port.stamp(words[at] as number)
        look = k + stride
      }
      executor.run(at)
    }
  } while (executor.isIdle || isCutShort)
  // The results of this round must not wait for the next.
  port.flush()
}
