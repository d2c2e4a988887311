//! Small objects, many to a slab: a slab is one extent cut into slots of one size.
//!
//! A slab that has slots left lies in its size's list; one that has none left lies in no list; one
//! whose slots are all free is given back at once.

use crate::{
    extent::Extent,
    layout::{OBJECT_ALIGN, SLAB_BYTES, SLOT_BYTES_MAX},
    place::Place,
};

/// Sizes up to here are multiples of 64 bytes; above there are four to a power of two.
const FINE_BYTES_MAX: u64 = 512;
const FINE_SIZES: usize = (FINE_BYTES_MAX / OBJECT_ALIGN) as usize;
const SIZES_PER_LEVEL: u64 = 4;
const SIZES: usize = FINE_SIZES
    + (SLOT_BYTES_MAX.ilog2() - FINE_BYTES_MAX.ilog2()) as usize * SIZES_PER_LEVEL as usize;

const SLOTS_MAX: usize = (SLAB_BYTES / OBJECT_ALIGN) as usize;
const NONE: u32 = u32::MAX;

/// All slabs of a store.
#[derive(Debug)]
pub(crate) struct Slabs {
    slabs: Vec<Slab>,
    spare: Vec<u32>,
    /// Per size, the list of slabs with slots left.
    heads: [u32; SIZES],
}

#[derive(Debug)]
struct Slab {
    extent: Extent,
    size: usize,
    free: [u64; SLOTS_MAX / 64],
    free_count: u32,
    previous: u32,
    next: u32,
}

/// A size of slots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SlotSize(usize);

impl SlotSize {
    /// The smallest that holds an object of 1 to [`SLOT_BYTES_MAX`] bytes.
    pub(crate) fn for_object(len: u64) -> Self {
        debug_assert!((1..=SLOT_BYTES_MAX).contains(&len));
        if len <= FINE_BYTES_MAX {
            return Self(len.div_ceil(OBJECT_ALIGN) as usize - 1);
        }
        let level = (len - 1).ilog2();
        let step = 1_u64 << (level - SIZES_PER_LEVEL.ilog2());
        let within = (len - (1 << level)).div_ceil(step) - 1;
        let levels = u64::from(level - FINE_BYTES_MAX.ilog2());
        Self(FINE_SIZES + (levels * SIZES_PER_LEVEL + within) as usize)
    }

    pub(crate) fn bytes(self) -> u64 {
        if self.0 < FINE_SIZES {
            return (self.0 as u64 + 1) * OBJECT_ALIGN;
        }
        let above = (self.0 - FINE_SIZES) as u64;
        let level = FINE_BYTES_MAX << (above / SIZES_PER_LEVEL);
        level + (above % SIZES_PER_LEVEL + 1) * (level / SIZES_PER_LEVEL)
    }

    fn slots(self) -> u32 {
        (SLAB_BYTES / self.bytes()) as u32
    }
}

impl Slabs {
    pub(crate) fn new() -> Self {
        Self {
            slabs: Vec::new(),
            spare: Vec::new(),
            heads: [NONE; SIZES],
        }
    }

    /// A slot from a slab that has one left.
    pub(crate) fn take(&mut self, size: SlotSize, len: u64) -> Option<Place> {
        let home = self.heads[size.0];
        let slab = self.slabs.get_mut(home as usize)?;
        let (word, bits) = slab
            .free
            .iter_mut()
            .enumerate()
            .find(|(_, bits)| **bits != 0)?;
        let slot = word as u64 * 64 + u64::from(bits.trailing_zeros());
        *bits &= *bits - 1;
        slab.free_count -= 1;
        let place = Place {
            segment: slab.extent.segment,
            home,
            offset: slab.extent.offset + slot * size.bytes(),
            len,
        };
        if slab.free_count == 0 {
            self.unlink(home);
        }
        Some(place)
    }

    /// Cuts an extent of [`SLAB_BYTES`] into slots.
    pub(crate) fn add(&mut self, size: SlotSize, extent: Extent) {
        debug_assert!(extent.bytes >= SLAB_BYTES);
        let slots = size.slots();
        let mut free = [0; SLOTS_MAX / 64];
        free[..slots as usize / 64].fill(u64::MAX);
        if !slots.is_multiple_of(64) {
            free[slots as usize / 64] = (1 << (slots % 64)) - 1;
        }
        let slab = Slab {
            extent,
            size: size.0,
            free,
            free_count: slots,
            previous: NONE,
            next: NONE,
        };
        let home = match self.spare.pop() {
            Some(home) => {
                self.slabs[home as usize] = slab;
                home
            }
            None => {
                self.slabs.push(slab);
                self.slabs.len() as u32 - 1
            }
        };
        self.link(home);
    }

