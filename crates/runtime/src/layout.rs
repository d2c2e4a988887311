//! What lies where in a port's area, and what the records mean. TypeScript reads these numbers from the addon.
//!
//! ```text
//! header | stock | ops | op heap | tasks | task heap | completions | letters | fetch | fetch heap | exit text
//! ```
//! All words are 32-bit and little-endian; offsets are bytes from the start of the area. An area has one owner at a time:
//! JavaScript, except during a call into the port.

/// Raised with every change of a record or an offset.
pub const VERSION: u32 = 6;

/// Words of the header, by index.
pub mod header {
    /// Operations written and not yet read.
    pub const OPS: usize = 0;
    /// Bytes of the op heap in use.
    pub const OP_HEAP: usize = 1;
    /// Reserved slots left in stock; taken from the end.
    pub const STOCK: usize = 2;
    /// Task records handed out by `next`.
    pub const TASKS: usize = 3;
    /// The round they belong to, for claiming.
    pub const ROUND: usize = 4;
    /// Completions handed out by `drain`.
    pub const COMPLETIONS: usize = 5;
    /// Entries asked for by `fetch`.
    pub const FETCH_ASKED: usize = 6;
    /// Entries that `fetch` answered; the rest did not fit and is asked for again.
    pub const FETCH_ANSWERED: usize = 7;
    /// Workers that the driver should start (driver only).
    pub const WANTED: usize = 8;
    /// How long `park` may block, in milliseconds; `NO_TIMEOUT` for ever.
    pub const PARK_MS: usize = 9;
    /// Why `park` returned.
    pub const PARK_REASON: usize = 10;
    /// Exit code of a dying worker, plus one; 0: unknown.
    pub const EXIT_CODE: usize = 11;
    /// Length of the exit text.
    pub const EXIT_TEXT: usize = 12;
    /// Async tasks begun and not finished on this worker.
    pub const IN_FLIGHT: usize = 13;
    /// Not zero: the runtime was stopped.
    pub const STOPPED: usize = 14;
    /// Waits not yet completed.
    pub const OUTSTANDING: usize = 15;
    /// Not zero: the store fills up; collect garbage, since what is forgotten may hold objects.
    pub const COLLECT: usize = 19;
    /// Not zero: `fetch` answers with states alone; `STATES_OF_ITEMS`: of what may be the end of a stream.
    pub const FETCH_STATES: usize = 18;
    /// How many more tasks may be submitted, as of the last crossing.
    pub const ROOM: usize = 20;
    /// Async tasks that were begun on this worker and have not ended; those aside that wait for their modules.
    pub const HELD: usize = 21;
    /// 1: this worker has been idle for long, and there are others: its thread should end. 2: it must end, since the actor that it was
    /// started for has.
    pub const LEAVE: usize = 22;
    /// The isolate's own 64 bits of the ids of tasks that it submits: the first half.
    pub const ORIGIN_HIGH: usize = 23;
    /// The second half.
    pub const ORIGIN_LOW: usize = 24;
    /// Letters handed out by `drain`.
    pub const LETTERS: usize = 25;
    /// A bit for each point at which a fault is set.
    pub const FAULTS: usize = 26;
    /// How many items more the run may yield that asked last.
    pub const ADMITTED: usize = 27;
    /// The object that `write` made.
    pub const WRITTEN_SLOT: usize = 16;
    /// Its generation.
    pub const WRITTEN_GENERATION: usize = 17;
}

