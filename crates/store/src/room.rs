//! How much memory a store may have taken from the system at the moment.
//!
//! Committing more than there is ends with the death of the process rather than with an error: the
//! system hands the pages out and kills when they run out. So it is asked before.

use std::time::{Duration, Instant};

use crate::{
    config::{Backing, Supply},
    machine,
};

/// A look at the system stays good for so long, and for so many bytes, which take the system 4 ms to
/// hand out; the look itself takes 0.1 to 0.2 ms.
const LOOK_TIME_MAX: Duration = Duration::from_millis(50);
const LOOK_BYTES_MAX: u64 = 32 << 20;

#[derive(Debug)]
pub(crate) struct Room(Source);

#[derive(Debug)]
enum Source {
    Fixed(u64),
    Machine(Option<Look>),
}

/// What was seen, and when.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    committed: u64,
    /// What was committed and what was left, together. What the store takes or gives back itself
    /// moves bytes from one to the other and does not change the sum.
    ceiling: u64,
}

impl Room {
    pub(crate) fn new(supply: Supply, backing: Backing) -> Self {
        Self(match (supply, backing) {
            (Supply::Bytes(bytes), _) => Source::Fixed(bytes),
            // A heap has its own limit, and is for where no file can be read.
            (Supply::Machine, Backing::Heap { .. }) => Source::Fixed(u64::MAX),
            (Supply::Machine, Backing::File | Backing::Posix) => Source::Machine(None),
        })
    }

    /// The most bytes that may be committed, of which `committed` are, and `wanted` are wished for.
    /// Looks at the system if the last look has grown old, or does not allow as many.
    pub(crate) fn ceiling(&mut self, committed: u64, wanted: u64) -> u64 {
        let seen = match &mut self.0 {
            Source::Fixed(bytes) => return *bytes,
            Source::Machine(seen) => seen,
        };
        let now = Instant::now();
        let look = match *seen {
            Some(look) if look.is_good(committed, now) && wanted <= look.ceiling => look,
            _ => Look::new(committed, machine::memory_left(), now),
        };
        *seen = Some(look);
        look.ceiling
    }
}

impl Look {
    fn new(committed: u64, left: Option<u64>, at: Instant) -> Self {
        // A system that does not tell has no limit that is known.
        let ceiling = left.map_or(u64::MAX, |left| committed.saturating_add(left));
        Self {
            at,
            committed,
            ceiling,
        }
    }

    fn is_good(&self, committed: u64, now: Instant) -> bool {
        committed.abs_diff(self.committed) < LOOK_BYTES_MAX && now - self.at < LOOK_TIME_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_look_is_good_for_a_while_and_for_some_bytes() {
        let at = Instant::now();
        let look = Look::new(100 * MIB, Some(50 * MIB), at);
        assert_eq!(look.ceiling, 150 * MIB);
        assert!(look.is_good(100 * MIB, at));
        let late = at + LOOK_TIME_MAX;
        assert!(look.is_good(
            131 * MIB,
            late.checked_sub(Duration::from_millis(1)).unwrap()
        ));
        assert!(look.is_good(69 * MIB, at));
        assert!(!look.is_good(100 * MIB, late));
        assert!(!look.is_good(132 * MIB, at));
        assert!(!look.is_good(68 * MIB, at));
        assert_eq!(Look::new(1, None, at).ceiling, u64::MAX);
    }

    #[test]
    fn it_looks_again_before_it_refuses() {
        // From the future: it does not grow old while the test runs.
        let look = Look::new(0, Some(0), Instant::now() + LOOK_TIME_MAX * 10_000);
        let mut room = Room(Source::Machine(Some(look)));
        assert_eq!(room.ceiling(0, 0), 0);
        assert!(room.ceiling(0, 1) > 0, "this machine has memory left");
    }

    #[test]
    fn a_given_supply_and_a_heap_are_not_looked_up() {
        let mut given = Room::new(Supply::Bytes(5), Backing::File);
        assert_eq!(given.ceiling(0, 9), 5);
        let mut heap = Room::new(Supply::Machine, Backing::Heap { bytes_max: 5 });
        assert_eq!(heap.ceiling(0, 9), u64::MAX);
    }
}
