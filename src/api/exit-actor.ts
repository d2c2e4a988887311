/** `exitActor`: an actor ends itself. */

import { ERROR_CODES } from '../errors/codes.ts'
import { ActorDiedError, MobulaError } from '../errors/errors.ts'
import { current } from '../runtime/current.ts'
import { runningTask } from '../runtime/running.ts'

/**
 * Ends the actor whose method calls it. It never returns: its own call, and all that are queued or under way, reject with `ActorDiedError`
 * (reason `'exited'`); there is no restart. What it throws to leave the method is not to be caught.
 *
 * @throws {MobulaError} `ERR_NOT_INITIALIZED` outside of an actor
 * @example
 * ```ts
 * import { exitActor, get, remote } from 'mobula'
 * const Worker = remote(class Worker { leave(): void { exitActor() } })
 * const worker = Worker.remote()
 * await get(worker.leave.remote()).catch((error) => console.log(error.reason)) // exited
 * ```
 */
export const exitActor = (): never => {
  const task = runningTask()
  const actor = task?.actor
  const engine = current()?.engine
  if (task === undefined || actor === undefined || engine === undefined)
    throw new MobulaError('exitActor: no actor runs this code; call it in a method of one, or use kill(actor)', { code: ERROR_CODES.ERR_NOT_INITIALIZED })
  engine.exitActor(actor.key, task.birth)
  throw new ActorDiedError(`actor ${actor.name} has ended: it ended itself by exitActor()`, { reason: 'exited' })
}
