//! A store's segments by number: added, never taken away, found without a lock.

use std::sync::OnceLock;

use crate::{layout::SEGMENTS_MAX, segment::Segment};

#[derive(Debug)]
pub(crate) struct Segments(Box<[OnceLock<Segment>]>);

impl Segments {
    pub(crate) fn new() -> Self {
        Self((0..SEGMENTS_MAX).map(|_| OnceLock::new()).collect())
    }

    pub(crate) fn add(&self, number: u32, segment: Segment) {
        let added = self.0[number as usize].set(segment);
        assert!(added.is_ok(), "segment {number} is there already");
    }

    /// The segment of a place.
    pub(crate) fn get(&self, number: u32) -> &Segment {
        self.0[number as usize]
            .get()
            .expect("places name segments that have been added")
    }
}
