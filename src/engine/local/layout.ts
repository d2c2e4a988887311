/** The constants of the record layout as plain names, read once from the addon. Offsets of words are in words, of bytes in bytes. */

import { constant } from '../../binding.ts'

export const AREA_BYTES: number = constant('AREA_BYTES')
export const STOCK: number = constant('STOCK_AT') / 4
export const OPS: number = constant('OPS_AT') / 4
export const OPS_MAX: number = constant('OPS_MAX')
export const OP_WORDS: number = constant('OP_BYTES') / 4
export const OP_HEAP: number = constant('OP_HEAP_AT')
export const HEAP_BYTES: number = constant('HEAP_BYTES')
export const TASKS: number = constant('TASKS_AT') / 4
export const TASK_WORDS: number = constant('TASK_BYTES') / 4
export const TASK_ACTOR: number = constant('TASK_ACTOR_AT') / 4
export const TASK_BIRTH: number = constant('TASK_BIRTH_AT') / 4
export const BIRTH_WORD: number = constant('BIRTH_WORD')
export const TASK_HEAP: number = constant('TASK_HEAP_AT')
export const COMPLETIONS: number = constant('COMPLETIONS_AT') / 4
export const COMPLETIONS_MAX: number = constant('COMPLETIONS_MAX')
export const LETTERS: number = constant('LETTERS_AT') / 4
export const LETTER_WORDS: number = constant('LETTER_BYTES') / 4
export const LETTERS_MAX: number = constant('LETTERS_MAX')
export const FETCH: number = constant('FETCH_AT') / 4
export const FETCH_MAX: number = constant('FETCH_MAX')
export const FETCH_WORDS: number = constant('FETCH_BYTES') / 4
export const FETCH_HEAP: number = constant('FETCH_HEAP_AT')
export const REF_WORDS: number = constant('REF_BYTES') / 4
export const REF_BYTES: number = constant('REF_BYTES')
export const EXIT_TEXT: number = constant('EXIT_TEXT_AT')
export const EXIT_TEXT_MAX: number = constant('EXIT_TEXT_MAX')
export const INLINE_MAX: number = constant('INLINE_MAX')
export const NO_TIMEOUT: number = constant('NO_TIMEOUT')
export const STATES_OF_ITEMS: number = constant('STATES_OF_ITEMS')

export const H_OPS: number = constant('H_OPS')
export const H_ROOM: number = constant('H_ROOM')
export const H_OP_HEAP: number = constant('H_OP_HEAP')
export const H_STOCK: number = constant('H_STOCK')
export const H_TASKS: number = constant('H_TASKS')
export const H_ROUND: number = constant('H_ROUND')
export const H_COMPLETIONS: number = constant('H_COMPLETIONS')
export const H_FETCH_ASKED: number = constant('H_FETCH_ASKED')
export const H_FETCH_ANSWERED: number = constant('H_FETCH_ANSWERED')
export const H_WANTED: number = constant('H_WANTED')
export const H_PARK_MS: number = constant('H_PARK_MS')
export const H_PARK_REASON: number = constant('H_PARK_REASON')
export const H_EXIT_CODE: number = constant('H_EXIT_CODE')
export const H_EXIT_TEXT: number = constant('H_EXIT_TEXT')
export const H_FETCH_STATES: number = constant('H_FETCH_STATES')
export const H_HELD: number = constant('H_HELD')
export const H_LEAVE: number = constant('H_LEAVE')
export const H_FAULTS: number = constant('H_FAULTS')
export const H_COLLECT: number = constant('H_COLLECT')
export const H_STOPPED: number = constant('H_STOPPED')
export const H_ORIGIN_HIGH: number = constant('H_ORIGIN_HIGH')
export const H_ORIGIN_LOW: number = constant('H_ORIGIN_LOW')
export const H_LETTERS: number = constant('H_LETTERS')
export const H_ADMITTED: number = constant('H_ADMITTED')
export const H_WRITTEN_SLOT: number = constant('H_WRITTEN_SLOT')
export const H_WRITTEN_GENERATION: number = constant('H_WRITTEN_GENERATION')

