//! The books of all memory: who has been lent what, and how much that is.
//!
//! Nothing here touches memory or calls the system; it all happens under one lock, held briefly.

use std::ops::Range;

use crate::{
    Error,
    extent::Extent,
    hugepage::Pages,
    layout::{FIRST_DISK_SEGMENT, RUN_BYTES, SEGMENTS_MAX, SLOT_BYTES_MAX},
    place::Place,
    slab::{Slabs, SlotSize},
    tract::{Parcel, Tract},
};

#[derive(Debug)]
pub(crate) struct Space {
    tracts: Vec<Tract>,
    /// The books of segments on disk, from [`FIRST_DISK_SEGMENT`] on.
    disk_tracts: Vec<Option<Tract>>,
    slabs: Slabs,
    page_bytes: u64,
    used: u64,
    committed: u64,
    reserved: u64,
    used_on_disk: u64,
}

/// An extent lent, and what is to be known about its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) extent: Extent,
    pub(crate) committed: bool,
    /// See [`Parcel::cold`].
    pub(crate) cold: bool,
}

impl Grant {
    /// Where an object lies that the whole extent was lent for, and whether its memory is cold.
    pub(crate) fn place(self, len: u64) -> (Place, bool) {
        let place = Place {
            segment: self.extent.segment,
            home: self.extent.block,
            offset: self.extent.offset,
            len,
        };
        (place, self.cold)
    }
}

/// The number of a segment on disk of which nothing is lent any more. The caller removes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emptied(pub(crate) u32);

/// A part of a segment, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub(crate) segment: u32,
    pub(crate) range: Range<u64>,
}

impl Space {
    pub(crate) fn new(page_bytes: u64) -> Self {
        let slabs = Slabs::new();
        Self {
            tracts: Vec::new(),
            disk_tracts: Vec::new(),
            slabs,
            page_bytes,
            used: 0,
            committed: 0,
            reserved: 0,
            used_on_disk: 0,
        }
    }

    /// A slot in a slab that has one left.
    pub(crate) fn lend_slot(&mut self, len: u64) -> Option<Place> {
        self.slabs.take(SlotSize::for_object(len), len)
    }

    /// A slot in a new slab, which is made of this extent.
    pub(crate) fn lend_slot_of(&mut self, extent: Extent, len: u64) -> Place {
        let size = SlotSize::for_object(len);
        self.slabs.add(size, extent);
        self.slabs.take(size, len).expect("a new slab has slots")
    }

    /// Whole pages. Nothing: no segment has so many in a row.
    pub(crate) fn lend(&mut self, bytes: u64, capacity: u64) -> Result<Option<Grant>, Error> {
        let after = self
            .used
            .checked_add(bytes)
            .filter(|&after| after <= capacity);
        let after = after.ok_or_else(|| Error::full(bytes, self.used, capacity))?;
        let Ok(pages) = u32::try_from(bytes / self.page_bytes) else {
            return Ok(None);
        };
        // Pages below the frontiers have been used before, so all of them are tried first.
        let lend = |tract: &mut Tract| tract.lend(pages);
        let grow = |tract: &mut Tract| tract.grow_for(pages).then(|| tract.lend(pages)).flatten();
        let found = self.find(lend).or_else(|| self.find(grow));
        Ok(found.map(|(segment, parcel)| {
            self.used = after;
            self.grant(segment, parcel, bytes)
        }))
    }

    /// Whole pages of a segment on disk. Nothing: none has so many in a row.
    pub(crate) fn lend_on_disk(&mut self, bytes: u64) -> Option<Grant> {
        let pages = u32::try_from(bytes / self.page_bytes).ok()?;
        let mut tracts = self.disk_tracts.iter_mut().zip(FIRST_DISK_SEGMENT..);
        let (segment, parcel) = tracts.find_map(|(tract, number)| {
            let tract = tract.as_mut()?;
            let parcel = tract
                .lend(pages)
                .or_else(|| tract.grow_for(pages).then(|| tract.lend(pages)).flatten());
            Some((number, parcel?))
        })?;
        self.used_on_disk += bytes;
        Some(self.grant(segment, parcel, bytes))
    }

