//! Work that nobody wants any more: it is settled at once, whoever runs it is told, and a thread that does not let go of it is
//! given up.

use std::time::Duration;

use mobula_sched::{Key, Phase};
use mobula_sync::atomic::Ordering;

use crate::actor::Bound;
use crate::complete::Struck;
use crate::failure::Kind;
use crate::functions::is_bound;
use crate::runtime::Runtime;

/// Why a run is to end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Somebody said so.
    Cancelled,
    /// It took longer than this.
    TimedOut { limit: Duration },
}

/// How somebody wants a task to end.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) why: Why,
    /// A thread that does not come back to its loop is given up.
    pub(crate) is_forced: bool,
    /// And with it all that it started.
    pub(crate) is_recursive: bool,
}

/// So long code that may block its thread is given to end by itself.
const GRACE: Duration = Duration::from_millis(10);
/// The same for async code, which lets go of its thread now and then.
const GRACE_OF_ASYNC: Duration = Duration::from_secs(1);

impl Runtime {
    /// Ends a task, if it has not ended. What depends on it fails with the same failure. A work list, not recursion.
    pub(crate) fn cancel(&self, key: Key, mut wish: Wish) {
        let mut open = vec![self.task_of(key)];
        while let Some(key) = open.pop() {
            let kind = match wish.why {
                Why::Cancelled => Kind::Cancelled {
                    is_recursive: wish.is_recursive,
                },
                Why::TimedOut { limit } => Kind::TimedOut { limit },
            };
            let Some(struck) = self.strike(key, kind, true) else {
                continue;
            };
            if matches!(struck.before, Phase::Offered | Phase::Running) {
                self.stop_code(key, &struck, wish);
            }
            if wish.is_recursive {
                open.extend(struck.children);
            }
            // What it started did not take too long itself.
            wish.why = Why::Cancelled;
        }
    }

    /// Takes a settled task back from the worker that was handed it, or tells that worker, if it has begun.
    fn stop_code(&self, key: Key, struck: &Struck, wish: Wish) {
        // With none it is on its way to one, who sees that it is settled.
        let Some(member) = self.member(struck.place) else {
            return;
        };
        if struck.before == Phase::Offered && member.claims.take_one(key) {
            self.withdraw_unused(key);
            if let Some(Bound::Call { actor, .. }) = struck.bound.as_deref() {
                self.not_run(actor, key, struck.place);
            }
            self.let_linger_no_more(key);
            return;
        }
        // Other calls would go with an actor's thread.
        if wish.is_forced && !is_bound(struck.function) {
            self.stop_thread(key, struck.place, struck.function);
        }
        // After that: it may be back in its loop at once.
        member.mailbox.cancel(key, wish.why != Why::Cancelled);
    }

    /// The thread at a place has so long to end the code of a task.
    pub(crate) fn stop_thread(&self, key: Key, place: usize, function: u32) {
        let Some(member) = self.member(place) else {
            return;
        };
        let grace = match self.functions.is_async(function) {
            true => GRACE_OF_ASYNC,
            false => GRACE,
        };
        let turns = self.conduct.turns(place);
        self.expect_return(place, (key, member.start, turns), grace);
    }

    /// The thread at this place had time to end the code of a task, or to come back to its loop, and did not: the driver should
    /// end it.
    pub(crate) fn give_up_thread(&self, place: usize, (key, start, turns): (Key, u32, u32)) {
        let Some(member) = self.member(place).filter(|member| member.start == start) else {
            return;
        };
        // Of a round the last that was begun is what runs; earlier ones have ended, and say so with the round, or wait.
        let is_latest = member.claims.is_latest(key);
        let runs = match is_bound(self.cell(key).function.load(Ordering::Relaxed)) {
            // It may be queued again.
            true => is_latest == Some(true),
            false => self.lingering.has(key) && is_latest.unwrap_or(true),
        };
        if runs && self.conduct.condemn(place, turns) {
            self.condemned(member.start);
        }
    }
}
