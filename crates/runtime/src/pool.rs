//! CPU slots and worker threads: how many may run, how many there are, how many are wanted.
//!
//! A slot bounds running code. A worker holds one while it runs tasks, gives it up when it parks or blocks, and must have
//! one again before code that blocked goes on; such code goes before new tasks.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use mobula_sync::{Condvar, Mutex};

#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
    slots: u32,
    workers_max: u32,
}

#[derive(Debug, Default)]
struct State {
    /// Slots in use.
    running: u32,
    /// Workers that wait for a slot to go on with code that blocked.
    resuming: u32,
    /// Workers inside of a blocking wait.
    blocked: u32,
    /// Threads that run our loop.
    live: u32,
    /// Threads asked for that have not reported yet.
    starting: u32,
    /// Numbers of the starts that reported, until their threads end.
    reported: HashSet<u32>,
    /// Starts that came to nothing since a thread was last handed work.
    failed_starts: u32,
    /// Blocking waits that ended so far: while this stands still, nobody has gone on.
    resumed: u64,
    /// Since when nobody is there though somebody is starting, as far as anybody looked.
    stalled_since: Option<Instant>,
    /// One waiter was told to give up and has not gone on yet.
    is_breaking: bool,
}

impl State {
    /// A slot that code waits for to go on is not free: it takes it as soon as it wakes.
    fn free(&self, slots: u32) -> u32 {
        slots.saturating_sub(self.running + self.resuming)
    }

    /// A thread that was starting does not any more. True if that was the last straw.
    fn fail_start(&mut self) -> bool {
        self.starting = self.starting.saturating_sub(1);
        self.failed_starts += 1;
        self.failed_starts >= FAILED_STARTS_MAX
    }
}

/// What queued work needs that no idle worker will take.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// So many more threads.
    Threads(u32),
    /// Threads cannot be started, and all that live wait for others.
    Hopeless,
}

/// When a thread that was asked for ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It took part before.
    AfterJoining,
    /// It never took part; no more are tried if this was the last straw.
    Early { is_last: bool },
}

/// Starts that may fail in a row before no more are tried.
const FAILED_STARTS_MAX: u32 = 3;

impl Pool {
    pub(crate) fn new(slots: u32, workers_max: u32) -> Self {
        Self {
            state: Mutex::default(),
            freed: Condvar::new(),
            slots,
            workers_max,
        }
    }

    /// Takes a slot for new tasks.
    pub(crate) fn try_acquire(&self) -> bool {
        let mut state = self.state.lock();
        let free = state.free(self.slots) > 0;
        state.running += u32::from(free);
        free
    }

    /// Slots that `try_acquire` would give out now.
    pub(crate) fn free(&self) -> u32 {
        self.state.lock().free(self.slots)
    }

    /// Slots in use.
    pub(crate) fn running(&self) -> u32 {
        self.state.lock().running
    }

    /// True if code that blocked waits for the caller's slot.
    pub(crate) fn is_owed(&self) -> bool {
        self.state.lock().resuming > 0
    }

    pub(crate) fn release(&self) {
        self.state.lock().running -= 1;
        self.freed.notify_one();
    }

    /// The worker enters a blocking wait; its slot, if it had one, is free.
    pub(crate) fn block(&self, had_slot: bool) {
        let mut state = self.state.lock();
        state.running -= u32::from(had_slot);
        state.blocked += 1;
        self.freed.notify_one();
    }

    /// The blocking wait is over: waits up to `time` for a slot. True once the worker holds one.
    pub(crate) fn resume(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        if state.running >= self.slots {
            state.resuming += 1;
            (state, _) = self.freed.wait_timeout(state, time);
            state.resuming -= 1;
        }
        let free = state.running < self.slots;
        if free {
            state.running += 1;
            state.blocked -= 1;
            state.resumed += 1;
            state.is_breaking = false;
        }
        free
    }

    /// Says whether all workers wait for others and no more can be started. The figure changes when one goes on: as long
    /// as it stands still over some time, no wait among them can end.
    pub(crate) fn wedge(&self) -> Option<u64> {
        let state = self.state.lock();
        let is_wedged =
            state.blocked == state.live && state.starting == 0 && state.live >= self.workers_max;
        (is_wedged && !state.is_breaking).then_some(state.resumed)
    }

    /// One waiter gives up, so that the others can go on. True for one of those who ask.
    pub(crate) fn break_wedge(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().is_breaking, true)
    }

    /// A worker died inside of a blocking wait.
    pub(crate) fn abandon_block(&self) {
        let mut state = self.state.lock();
        state.blocked -= 1;
        state.resumed += 1;
        state.is_breaking = false;
    }

    /// Whether workers should be started for so much queued work, which no idle worker will take.
    pub(crate) fn want(&self, queued: usize) -> Want {
        let mut state = self.state.lock();
        if state.failed_starts >= FAILED_STARTS_MAX {
            let is_hopeless = state.live == state.blocked && state.starting == 0;
            return if is_hopeless {
                Want::Hopeless
            } else {
                Want::Threads(0)
            };
        }
        let there = state.live + state.starting;
        let useful = (self.slots + state.blocked).min(self.workers_max);
        let room = useful.saturating_sub(there);
        // Workers that are starting will take their share.
        let count = room.min((queued as u32).saturating_sub(state.starting));
        state.starting += count;
        Want::Threads(count)
    }

    pub(crate) fn joined(&self, start: u32) {
        let mut state = self.state.lock();
        state.reported.insert(start);
        state.starting = state.starting.saturating_sub(1);
        state.live += 1;
    }

    /// A thread that came up was handed work: threads can be had.
    pub(crate) fn proved(&self) {
        self.state.lock().failed_starts = 0;
    }

    /// A thread ended. Another may start in its place, whatever failed before; but one that was never handed work may have
    /// died of its start. True if that was the last straw.
    pub(crate) fn left(&self, has_worked: bool) -> bool {
        let mut state = self.state.lock();
        state.live -= 1;
        state.failed_starts = if has_worked {
            0
        } else {
            state.failed_starts + 1
        };
        state.failed_starts >= FAILED_STARTS_MAX
    }

    /// True if workers were asked for, and for so long a time none has come up and none was there.
    pub(crate) fn is_stalled(&self, patience: Duration) -> bool {
        let mut state = self.state.lock();
        if state.live > 0 || state.starting == 0 {
            state.stalled_since = None;
            return false;
        }
        state
            .stalled_since
            .get_or_insert_with(Instant::now)
            .elapsed()
            >= patience
    }

    /// The thread of this start says itself that nothing comes of it; that it ended is no news then. True if that was the
    /// last straw.
    pub(crate) fn start_failed(&self, start: u32) -> bool {
        let mut state = self.state.lock();
        state.reported.insert(start);
        state.fail_start()
    }

    /// The thread of this start ended. What it meant to the pool while it lived, `left` has said.
    pub(crate) fn thread_ended(&self, start: u32) -> Ended {
        let mut state = self.state.lock();
        if state.reported.remove(&start) {
            return Ended::AfterJoining;
        }
        Ended::Early {
            is_last: state.fail_start(),
        }
    }

    pub(crate) fn live(&self) -> u32 {
        self.state.lock().live
    }
}
