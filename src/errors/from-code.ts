/** Turns an error of the addon into the class that its code stands for. */

import { ERROR_CODES } from './codes.ts'
import { MobulaError, ObjectLostError, ObjectStoreFullError, OutOfDiskError, ShutdownError } from './errors.ts'

/** The same message under the class of the code; what carries no code of ours is given back as it is. `holders` says who takes the most of a full store. */
export const fromCode = (error: unknown, holders: () => string = () => ''): unknown => {
  if (!(error instanceof Error)) return error
  const { code, message } = error as Error & { code?: unknown }
  switch (code) {
    case ERROR_CODES.ERR_OBJECT_STORE_FULL:
      return new ObjectStoreFullError(`${message}.${holders()} Let go of refs (using ref = put(…)) and of views, or raise init({ objectStoreMemory }).`)
    case ERROR_CODES.ERR_OUT_OF_DISK:
      return new OutOfDiskError(`${message}.${holders()} Make room on the disk, name another by init({ spillDirectory }), or let go of refs.`)
    case ERROR_CODES.ERR_OBJECT_LOST:
      return new ObjectLostError(message)
    case ERROR_CODES.ERR_SHUTDOWN:
      return new ShutdownError(message)
    case ERROR_CODES.ERR_INTERNAL:
    case ERROR_CODES.ERR_DRAFT_CLOSED:
    case ERROR_CODES.ERR_DRAFT_LOCKED:
      return new MobulaError(message, { code })
    case 'ERR_OUT_OF_RANGE':
      return new RangeError(message)
    default:
      return error
  }
}

/** Whether the addon found no room for bytes of the store. */
export const isFull = (error: unknown): boolean => {
  const code = (error as { code?: unknown }).code
  return code === ERROR_CODES.ERR_OBJECT_STORE_FULL || code === ERROR_CODES.ERR_OUT_OF_DISK
}
