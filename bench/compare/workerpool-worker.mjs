/** The thread of bench/compare/workerpool.ts: offers the functions by name. */

import workerpool from 'workerpool'
import * as work from './work.mjs'

workerpool.worker({ ...work })