    #[must_use]
    pub(crate) fn give_back(&mut self, extent: Extent) -> Option<Emptied> {
        self.give_back_block(extent.segment, extent.block)
    }

    /// Frees what an object took.
    #[must_use]
    pub(crate) fn free(&mut self, place: Place) -> Option<Emptied> {
        match place.len {
            0 => None,
            1..=SLOT_BYTES_MAX => {
                let extent = self.slabs.put_back(place)?;
                self.give_back(extent)
            }
            _ => self.give_back_block(place.segment, place.home),
        }
    }

    fn give_back_block(&mut self, segment: u32, block: u32) -> Option<Emptied> {
        let Some(slot) = segment.checked_sub(FIRST_DISK_SEGMENT) else {
            let pages = self.tracts[segment as usize].give_back(block);
            self.used -= u64::from(pages) * self.page_bytes;
            return None;
        };
        let slot = &mut self.disk_tracts[slot as usize];
        let tract = slot.as_mut().expect("what is lent keeps its tract");
        let pages = tract.give_back(block);
        self.used_on_disk -= u64::from(pages) * self.page_bytes;
        if !tract.is_idle() {
            return None;
        }
        *slot = None;
        Some(Emptied(segment))
    }

    fn grant(&self, segment: u32, parcel: Parcel, bytes: u64) -> Grant {
        Grant {
            extent: Extent {
                segment,
                block: parcel.lent.block,
                offset: u64::from(parcel.lent.start) * self.page_bytes,
                bytes,
            },
            committed: parcel.committed,
            cold: parcel.cold,
        }
    }

    /// How many objects and drafts lie in a slab.
    pub(crate) fn slots_in_use(&self, home: u32) -> u32 {
        self.slabs.in_use(home)
    }

    /// Opens the books of a new segment; returns its number.
    pub(crate) fn add_segment(&mut self, bytes: u64) -> u32 {
        let pages = u32::try_from(bytes / self.page_bytes).expect("checked by `may_add_segment`");
        self.tracts
            .push(Tract::new(pages, (RUN_BYTES / self.page_bytes) as u32));
        self.reserved += bytes;
        self.tracts.len() as u32 - 1
    }

    /// Opens the books of a new segment on disk, all of which is committed.
    pub(crate) fn add_disk_segment(&mut self, number: u32, bytes: u64) {
        let pages = (bytes / self.page_bytes) as u32;
        let mut tract = Tract::new(pages, (RUN_BYTES / self.page_bytes) as u32);
        tract.commit(0..pages, Pages::Small);
        let slot = (number - FIRST_DISK_SEGMENT) as usize;
        if self.disk_tracts.len() <= slot {
            self.disk_tracts.resize_with(slot + 1, || None);
        }
        assert!(
            self.disk_tracts[slot].is_none(),
            "segment {number} is there already"
        );
        self.disk_tracts[slot] = Some(tract);
    }

    /// Whether a segment of that size keeps within the capacity and one segment more.
    pub(crate) fn may_add_segment(&self, bytes: u64, capacity: u64) -> bool {
        self.tracts.len() < SEGMENTS_MAX
            && u32::try_from(bytes / self.page_bytes).is_ok()
            && self.reserved < capacity.saturating_add(RUN_BYTES)
    }

    pub(crate) fn segments(&self) -> usize {
        self.tracts.len()
    }

    /// The extent and all of its runs that may be committed along with it.
    pub(crate) fn whole_runs(&self, extent: Extent) -> Part {
        let pages = self.pages(&(extent.offset..extent.offset + extent.bytes));
        let runs = self.tracts[extent.segment as usize].whole_runs(&pages);
        Part {
            segment: extent.segment,
            range: self.bytes(runs),
        }
    }

