//! Which pages of a segment are lent: two-level segregated fit, kept beside the memory, not in it.
//!
//! Free blocks lie in lists by size: 32 sizes per power of two, and two levels of bitmaps to find
//! the next list that is not empty, so that lending and giving back take the same few steps at any
//! fill. Blocks also know their neighbours in memory, with which they merge when they become free.
//! Nothing of this touches the pages themselves.
//!
//! The arena covers only the pages up to a frontier, which its owner moves on when nothing fits:
//! pages that have never been used come last.

use std::ops::Range;

/// How many sizes there are per power of two; sizes below have a list each.
const SIZES_PER_LEVEL: u32 = 32;
const SIZES_LOG2: u32 = SIZES_PER_LEVEL.ilog2();

/// Pages are counted in 32 bits.
const LEVELS: usize = (u32::BITS - SIZES_LOG2 + 1) as usize;

/// How many blocks of the request's own list are tried when no larger list has one: these may be
/// too small by less than a 32nd.
const OWN_LIST_TRIES_MAX: usize = 64;

const NONE: u32 = u32::MAX;

/// Lends pages `0..frontier`.
#[derive(Debug)]
pub(crate) struct Arena {
    blocks: Vec<Block>,
    /// Block records that are not in use.
    spare: Vec<u32>,
    /// The block that ends at the frontier.
    last: u32,
    frontier: u32,
    levels_used: u32,
    sizes_used: [u32; LEVELS],
    heads: Box<[[u32; SIZES_PER_LEVEL as usize]; LEVELS]>,
}

/// A piece of the arena, lent or free.
#[derive(Clone, Copy, Debug)]
struct Block {
    start: u32,
    pages: u32,
    /// Neighbours in memory.
    before: u32,
    after: u32,
    /// Neighbours in the list of free blocks of this size.
    previous: u32,
    next: u32,
    free: bool,
}

/// Pages lent by an arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lent {
    /// The name to give them back by.
    pub(crate) block: u32,
    /// The first page.
    pub(crate) start: u32,
}

/// Pages that an arena has got back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Returned {
    pub(crate) start: u32,
    pub(crate) pages: u32,
    /// The free piece that they are part of now.
    pub(crate) piece: Range<u32>,
}

impl Arena {
    /// An arena of no pages.
    pub(crate) fn new() -> Self {
        Self {
            blocks: Vec::new(),
            spare: Vec::new(),
            last: NONE,
            frontier: 0,
            levels_used: 0,
            sizes_used: [0; LEVELS],
            heads: Box::new([[NONE; SIZES_PER_LEVEL as usize]; LEVELS]),
        }
    }

    /// How many pages the arena covers.
    pub(crate) fn frontier(&self) -> u32 {
        self.frontier
    }

    /// How many pages are free at the end, where growing adds to them.
    pub(crate) fn free_at_end(&self) -> u32 {
        match self.blocks.get(self.last as usize) {
            Some(block) if block.free => block.pages,
            _ => 0,
        }
    }

    /// Adds free pages at the end.
    pub(crate) fn grow(&mut self, pages: u32) {
        assert!(
            pages > 0 && self.frontier.checked_add(pages).is_some(),
            "the arena cannot grow"
        );
        let block = self.insert(Block {
            start: self.frontier,
            pages,
            before: self.last,
            after: NONE,
            previous: NONE,
            next: NONE,
            free: false,
        });
        if self.last != NONE {
            self.blocks[self.last as usize].after = block;
        }
        self.last = block;
        self.frontier += pages;
        self.give_back(block);
    }

    /// Lends adjacent pages, or nothing if no free block is large enough.
    pub(crate) fn lend(&mut self, pages: u32) -> Option<Lent> {
        assert!(pages > 0, "nothing needs no memory");
        let block = self.find(pages)?;
        self.unlink(block);
        let found = self.blocks[block as usize];
        if found.pages > pages {
            let rest = self.insert(Block {
                start: found.start + pages,
                pages: found.pages - pages,
                before: block,
                after: found.after,
                previous: NONE,
                next: NONE,
                free: false,
            });
            self.set_before(found.after, rest);
            let lent = &mut self.blocks[block as usize];
            lent.pages = pages;
            lent.after = rest;
            self.link(rest);
        }
        Some(Lent {
            block,
            start: found.start,
        })
    }

    /// Takes pages back and merges them with their free neighbours.
    pub(crate) fn give_back(&mut self, block: u32) -> Returned {
        let given = self.blocks[block as usize];
        assert!(!given.free && given.pages > 0, "block {block} is not lent");
        let mut merged = block;
        if self.is_free(given.before) {
            self.unlink(given.before);
            self.absorb_next(given.before);
            merged = given.before;
        }
        let after = self.blocks[merged as usize].after;
        if self.is_free(after) {
            self.unlink(after);
            self.absorb_next(merged);
        }
        self.link(merged);
        let piece = self.blocks[merged as usize];
        Returned {
            start: given.start,
            pages: given.pages,
            piece: piece.start..piece.start + piece.pages,
        }
    }

