//! The books of one segment: which pages are lent, which have memory behind them, which of these
//! have not been touched.

use std::ops::Range;

use crate::{
    arena::{Arena, Lent},
    hugepage::Pages,
    pageset::PageSet,
};

#[derive(Debug)]
pub(crate) struct Tract {
    arena: Arena,
    pages: u32,
    run_pages: u32,
    committed: PageSet,
    /// Committed in small pages, and not lent since then. A part of what is committed.
    cold: PageSet,
    /// Of which runs, not pages, something has been given back or committed since [`Tract::forget_recent`].
    recent: PageSet,
}

/// Pages lent, and what is to be known about them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    pub(crate) lent: Lent,
    pub(crate) committed: bool,
    /// None of the pages has been touched since it was committed: they are better filled through
    /// the file. Not known before that.
    pub(crate) cold: bool,
}

impl Tract {
    pub(crate) fn new(pages: u32, run_pages: u32) -> Self {
        Self {
            arena: Arena::new(),
            pages,
            run_pages,
            committed: PageSet::new(pages),
            cold: PageSet::new(pages),
            recent: PageSet::new(pages.div_ceil(run_pages)),
        }
    }

    /// Lends pages below the frontier.
    pub(crate) fn lend(&mut self, pages: u32) -> Option<Parcel> {
        let lent = self.arena.lend(pages)?;
        let range = lent.start..lent.start + pages;
        let committed = self.committed.contains(range.clone());
        Some(Parcel {
            lent,
            committed,
            cold: committed && self.touch(range),
        })
    }

    /// Moves the frontier on, by whole runs, until that many pages are free before it. False if the
    /// segment ends first.
    pub(crate) fn grow_for(&mut self, pages: u32) -> bool {
        let frontier = self.arena.frontier();
        let missing = pages.saturating_sub(self.arena.free_at_end());
        if missing > self.pages - frontier {
            return false;
        }
        let end = u64::from(frontier + missing).next_multiple_of(u64::from(self.run_pages));
        let end = end.min(u64::from(self.pages)) as u32;
        if end > frontier {
            self.arena.grow(end - frontier);
        }
        true
    }

    /// Notes that pages are about to be written. Returns whether all of them were cold.
    pub(crate) fn touch(&mut self, pages: Range<u32>) -> bool {
        let was_cold = self.cold.contains(pages.clone());
        self.cold.remove(pages);
        was_cold
    }

    pub(crate) fn give_back(&mut self, block: u32) -> u32 {
        let returned = self.arena.give_back(block);
        let pages = returned.start..returned.start + returned.pages;
        self.recent.insert(self.runs_of(&pages));
        returned.pages
    }

    /// Whether no page is lent.
    pub(crate) fn is_idle(&self) -> bool {
        self.arena.free_at_end() == self.arena.frontier()
    }

    /// These pages and all others of their runs that lie before the frontier.
    pub(crate) fn whole_runs(&self, pages: &Range<u32>) -> Range<u32> {
        let start = pages.start / self.run_pages * self.run_pages;
        let end = u64::from(pages.end).next_multiple_of(u64::from(self.run_pages));
        start..end.min(u64::from(self.arena.frontier())) as u32
    }

    pub(crate) fn uncommitted(&self, pages: Range<u32>) -> Vec<Range<u32>> {
        self.committed.ranges(pages, false).collect()
    }

    /// Notes that memory is behind these pages now. Returns how many are new.
    pub(crate) fn commit(&mut self, pages: Range<u32>, kind: Pages) -> u32 {
        let new = (pages.end - pages.start) - self.committed.count(pages.clone());
        self.committed.insert(pages.clone());
        self.recent.insert(self.runs_of(&pages));
        if kind == Pages::Small {
            self.cold.insert(pages);
        }
        new
    }

    /// Notes that no memory is behind these pages any more. Returns how many had.
    pub(crate) fn decommit(&mut self, pages: Range<u32>) -> u32 {
        let gone = self.committed.count(pages.clone());
        self.committed.remove(pages.clone());
        self.cold.remove(pages);
        gone
    }

    /// Committed pages of whole runs of which nothing has been lent since [`Tract::forget_recent`].
    pub(crate) fn unused(&self) -> Vec<Range<u32>> {
        let mut unused = Vec::new();
        for idle in self.idle(true) {
            for runs in self.recent.ranges(self.runs_of(&idle), false) {
                let start = idle.start.max(runs.start * self.run_pages);
                let end = u64::from(runs.end) * u64::from(self.run_pages);
                unused.push(start..end.min(u64::from(idle.end)) as u32);
            }
        }
        unused
    }

    /// From now on is when runs count as used.
    pub(crate) fn forget_recent(&mut self) {
        self.recent.remove(self.runs_of(&(0..self.pages)));
    }