    /// What of a part has no memory behind it.
    pub(crate) fn uncommitted(&self, part: &Part) -> Vec<Range<u64>> {
        let missing = self.tracts[part.segment as usize].uncommitted(self.pages(&part.range));
        missing.into_iter().map(|pages| self.bytes(pages)).collect()
    }

    /// Notes that an extent is about to be written. Returns whether it was cold.
    pub(crate) fn touch(&mut self, extent: Extent) -> bool {
        let pages = self.pages(&(extent.offset..extent.offset + extent.bytes));
        self.tracts[extent.segment as usize].touch(pages)
    }

    /// Notes that there is memory behind a part.
    pub(crate) fn commit(&mut self, part: &Part, kind: Pages) {
        let pages = self.pages(&part.range);
        let new = self.tracts[part.segment as usize].commit(pages, kind);
        self.committed += u64::from(new) * self.page_bytes;
    }

    /// Notes that there is no memory behind memory that nobody has been lent, up to about `bytes`
    /// of it: whole runs first and, unless `whole_runs`, single pages. The caller takes it away.
    pub(crate) fn decommit_idle(&mut self, bytes: u64, whole_runs: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        let left = self.decommit(bytes, RUN_BYTES, |tract| tract.idle(true), &mut parts);
        if !whole_runs {
            self.decommit(left, self.page_bytes, |tract| tract.idle(false), &mut parts);
        }
        parts
    }

    /// Decommits what `find` finds, in steps, until `left` bytes are gone. Returns what is left then.
    fn decommit(
        &mut self,
        mut left: u64,
        step: u64,
        find: impl Fn(&Tract) -> Vec<Range<u32>>,
        parts: &mut Vec<Part>,
    ) -> u64 {
        for segment in 0..self.tracts.len() {
            for pages in find(&self.tracts[segment]) {
                if left == 0 {
                    return 0;
                }
                let mut range = self.bytes(pages);
                let enough = left.checked_next_multiple_of(step).unwrap_or(u64::MAX);
                range.end = range.end.min(range.start.saturating_add(enough));
                left = left.saturating_sub(range.end - range.start);
                let pages = self.pages(&range);
                let gone = self.tracts[segment].decommit(pages);
                self.committed -= u64::from(gone) * self.page_bytes;
                parts.push(Part {
                    segment: segment as u32,
                    range,
                });
            }
        }
        left
    }

    /// Notes that there is no memory behind runs that have not been used since this last came to
    /// the end of them: up to about `bytes` of it, which the caller takes away. True: that was the
    /// end, and all that is idle has to prove itself anew.
    pub(crate) fn decommit_unused(&mut self, bytes: u64) -> (Vec<Part>, bool) {
        let mut parts = Vec::new();
        let left = self.decommit(bytes, RUN_BYTES, Tract::unused, &mut parts);
        if left > 0 {
            self.tracts.iter_mut().for_each(Tract::forget_recent);
        }
        (parts, left > 0)
    }

    /// Bytes lent, in whole pages.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Bytes lent in segments on disk, in whole pages.
    pub(crate) fn used_on_disk(&self) -> u64 {
        self.used_on_disk
    }

    /// Bytes with memory behind them.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// Bytes of address space.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    fn find<T>(&mut self, mut lend: impl FnMut(&mut Tract) -> Option<T>) -> Option<(u32, T)> {
        let mut tracts = self.tracts.iter_mut().enumerate();
        tracts.find_map(|(number, tract)| Some((number as u32, lend(tract)?)))
    }

    fn pages(&self, range: &Range<u64>) -> Range<u32> {
        (range.start / self.page_bytes) as u32..(range.end / self.page_bytes) as u32
    }

    fn bytes(&self, pages: Range<u32>) -> Range<u64> {
        u64::from(pages.start) * self.page_bytes..u64::from(pages.end) * self.page_bytes
    }
}
