/** Imports the user's setup module, before this thread takes part in the work. */

import type { Port } from '../engine/local/port.ts'
import { setupFailure } from '../errors/setup-error.ts'
import { leaveWord } from './exit.ts'

/** Whether another thread is tried is known in Rust, which hears of the failure from the thread itself: the driver may be blocked. */
export const setUp = async (port: Port, url: string): Promise<void> => {
  try {
    await import(url)
  } catch (error) {
    leaveWord(port, setupFailure(url, error))
    port.close()
    throw error
  }
}