    fn runs_of(&self, pages: &Range<u32>) -> Range<u32> {
        pages.start / self.run_pages..pages.end.div_ceil(self.run_pages)
    }

    /// Committed pages that nobody has been lent: only those that fill whole runs, or all.
    pub(crate) fn idle(&self, whole_runs: bool) -> Vec<Range<u32>> {
        let mut idle = Vec::new();
        for (start, pages) in self.arena.free_pieces() {
            let mut piece = start..start + pages;
            if whole_runs {
                piece.start = piece.start.next_multiple_of(self.run_pages);
                piece.end = piece.end / self.run_pages * self.run_pages;
            }
            if piece.start < piece.end {
                idle.extend(self.committed.ranges(piece, true));
            }
        }
        idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(ranges: Vec<Range<u32>>) -> Option<Range<u32>> {
        assert_eq!(ranges.len(), 1, "{ranges:?}");
        ranges.into_iter().next()
    }

    #[test]
    fn the_frontier_moves_by_whole_runs_up_to_the_end() {
        let mut tract = Tract::new(20, 8);
        assert!(tract.lend(1).is_none());
        assert!(tract.grow_for(3));
        assert_eq!(tract.arena.frontier(), 8);
        assert!(tract.grow_for(10));
        assert_eq!(tract.arena.frontier(), 16);
        assert!(tract.grow_for(20));
        assert_eq!(tract.arena.frontier(), 20);
        assert!(!tract.grow_for(21));
    }

    #[test]
    fn pages_are_cold_once_and_committed_until_given_up() {
        let mut tract = Tract::new(64, 8);
        tract.grow_for(16);
        let parcel = tract.lend(10).unwrap();
        assert!(!parcel.committed && !parcel.cold);
        assert_eq!(tract.whole_runs(&(0..10)), 0..16);
        assert_eq!(tract.commit(0..10, Pages::Small), 10);
        assert_eq!(tract.commit(0..16, Pages::Small), 6);
        assert!(tract.touch(0..10) && !tract.touch(9..11));
        assert_eq!(tract.idle(true), []);
        assert_eq!(one(tract.idle(false)), Some(10..16));
        tract.give_back(parcel.lent.block);
        let again = tract.lend(10).unwrap();
        assert!(again.committed && !again.cold);
        tract.give_back(again.lent.block);
        assert_eq!(one(tract.idle(true)), Some(0..16));
        assert_eq!(tract.decommit(0..8), 8);
        assert_eq!(one(tract.uncommitted(0..16)), Some(0..8));
        assert_eq!(one(tract.idle(true)), Some(8..16));
        let parcel = tract.lend(10).unwrap();
        assert!(!parcel.committed);
        tract.give_back(parcel.lent.block);
        assert_eq!(tract.commit(0..8, Pages::Huge), 8);
        assert_eq!(tract.lend(8).map(|parcel| parcel.cold), Some(false));
    }

    #[test]
    fn runs_are_unused_when_nothing_of_them_is_lent_from_one_look_to_the_next() {
        let mut tract = Tract::new(40, 8);
        tract.grow_for(40);
        tract.commit(0..40, Pages::Huge);
        let lent: Vec<Lent> = [8, 4, 12, 8, 8]
            .into_iter()
            .map(|pages| tract.lend(pages).unwrap().lent)
            .collect();
        tract.forget_recent();
        assert_eq!(tract.unused(), []);
        tract.give_back(lent[0].block);
        tract.give_back(lent[2].block);
        assert_eq!(tract.unused(), [], "just given back");
        tract.forget_recent();
        // Run 1 is lent in part, and run 2 is not.
        assert_eq!(tract.unused(), [16..24, 0..8]);
        let parcel = tract.lend(8).unwrap();
        tract.give_back(parcel.lent.block);
        assert_eq!(tract.unused().len(), 1, "it was used in between");
        tract.forget_recent();
        tract.decommit(0..3);
        assert_eq!(tract.unused(), [16..24, 3..8]);
        tract.give_back(lent[3].block);
        tract.give_back(lent[1].block);
        assert_eq!(tract.unused(), [3..8, 16..24], "one free piece by now");
    }

    #[test]
    fn what_is_committed_again_is_cold_again() {
        let mut tract = Tract::new(64, 8);
        tract.grow_for(16);
        tract.commit(0..16, Pages::Small);
        let lend = |tract: &mut Tract| tract.lend(16).unwrap();
        let parcel = lend(&mut tract);
        assert!(parcel.cold);
        tract.give_back(parcel.lent.block);
        tract.decommit(0..16);
        tract.commit(0..16, Pages::Small);
        let parcel = lend(&mut tract);
        assert!(parcel.cold);
        tract.give_back(parcel.lent.block);
        assert!(!lend(&mut tract).cold);
    }
}
