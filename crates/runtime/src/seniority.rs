//! When a worker takes what has waited longest, in place of what is nearest to it.
//!
//! Its own deque is last in first out, and goes before the injector and the deques of others: that is fast, and starves all of
//! them while its tasks go on starting others. So one task in every `PATIENCE` rounds comes from the far end of some queue, which
//! take turns (`Local::eldest`), and the worker takes over what others were handed and left lying. Nothing is added at those ends, so
//! what has so many others before it is begun after at most `PATIENCE * queues` rounds for each of them, and for itself.

use mobula_sched::Lane;

/// Rounds until a worker takes what has waited longest.
pub(crate) const PATIENCE: u32 = 64;

#[derive(Debug, Default)]
pub(crate) struct Seniority {
    rounds: u32,
    /// By lane: the next task from it is the eldest.
    is_due: [bool; 2],
}

impl Seniority {
    /// A round begins. True if it is time to look at what others left lying, too.
    pub(crate) fn count_round(&mut self) -> bool {
        self.rounds = self.rounds.wrapping_add(1);
        let is_time = self.rounds.is_multiple_of(PATIENCE);
        if is_time {
            self.is_due = [true; 2];
        }
        is_time
    }

    pub(crate) fn is_due(&self, lane: Lane) -> bool {
        self.is_due[lane as usize]
    }

    /// True, once, if the next task from this lane is the eldest.
    pub(crate) fn take(&mut self, lane: Lane) -> bool {
        std::mem::take(&mut self.is_due[lane as usize])
    }
}