    /// The free pieces, as first page and number of pages, by address.
    pub(crate) fn free_pieces(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut at = self.last;
        std::iter::from_fn(move || {
            let block = self.blocks.get(at as usize)?;
            at = block.before;
            Some((block.free, block.start, block.pages))
        })
        .filter_map(|(free, start, pages)| free.then_some((start, pages)))
    }

    fn find(&self, pages: u32) -> Option<u32> {
        let (level, size) = list_at_least(pages)?;
        let sizes = self.sizes_used[level] & u32::MAX.checked_shl(size).unwrap_or(0);
        if sizes != 0 {
            return Some(self.heads[level][sizes.trailing_zeros() as usize]);
        }
        let levels = self.levels_used & u32::MAX.checked_shl(level as u32 + 1).unwrap_or(0);
        if levels != 0 {
            let level = levels.trailing_zeros() as usize;
            return Some(self.heads[level][self.sizes_used[level].trailing_zeros() as usize]);
        }
        let (level, size) = list_of(pages);
        let mut at = self.heads[level][size as usize];
        for _ in 0..OWN_LIST_TRIES_MAX {
            let block = self.blocks.get(at as usize)?;
            if block.pages >= pages {
                return Some(at);
            }
            at = block.next;
        }
        None
    }

    fn link(&mut self, block: u32) {
        let (level, size) = list_of(self.blocks[block as usize].pages);
        // At the head: what was let go last is lent first, while it is in the caches.
        let next = std::mem::replace(&mut self.heads[level][size as usize], block);
        if next != NONE {
            self.blocks[next as usize].previous = block;
        }
        let linked = &mut self.blocks[block as usize];
        linked.free = true;
        linked.previous = NONE;
        linked.next = next;
        self.sizes_used[level] |= 1 << size;
        self.levels_used |= 1 << level;
    }

    fn unlink(&mut self, block: u32) {
        let unlinked = &mut self.blocks[block as usize];
        unlinked.free = false;
        let Block {
            pages,
            previous,
            next,
            ..
        } = *unlinked;
        if next != NONE {
            self.blocks[next as usize].previous = previous;
        }
        if previous != NONE {
            self.blocks[previous as usize].next = next;
            return;
        }
        let (level, size) = list_of(pages);
        self.heads[level][size as usize] = next;
        if next == NONE {
            self.sizes_used[level] &= !(1 << size);
            if self.sizes_used[level] == 0 {
                self.levels_used &= !(1 << level);
            }
        }
    }

    /// Merges a block with the one behind it, whose record becomes spare.
    fn absorb_next(&mut self, block: u32) {
        let next = self.blocks[block as usize].after;
        let Block { pages, after, .. } = self.blocks[next as usize];
        let grown = &mut self.blocks[block as usize];
        grown.pages += pages;
        grown.after = after;
        self.set_before(after, block);
        // So that a second return of the same block is noticed.
        self.blocks[next as usize].pages = 0;
        self.spare.push(next);
    }

    fn set_before(&mut self, block: u32, before: u32) {
        match self.blocks.get_mut(block as usize) {
            Some(block) => block.before = before,
            None => self.last = before,
        }
    }

    fn is_free(&self, block: u32) -> bool {
        self.blocks
            .get(block as usize)
            .is_some_and(|block| block.free)
    }

    fn insert(&mut self, block: Block) -> u32 {
        match self.spare.pop() {
            Some(at) => {
                self.blocks[at as usize] = block;
                at
            }
            None => {
                let at = self.blocks.len() as u32;
                assert_ne!(at, NONE, "there are fewer blocks than pages");
                self.blocks.push(block);
                at
            }
        }
    }
}

/// The list a free block of this size lies in.
fn list_of(pages: u32) -> (usize, u32) {
    match (pages | 1).ilog2().checked_sub(SIZES_LOG2) {
        None => (0, pages),
        Some(shift) => (shift as usize + 1, (pages >> shift) - SIZES_PER_LEVEL),
    }
}

