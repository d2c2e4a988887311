/** The public names of mobula, and no code. */

/// <reference types="node" preserve="true" />
import './platform.ts'

export { actorId } from './api/actor-id.ts'
export type { ActorHandle, ActorMethod, ActorOf, AnyActorHandle, RemoteClass } from './api/actor-types.ts'
export { asCompleted } from './api/as-completed.ts'
export { type CancelOptions, cancel } from './api/cancel.ts'
export { type CapturedName, type CaptureReport, checkCapture } from './api/check-capture.ts'
export { type BufferOptions, createBuffer } from './api/create-buffer.ts'
export { exitActor } from './api/exit-actor.ts'
export { free } from './api/free.ts'
export { get, getSync } from './api/get.ts'
export { type GetActorOptions, getActor } from './api/get-actor.ts'
export { getRuntimeContext, type RuntimeContext } from './api/get-runtime-context.ts'
export { init, isInitialized } from './api/init.ts'
export { type KillOptions, kill } from './api/kill.ts'
export { put } from './api/put.ts'
export { registerCodec } from './api/register-codec.ts'
export { type RemoteFunction, remote } from './api/remote.ts'
export { shutdown } from './api/shutdown.ts'
export type { Stored } from './api/types.ts'
export { wait } from './api/wait.ts'
export {
  ActorDiedError,
  ActorError,
  ActorUnavailableError,
  CaptureError,
  DeadlockError,
  GetTimeoutError,
  MobulaError,
  ObjectFreedError,
  ObjectLostError,
  ObjectStoreFullError,
  OutOfDiskError,
  OutOfMemoryError,
  PendingCallsLimitError,
  SerializationError,
  ShutdownError,
  TaskCancelledError,
  TaskError,
  TaskTimeoutError,
  WorkerCrashedError,
  WorkerSetupError,
} from './errors/errors.ts'
export type { ActorOptions } from './options/actor.ts'
export type { ActorCallOptions } from './options/actor-call.ts'
export type { GetOptions, WaitOptions } from './options/get.ts'
export type { InitOptions } from './options/init.ts'
export type { TaskOptions } from './options/task.ts'
export { ObjectRef } from './refs/object-ref.ts'
export type { ObjectRefGenerator } from './refs/object-ref-generator.ts'
export type { RuntimeInfo } from './runtime/current.ts'
export type { Draft } from './runtime/draft.ts'
