//! A store's own time, by which objects that nobody wants any more are told from others.

use mobula_sync::{
    CachePadded,
    atomic::{AtomicU32, Ordering},
};

/// Counts the drafts made. Reading it is all that a pin does, so it stays in every core's cache
/// while nothing is made; and while nothing is made nothing is spilled for it.
#[derive(Debug)]
pub(crate) struct Clock(CachePadded<AtomicU32>);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(CachePadded::new(AtomicU32::new(0)))
    }

    pub(crate) fn tick(&self) {
        // Of two at the same moment one may go uncounted: a guess is all that it is used for, and
        // counting exactly would cost every draft 5 ns.
        self.0.store(self.now().wrapping_add(1), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}