export const OP_SUBMIT: number = constant('OP_SUBMIT')
export const OP_PUT: number = constant('OP_PUT')
export const OP_RESULT: number = constant('OP_RESULT')
export const OP_RETURN: number = constant('OP_RETURN')
export const OP_RELEASE: number = constant('OP_RELEASE')
export const OP_RETAIN: number = constant('OP_RETAIN')
export const OP_REFS: number = constant('OP_REFS')
export const OP_KEYS: number = constant('OP_KEYS')
export const OP_GET: number = constant('OP_GET')
export const OP_WAIT: number = constant('OP_WAIT')
export const OP_END_WAIT: number = constant('OP_END_WAIT')
export const OP_HAND_BACK: number = constant('OP_HAND_BACK')
export const OP_FREE: number = constant('OP_FREE')
export const OP_COLLECTED: number = constant('OP_COLLECTED')
export const OP_CANCEL: number = constant('OP_CANCEL')
export const OP_TO: number = constant('OP_TO')
export const OP_CREATE: number = constant('OP_CREATE')
export const OP_KILL: number = constant('OP_KILL')
export const OP_EXIT: number = constant('OP_EXIT')
export const OP_LET_GO: number = constant('OP_LET_GO')
export const OP_BRING: number = constant('OP_BRING')
export const OP_NEXT: number = constant('OP_NEXT')
export const OP_TOOK: number = constant('OP_TOOK')
export const OP_YIELD: number = constant('OP_YIELD')
export const OP_ASK: number = constant('OP_ASK')
export const OP_STORED: number = constant('OP_STORED')

export const HOW_DONE: number = constant('HOW_DONE')
export const HOW_FAILED: number = constant('HOW_FAILED')
export const HOW_FAILED_AGAIN: number = constant('HOW_FAILED_AGAIN')

export const CANCEL_FORCED: number = constant('CANCEL_FORCED')
export const CANCEL_RECURSIVE: number = constant('CANCEL_RECURSIVE')
export const CANCEL_LEFT: number = constant('CANCEL_LEFT')

export const LETTER_CANCELLED: number = constant('LETTER_CANCELLED')
export const LETTER_TIMED_OUT: number = constant('LETTER_TIMED_OUT')
export const LETTER_TERMINATE: number = constant('LETTER_TERMINATE')
export const LETTER_START_FOR: number = constant('LETTER_START_FOR')
export const LETTER_DROP_ACTOR: number = constant('LETTER_DROP_ACTOR')
export const LETTER_RESUME: number = constant('LETTER_RESUME')

export const KILL_NO_RESTART: number = constant('KILL_NO_RESTART')

export const REASON_KILLED: number = constant('REASON_KILLED')
export const REASON_EXITED: number = constant('REASON_EXITED')
export const REASON_OUT_OF_SCOPE: number = constant('REASON_OUT_OF_SCOPE')
export const REASON_CRASHED: number = constant('REASON_CRASHED')
export const REASON_NEIGHBOUR: number = constant('REASON_NEIGHBOUR')
export const REASON_CONSTRUCTOR: number = constant('REASON_CONSTRUCTOR')

export const PLACE_HEAP: number = constant('PLACE_HEAP')
export const PLACE_VIEW: number = constant('PLACE_VIEW')
export const PLACE_BULK: number = constant('PLACE_BULK')

export const STATE_PENDING: number = constant('STATE_PENDING')
export const STATE_VALUE: number = constant('STATE_VALUE')
export const STATE_THROWN: number = constant('STATE_THROWN')
export const STATE_CRASHED: number = constant('STATE_CRASHED')
export const STATE_SETUP: number = constant('STATE_SETUP')
export const STATE_GONE: number = constant('STATE_GONE')
export const STATE_FREED: number = constant('STATE_FREED')
export const STATE_LOST: number = constant('STATE_LOST')
export const STATE_CANCELLED: number = constant('STATE_CANCELLED')
export const STATE_TIMED_OUT: number = constant('STATE_TIMED_OUT')
export const STATE_ACTOR_DIED: number = constant('STATE_ACTOR_DIED')
export const STATE_ACTOR_BROKEN: number = constant('STATE_ACTOR_BROKEN')
export const STATE_ACTOR_UNAVAILABLE: number = constant('STATE_ACTOR_UNAVAILABLE')
export const STATE_END: number = constant('STATE_END')

export const STATUS_READY: number = constant('STATUS_READY')
export const STATUS_FAILED: number = constant('STATUS_FAILED')
export const STATUS_ENDED: number = constant('STATUS_ENDED')
export const STATUS_CIRCLE: number = constant('STATUS_CIRCLE')

export const IDLE_WORD: number = constant('IDLE_WORD')
export const HEADER_WORDS: number = constant('HEADER_WORDS')
export const CLAIM_WORDS: number = constant('CLAIM_WORDS')
