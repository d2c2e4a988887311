//! Threads that hold on to work that nobody wants: whether they came back to their loops, and which are given up.
//!
//! `FINE → CONDEMNED → DYING`, by worker place. A condemned one that comes back before the driver has acted is pardoned
//! (`CONDEMNED → FINE`); a dying one takes nothing any more, and its thread is being terminated. How often each has been back is
//! in the same word: one that came back since it was watched is condemned by nobody, and one that goes on has seen that it may.

use mobula_sync::CachePadded;
use mobula_sync::atomic::{AtomicU64, Ordering};

const FINE: u32 = 0;
const CONDEMNED: u32 = 1;
const DYING: u32 = 2;

fn word(turns: u32, state: u32) -> u64 {
    u64::from(turns) << 32 | u64::from(state)
}

fn turns_of(word: u64) -> u32 {
    (word >> 32) as u32
}

#[derive(Debug)]
pub(crate) struct Conduct {
    /// By place: turns 32 | state 32. Each is written by its worker at every crossing.
    words: Box<[CachePadded<AtomicU64>]>,
}

impl Conduct {
    pub(crate) fn new(places: usize) -> Self {
        let words = (0..places).map(|_| CachePadded::new(AtomicU64::new(word(0, FINE))));
        Self {
            words: words.collect(),
        }
    }

    /// `from` → `to`. What they order is in the word itself.
    fn change(&self, place: usize, from: u64, to: u64) -> Result<u64, u64> {
        self.words[place].compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
    }

    fn load(&self, place: usize) -> u64 {
        self.words[place].load(Ordering::Relaxed)
    }

    /// Another thread has this place. Its turns go on from those of the one before, whom somebody may still watch.
    pub(crate) fn reset(&self, place: usize) {
        let mut before = self.load(place);
        while let Err(now) = self.change(place, before, next(before)) {
            before = now;
        }
    }

    /// The worker is in its loop, and in no task's code.
    pub(crate) fn turn(&self, place: usize) {
        let mut before = self.load(place);
        while before as u32 != DYING {
            match self.change(place, before, next(before)) {
                Ok(_) => return,
                Err(now) => before = now,
            }
        }
    }

    pub(crate) fn turns(&self, place: usize) -> u32 {
        turns_of(self.load(place))
    }

    /// True for the one who condemned it: it has not been back since it had been so often.
    pub(crate) fn condemn(&self, place: usize, turns: u32) -> bool {
        let (fine, condemned) = (word(turns, FINE), word(turns, CONDEMNED));
        self.change(place, fine, condemned).is_ok()
    }

    /// True if its thread must be terminated now: it has not come back meanwhile.
    pub(crate) fn execute(&self, place: usize) -> bool {
        let turns = self.turns(place);
        let (condemned, dying) = (word(turns, CONDEMNED), word(turns, DYING));
        self.change(place, condemned, dying).is_ok()
    }

    /// True for a worker that takes nothing any more.
    pub(crate) fn is_dying(&self, place: usize) -> bool {
        self.load(place) as u32 == DYING
    }
}

/// Once more in its loop, and fine.
fn next(before: u64) -> u64 {
    word(turns_of(before).wrapping_add(1), FINE)
}