    /// Takes a slot back. Returns the slab's extent if that was the last one in use.
    pub(crate) fn put_back(&mut self, place: Place) -> Option<Extent> {
        let slab = &mut self.slabs[place.home as usize];
        let size = SlotSize(slab.size);
        let slot = ((place.offset - slab.extent.offset) / size.bytes()) as usize;
        let bit = 1 << (slot % 64);
        assert_eq!(
            slab.free[slot / 64] & bit,
            0,
            "slot {slot} of slab {} is free",
            place.home
        );
        slab.free[slot / 64] |= bit;
        slab.free_count += 1;
        let was_full = slab.free_count == 1;
        if slab.free_count == size.slots() {
            let extent = slab.extent;
            if !was_full {
                self.unlink(place.home);
            }
            self.spare.push(place.home);
            return Some(extent);
        }
        if was_full {
            self.link(place.home);
        }
        None
    }

    /// How many slots of a slab are in use.
    pub(crate) fn in_use(&self, home: u32) -> u32 {
        self.slabs
            .get(home as usize)
            .map_or(0, |slab| SlotSize(slab.size).slots() - slab.free_count)
    }

    fn link(&mut self, home: u32) {
        let size = self.slabs[home as usize].size;
        let next = std::mem::replace(&mut self.heads[size], home);
        if let Some(next) = self.slabs.get_mut(next as usize) {
            next.previous = home;
        }
        let linked = &mut self.slabs[home as usize];
        linked.previous = NONE;
        linked.next = next;
    }

    fn unlink(&mut self, home: u32) {
        let Slab {
            size,
            previous,
            next,
            ..
        } = self.slabs[home as usize];
        match self.slabs.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.heads[size] = next,
        }
        if let Some(next) = self.slabs.get_mut(next as usize) {
            next.previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_length_has_the_tightest_size() {
        let mut previous = 0;
        for size in 0..SIZES {
            let bytes = SlotSize(size).bytes();
            assert!(bytes > previous && bytes.is_multiple_of(OBJECT_ALIGN));
            for len in previous + 1..=bytes {
                assert_eq!(SlotSize::for_object(len), SlotSize(size), "{len}");
            }
            previous = bytes;
        }
        assert_eq!(previous, SLOT_BYTES_MAX);
    }

    #[test]
    fn slots_are_distinct_and_the_extent_comes_back_with_the_last() {
        for len in [1, 100, 600, 9000, SLOT_BYTES_MAX] {
            let size = SlotSize::for_object(len);
            let mut slabs = Slabs::new();
            let extents: Vec<Extent> = (0..3)
                .map(|at| Extent {
                    segment: at,
                    block: at,
                    offset: u64::from(at) * SLAB_BYTES,
                    bytes: SLAB_BYTES,
                })
                .collect();
            for extent in &extents {
                slabs.add(size, *extent);
            }
            let mut places = Vec::new();
            while let Some(place) = slabs.take(size, len) {
                places.push(place);
            }
            assert_eq!(places.len() as u32, 3 * size.slots());
            let distinct: HashSet<_> = places.iter().map(|place| place.offset).collect();
            assert_eq!(distinct.len(), places.len());
            assert!(places.iter().all(|place| place.offset % OBJECT_ALIGN == 0));
            // Every other one first, so that slabs leave and enter the list.
            let (even, odd): (Vec<_>, Vec<_>) =
                places.iter().enumerate().partition(|(at, _)| at % 2 == 0);
            let mut back: Vec<u32> = even
                .into_iter()
                .chain(odd)
                .filter_map(|(_, place)| slabs.put_back(*place))
                .map(|extent| extent.segment)
                .collect();
            back.sort_unstable();
            assert_eq!(back, [0, 1, 2]);
            assert_eq!(slabs.take(size, len), None);
        }
    }

    #[test]
    fn a_slot_let_go_is_used_before_another_slab() {
        let size = SlotSize::for_object(SLOT_BYTES_MAX);
        let mut slabs = Slabs::new();
        slabs.add(
            size,
            Extent {
                segment: 0,
                block: 0,
                offset: 0,
                bytes: SLAB_BYTES,
            },
        );
        let full: Vec<Place> = (0..4).map(|_| slabs.take(size, 9).unwrap()).collect();
        slabs.add(
            size,
            Extent {
                segment: 1,
                block: 0,
                offset: 0,
                bytes: SLAB_BYTES,
            },
        );
        assert_eq!(slabs.put_back(full[2]), None);
        assert_eq!(slabs.take(size, 9), Some(full[2]));
    }
}