/// Bytes of the header.
pub const HEADER_BYTES: usize = 256;
/// Reserved slots in stock, at most.
pub const STOCK_MAX: usize = 256;
/// Bytes of a stock entry: slot, generation.
pub const STOCK_ENTRY: usize = 8;
/// Operations between two flushes, at most.
pub const OPS_MAX: usize = 128;
/// Bytes of an operation.
pub const OP_BYTES: usize = 64;
/// Bytes of each of the three heaps.
pub const HEAP_BYTES: usize = 128 * 1024;
/// Which word of what a thread says of a run names the birth that its record named.
pub const BIRTH_WORD: usize = 4;
/// Bytes of a task record: slot, generation, function, place, heap offset, length, refs, their offset, deps, their offset; then
/// for each dep heap offset and length of its value, if there are few and all of them are small. No value has length 0. Then, of calls
/// and constructors, slot and generation of the actor, and which of its births it was handed to; generation and birth 0: of none.
pub const TASK_BYTES: usize = 80;
/// Where a task record names its actor.
pub const TASK_ACTOR_AT: usize = 64;
/// Where it says which of the actor's births that is, from 1 on.
pub const TASK_BIRTH_AT: usize = TASK_ACTOR_AT + 8;
/// Completions per `drain`, at most.
pub const COMPLETIONS_MAX: usize = 512;
/// Bytes of a completion: token, status.
pub const COMPLETION_BYTES: usize = 8;
/// Letters per `drain`, at most.
pub const LETTERS_MAX: usize = 64;
/// Bytes of a letter: kind, and what it is about, as `letter` says.
pub const LETTER_BYTES: usize = 16;
/// Entries per `fetch`, at most.
pub const FETCH_MAX: usize = 512;
/// Bytes of a fetch entry.
pub const FETCH_BYTES: usize = 32;
/// Bytes of a ref in a table: slot, generation, index, runtime, id (4 words).
pub const REF_BYTES: usize = 32;
/// Bytes of the exit text, at most.
pub const EXIT_TEXT_MAX: usize = 4096;

/// Start of the stock.
pub const STOCK_AT: usize = HEADER_BYTES;
/// Start of the operations.
pub const OPS_AT: usize = STOCK_AT + STOCK_MAX * STOCK_ENTRY;
/// Start of the op heap: what operations carry.
pub const OP_HEAP_AT: usize = OPS_AT + OPS_MAX * OP_BYTES;
/// Deps whose values a task record carries, at most.
pub const DEPS_CARRIED_MAX: usize = 3;
/// Start of the task records.
pub const TASKS_AT: usize = OP_HEAP_AT + HEAP_BYTES;
/// Start of the task heap: what task records carry.
pub const TASK_HEAP_AT: usize = TASKS_AT + mobula_sched::BATCH_MAX * TASK_BYTES;
/// Start of the completions.
pub const COMPLETIONS_AT: usize = TASK_HEAP_AT + HEAP_BYTES;
/// Start of the letters.
pub const LETTERS_AT: usize = COMPLETIONS_AT + COMPLETIONS_MAX * COMPLETION_BYTES;
/// Start of the fetch entries.
pub const FETCH_AT: usize = LETTERS_AT + LETTERS_MAX * LETTER_BYTES;
/// Start of the fetch heap.
pub const FETCH_HEAP_AT: usize = FETCH_AT + FETCH_MAX * FETCH_BYTES;
/// Start of the exit text.
pub const EXIT_TEXT_AT: usize = FETCH_HEAP_AT + HEAP_BYTES;
/// Bytes of an area.
pub const AREA_BYTES: usize = EXIT_TEXT_AT + EXIT_TEXT_MAX;

/// Encoded values up to this size travel in records and are kept beside the slot; larger ones go to the store.
pub const INLINE_MAX: usize = 1024;
/// Stored values up to this size are copied out into the heap; larger ones are viewed.
pub const COPY_MAX: usize = 16 * 1024;
/// In `FETCH_STATES`: whether a slot is that of an item, or of the end in its place, is told as well.
pub const STATES_OF_ITEMS: u32 = 2;
/// No time limit for `park`.
pub const NO_TIMEOUT: u32 = u32::MAX;

