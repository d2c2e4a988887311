/**
 * While an isolate ends, a buffer that is collected cannot be told from one that was emptied by `transfer()` and then collected, whose
 * memory somebody else may have: it would stay out of use for good. So none is collected from here on.
 */

import { holdBuffers } from '../../binding.ts'
import { finishCollection } from './collect.ts'

/** Once a thread. A thread that is terminated does without; it seldom collects anything in its last moments. */
process.once('exit', () => {
  if (holdBuffers()) finishCollection()
})
