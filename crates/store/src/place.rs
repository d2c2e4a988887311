//! Where an object's bytes lie.

use crate::layout::FIRST_DISK_SEGMENT;

/// Offsets and numbers, never addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The segment's number.
    pub(crate) segment: u32,
    /// Whom the memory goes back to: the arena's block, or for small objects the slab.
    pub(crate) home: u32,
    /// From the segment's start.
    pub(crate) offset: u64,
    /// The object's length, as asked for.
    pub(crate) len: u64,
}

impl Place {
    /// Where an object without bytes lies: it needs no memory.
    pub(crate) const NOWHERE: Self = Self {
        segment: 0,
        home: 0,
        offset: 0,
        len: 0,
    };

    /// Whether it would make room to send these bytes to the spill file: there are some, and they
    /// lie in memory, not in a file already.
    pub(crate) fn can_spill(self) -> bool {
        self.len > 0 && self.segment < FIRST_DISK_SEGMENT
    }
}