/// Kinds of operations: the first word of each.
///
/// ```text
/// word      1     2           3..7  7         8           9       10     11    12      13          14               15
/// SUBMIT    slot  generation  *     function  heap offset length  deps   refs  object  generation  further returns  brings
/// PUT       slot  generation  id    -         heap offset length  -      refs  object  generation
/// RESULT    slot  generation  **    how       heap offset length  -      refs  object  generation  calls at once (of a constructor)
/// RETURN    slot  generation  -  birth        heap offset length  -      refs  object  generation
/// RELEASE   slot  generation
/// RETAIN    slot  generation
/// REFS      heap offset, count     (ref entries for the next SUBMIT, PUT or RESULT)
/// BRING     heap offset            (ref entry of what the SUBMITs that follow bring along, if they say so)
/// KEYS      heap offset, count     (slot, generation pairs for the next GET or WAIT, or the further returns of a SUBMIT)
/// GET       token  -         slot  generation
/// WAIT      token  arrivals  slot  generation
/// END_WAIT  token
/// HAND_BACK slot  generation  -  birth
/// FREE      slot  generation
/// CANCEL    slot  generation  flags
/// COLLECTED
/// TO        slot  generation  group     (the actor that the next SUBMIT calls)
/// CREATE    as SUBMIT, for a class: the slot is the actor's
/// KILL      slot  generation  flags
/// EXIT      slot  generation  -  birth
/// LET_GO    slot  generation  -  birth
/// NEXT      slot  generation  slot and generation of the item (of a stream, which is named by its task's slot, as in what follows)
/// TOOK      slot  generation  count
/// YIELD     slot  generation  -  birth  number   heap offset length  -  refs  object  generation    (the number in words 5 and 6)
/// ASK       slot  generation  -  birth  number   (how many were yielded)
/// ```
/// The last two words of a wait are those of the task whose code waits without a time limit, if one does.
///
/// The words of SUBMIT that are marked are those of the task whose code submits (slot and generation, which is 0 if there is none),
/// and the second half of the id; the first is in the header. A result says when its run began, in microseconds of the isolate's own
/// clock, which may have overflowed, if that is known (word 3); 0: it is not. What a task brings along is the last of its refs in its record.
///
/// What a thread says of a run names the birth that its record named (`BIRTH_WORD`, of a RESULT, too), since a call may run beside a run of the same call
/// that counts nothing any more. 0: of a task.
///
/// A length of `STORED` says that the bytes lie in the store under (object, generation).
pub mod op {
    /// A task.
    pub const SUBMIT: u32 = 1;
    /// An object with its value.
    pub const PUT: u32 = 2;
    /// What a task came to.
    pub const RESULT: u32 = 3;
    /// One handle of this isolate less.
    pub const RELEASE: u32 = 4;
    /// One handle of this isolate more.
    pub const RETAIN: u32 = 5;
    /// Refs that the next record carries.
    pub const REFS: u32 = 6;
    /// Slots that the next wait is for.
    pub const KEYS: u32 = 7;
    /// Complete a token when all are settled, or one has failed.
    pub const GET: u32 = 8;
    /// Complete a token when so many are settled.
    pub const WAIT: u32 = 9;
    /// Complete a token now.
    pub const END_WAIT: u32 = 10;
    /// A task that was taken out of its queue goes back into one, unbegun.
    pub const HAND_BACK: u32 = 11;
    /// The value is deleted now, whoever refers to it.
    pub const FREE: u32 = 12;
    /// This isolate has done the collection that it was asked for.
    pub const COLLECTED: u32 = 13;
    /// What a task returns beside its first object, in turn; its RESULT follows.
    pub const RETURN: u32 = 14;
    /// Nobody wants what a task comes to; flags as in `cancel`.
    pub const CANCEL: u32 = 15;
    /// The next SUBMIT is a call of this actor.
    pub const TO: u32 = 16;
    /// An actor.
    pub const CREATE: u32 = 17;
    /// An actor ends now, whatever it does; flags as in `kill`.
    pub const KILL: u32 = 18;
    /// The same, by its own code.
    pub const EXIT: u32 = 19;
    /// The code of a call has ended whose actor had ended before, or had lost its instance: nothing comes of it.
    pub const LET_GO: u32 = 20;
    /// What tasks bring along from now on.
    pub const BRING: u32 = 21;
    /// This slot stands for the next item of a stream.
    pub const NEXT: u32 = 22;
    /// The consumer has taken so many of the items that it asked for.
    pub const TOOK: u32 = 23;
    /// An item.
    pub const YIELD: u32 = 24;
    /// A run asks how many more items it may yield; the answer is in the header. With none a letter tells when that changes.
    pub const ASK: u32 = 25;
    /// In place of a length: the bytes lie in the store.
    pub const STORED: u32 = u32::MAX;
}

/// How a RESULT came about.
pub mod how {
    /// The task returned it.
    pub const DONE: u32 = 0;
    /// The task threw it.
    pub const FAILED: u32 = 1;
    /// The same, and it may be run again.
    pub const FAILED_AGAIN: u32 = 2;
}

/// Flags of a CANCEL.
pub mod cancel {
    /// A thread that does not let go of the task is given up.
    pub const FORCED: u32 = 1;
    /// With all tasks that it started.
    pub const RECURSIVE: u32 = 2;
    /// Of a stream, also one that has ended: nobody asks for items any more.
    pub const LEFT: u32 = 4;
}