/// The first list in which every block has at least this size.
fn list_at_least(pages: u32) -> Option<(usize, u32)> {
    let step = match (pages | 1).ilog2().checked_sub(SIZES_LOG2) {
        None => 1,
        Some(shift) => 1 << shift,
    };
    Some(list_of(pages.checked_add(step - 1)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_are_ordered_and_hold_what_they_say() {
        let mut previous = (0, 0);
        for pages in (1..5000).chain([1 << 20, (1 << 20) + 1, u32::MAX / 2, u32::MAX - 1]) {
            let list = list_of(pages);
            assert!(list >= previous && list.0 < LEVELS && list.1 < SIZES_PER_LEVEL);
            previous = list;
            if let Some(at_least) = list_at_least(pages) {
                assert!(at_least >= list, "{pages}");
                assert!(at_least == list || list_of(pages - 1) == list || at_least > list);
            }
        }
        // A block one page short of a list's first size lies in the list before.
        for level in 1..20_u32 {
            for size in 0..SIZES_PER_LEVEL {
                let first = (SIZES_PER_LEVEL + size) << (level - 1);
                assert_eq!(list_of(first), (level as usize, size));
                assert_eq!(list_at_least(first), Some((level as usize, size)));
                assert!(list_of(first - 1) < (level as usize, size));
                assert!(list_at_least(first + 1) > Some((level as usize, size)) || level == 1);
            }
        }
    }

    #[test]
    fn the_last_piece_returned_is_lent_first() {
        let mut arena = Arena::new();
        arena.grow(100);
        let lent: Vec<Lent> = (0..10).map(|_| arena.lend(8).unwrap()).collect();
        for at in [2, 6, 4] {
            arena.give_back(lent[at].block);
        }
        assert_eq!(arena.lend(8).unwrap().start, lent[4].start);
        assert_eq!(arena.lend(8).unwrap().start, lent[6].start);
    }

    #[test]
    #[should_panic(expected = "is not lent")]
    fn giving_back_twice_is_noticed() {
        let mut arena = Arena::new();
        arena.grow(64);
        let first = arena.lend(8).unwrap();
        let _second = arena.lend(8).unwrap();
        arena.give_back(first.block);
        arena.give_back(first.block);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Lend(u32),
        GiveBack(usize),
        Grow(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => prop_oneof![1_u32..40, 1_u32..700, Just(512)].prop_map(Step::Lend),
            4 => any::<usize>().prop_map(Step::GiveBack),
            1 => (1_u32..1024).prop_map(Step::Grow),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_simple_model(steps in proptest::collection::vec(step(), 1..400)) {
            let mut arena = Arena::new();
            let mut lent: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
            let mut size = 0_u32;
            for step in steps {
                match step {
                    Step::Lend(pages) => match arena.lend(pages) {
                        Some(Lent { block, start }) => {
                            prop_assert!(start + pages <= size);
                            if let Some((&before, &(held, _))) = lent.range(..=start).next_back() {
                                prop_assert!(before + held <= start, "overlaps the piece before");
                            }
                            if let Some((&after, _)) = lent.range(start..).next() {
                                prop_assert!(start + pages <= after, "overlaps the piece behind");
                            }
                            lent.insert(start, (pages, block));
                        }
                        None => {
                            let largest = gaps(&lent, size).into_iter().map(|gap| gap.1).max();
                            prop_assert!(largest.unwrap_or(0) < pages, "{pages} would have fitted");
                        }
                    },
                    Step::GiveBack(which) => {
                        if let Some(&start) = lent.keys().nth(which % lent.len().max(1)) {
                            let (pages, block) = lent.remove(&start).unwrap();
                            let returned = arena.give_back(block);
                            prop_assert_eq!((returned.start, returned.pages), (start, pages));
                            let piece = (returned.piece.start, returned.piece.len() as u32);
                            prop_assert!(gaps(&lent, size).contains(&piece));
                        }
                    }
                    Step::Grow(pages) => {
                        arena.grow(pages);
                        size += pages;
                    }
                }
                prop_assert_eq!(arena.frontier(), size);
                let mut free: Vec<_> = arena.free_pieces().collect();
                free.reverse();
                let expected = gaps(&lent, size);
                let at_end = expected.last().filter(|gap| gap.0 + gap.1 == size);
                prop_assert_eq!(arena.free_at_end(), at_end.map_or(0, |gap| gap.1));
                prop_assert_eq!(free, expected, "free pieces are merged");
            }
            for (_, block) in lent.into_values() {
                arena.give_back(block);
            }
            if size > 0 {
                prop_assert_eq!(arena.lend(size).map(|lent| lent.start), Some(0));
                prop_assert_eq!(arena.spare.len() + 1, arena.blocks.len());
            }
        }
    }

    fn gaps(lent: &BTreeMap<u32, (u32, u32)>, size: u32) -> Vec<(u32, u32)> {
        let mut at = 0;
        let mut gaps = Vec::new();
        for (&start, &(pages, _)) in lent {
            if start > at {
                gaps.push((at, start - at));
            }
            at = start + pages;
        }
        if size > at {
            gaps.push((at, size - at));
        }
        gaps
    }
}
