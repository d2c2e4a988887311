//! A set of a segment's pages, a bit each.

use std::ops::Range;

#[derive(Debug)]
pub(crate) struct PageSet(Box<[u64]>);

impl PageSet {
    pub(crate) fn new(pages: u32) -> Self {
        Self(vec![0; pages.div_ceil(64) as usize].into_boxed_slice())
    }

    pub(crate) fn insert(&mut self, pages: Range<u32>) {
        for (at, mask) in words(pages) {
            self.0[at] |= mask;
        }
    }

    pub(crate) fn remove(&mut self, pages: Range<u32>) {
        for (at, mask) in words(pages) {
            self.0[at] &= !mask;
        }
    }

    /// How many of these pages are in the set.
    pub(crate) fn count(&self, pages: Range<u32>) -> u32 {
        words(pages)
            .map(|(at, mask)| (self.0[at] & mask).count_ones())
            .sum()
    }

    /// Whether all of these pages are in the set.
    pub(crate) fn contains(&self, pages: Range<u32>) -> bool {
        words(pages).all(|(at, mask)| self.0[at] & mask == mask)
    }

    /// The longest ranges within `pages` that are in the set, or that are not.
    pub(crate) fn ranges(
        &self,
        pages: Range<u32>,
        members: bool,
    ) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut at = pages.start;
        std::iter::from_fn(move || {
            let start = self.next(at..pages.end, members)?;
            let end = self.next(start..pages.end, !members).unwrap_or(pages.end);
            at = end;
            Some(start..end)
        })
    }

    fn next(&self, pages: Range<u32>, member: bool) -> Option<u32> {
        words(pages).find_map(|(at, mask)| {
            let word = if member { self.0[at] } else { !self.0[at] } & mask;
            (word != 0).then(|| at as u32 * 64 + word.trailing_zeros())
        })
    }
}

/// The words that hold a range, each with a mask of the range's bits in it.
fn words(pages: Range<u32>) -> impl Iterator<Item = (usize, u64)> {
    let mut at = pages.start;
    std::iter::from_fn(move || {
        if at >= pages.end {
            return None;
        }
        let bit = at % 64;
        let bits = (64 - bit).min(pages.end - at);
        let word = (at / 64) as usize;
        at += bits;
        Some((word, (u64::MAX >> (64 - bits)) << bit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_list_of_booleans(
            changes in proptest::collection::vec((any::<bool>(), 0_u32..300, 0_u32..300), 0..20),
            from in 0_u32..300,
            to in 0_u32..300,
        ) {
            let mut set = PageSet::new(300);
            let mut model = vec![false; 300];
            for (add, a, b) in changes {
                let range = a.min(b)..a.max(b);
                model[range.start as usize..range.end as usize].fill(add);
                if add { set.insert(range) } else { set.remove(range) }
            }
            let range = from.min(to)..from.max(to);
            let expected = &model[range.start as usize..range.end as usize];
            let members = expected.iter().filter(|&&member| member).count() as u32;
            prop_assert_eq!(set.count(range.clone()), members);
            prop_assert_eq!(set.contains(range.clone()), members == range.end - range.start);
            for wanted in [true, false] {
                let mut seen = vec![!wanted; expected.len()];
                let mut last = None;
                for found in set.ranges(range.clone(), wanted) {
                    prop_assert!(found.start < found.end && last < Some(found.start), "not longest");
                    last = Some(found.end);
                    let at = (found.start - range.start) as usize..(found.end - range.start) as usize;
                    seen[at].fill(wanted);
                }
                prop_assert_eq!(&seen[..], expected);
            }
        }
    }
}