/// Flags of a KILL.
pub mod kill {
    /// It is not made anew.
    pub const NO_RESTART: u32 = 1;
}

/// Kinds of letters, and what their further words say.
pub mod letter {
    /// Slot, generation: this task was cancelled.
    pub const CANCELLED: u32 = 1;
    /// Slot, generation: this task took too long.
    pub const TIMED_OUT: u32 = 2;
    /// Start: this thread should be terminated.
    pub const TERMINATE: u32 = 3;
    /// Slot, generation, class: a thread is to be started for this actor alone.
    pub const START_FOR: u32 = 5;
    /// Slot, generation: the instance of this actor is nobody's any more.
    pub const DROP_ACTOR: u32 = 4;
    /// Slot, generation: the run of this task may yield more items.
    pub const RESUME: u32 = 6;
}

/// How bytes come out: where a task's arguments or an object's value lie.
pub mod place {
    /// In the heap, at offset and length.
    pub const HEAP: u32 = 0;
    /// In the store: ask for a view.
    pub const VIEW: u32 = 1;
    /// Too much for the heap: ask for a copy of bytes and refs together.
    pub const BULK: u32 = 2;
}

/// What a fetch entry answers.
pub mod state {
    /// Not settled yet.
    pub const PENDING: u32 = 0;
    /// A value.
    pub const VALUE: u32 = 1;
    /// What the task threw, encoded.
    pub const THROWN: u32 = 2;
    /// The worker died: text in the heap, exit code plus one in `detail`.
    pub const CRASHED: u32 = 3;
    /// No worker could be started: text in the heap.
    pub const SETUP: u32 = 4;
    /// No such object any more.
    pub const GONE: u32 = 5;
    /// Somebody freed it.
    pub const FREED: u32 = 6;
    /// Its bytes are lost.
    pub const LOST: u32 = 9;
    /// The task, or one that it depends on, was cancelled.
    pub const CANCELLED: u32 = 7;
    /// The same for a time limit, in milliseconds in two words, at place and offset.
    pub const TIMED_OUT: u32 = 8;
    /// The actor has ended, for the reason that `detail` says: text in the heap.
    pub const ACTOR_DIED: u32 = 10;
    /// The same since its constructor threw: what that was, encoded.
    pub const ACTOR_BROKEN: u32 = 11;
    /// The actor is being made anew: text in the heap.
    pub const ACTOR_UNAVAILABLE: u32 = 12;
    /// In place of an item: the stream is over.
    pub const END: u32 = 13;
}

/// Why an actor has ended.
pub mod reason {
    /// Somebody killed it.
    pub const KILLED: u32 = 0;
    /// Its own code did.
    pub const EXITED: u32 = 1;
    /// Nobody had a handle any more.
    pub const OUT_OF_SCOPE: u32 = 2;
    /// Its thread ended.
    pub const CRASHED: u32 = 3;
    /// Another actor's code ended the thread that they shared.
    pub const NEIGHBOUR: u32 = 4;
    /// Its constructor threw.
    pub const CONSTRUCTOR: u32 = 5;
}

/// How a wait ended.
pub mod status {
    /// All, or as many as asked for, are settled.
    pub const READY: u32 = 0;
    /// One of them failed (`GET` only).
    pub const FAILED: u32 = 1;
    /// Ended by `END_WAIT`.
    pub const ENDED: u32 = 2;
    /// It could never have ended.
    pub const CIRCLE: u32 = 3;
}

// Every region starts at a cache line, and so at a boundary of any element type.
const _: () = {
    let starts = [
        OPS_AT,
        OP_HEAP_AT,
        TASKS_AT,
        TASK_HEAP_AT,
        FETCH_HEAP_AT,
        EXIT_TEXT_AT,
    ];
    let mut k = 0;
    while k < starts.len() {
        assert!(starts[k].is_multiple_of(64));
        k += 1;
    }
};
const _: () = assert!(HEAP_BYTES >= 2 * COPY_MAX && HEAP_BYTES >= BATCH_BYTES);
/// A batch of inline arguments always fits the task heap.
const BATCH_BYTES: usize = mobula_sched::BATCH_MAX * INLINE_MAX;
