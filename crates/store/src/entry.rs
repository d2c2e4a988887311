//! The life of one object, as one word with named transitions.
//!
//! ```text
//!          claim            seal             release              vacate
//!   Free ─────────▶ Draft ─────────▶ Sealed ─────────▶ Doomed ─────────────▶ Free, next generation
//!                     │               pin, unpin        unpin                  ▲
//!                     └──────────────────────────── vacate ────────────────────┘
//!
//!   word:  63 ........ 32  31 30  29 ......... 0
//!          generation      phase  pins
//! ```
//!
//! Nobody pins a doomed object, so its pins only fall; whoever takes it to "doomed, no pins" is told
//! so by the transition, is the only one told, and must free the memory and then vacate the entry.

use mobula_sync::atomic::{AtomicU64, Ordering};

use crate::place::Place;

const PINS_BITS: u32 = 30;
const PINS_MASK: u64 = (1 << PINS_BITS) - 1;
const PHASE_MASK: u64 = 0b11 << PINS_BITS;

/// Far below the field's size, so that a pin added to pins by many threads at once cannot carry.
const PINS_MAX: u64 = PINS_MASK / 2;

const FREE: u64 = 0;
const DRAFT: u64 = 1 << PINS_BITS;
const SEALED: u64 = 2 << PINS_BITS;
const DOOMED: u64 = 3 << PINS_BITS;

/// One object's state, and where its bytes lie.
///
/// The place is written by the one who claims the entry and read by those who hold a pin or the
/// draft, so sealing and pinning are what orders it; its own atomics are relaxed.
#[derive(Debug)]
pub(crate) struct Entry {
    word: AtomicU64,
    offset: AtomicU64,
    len: AtomicU64,
    /// Segment in the upper half, home in the lower.
    owner: AtomicU64,
}

/// What [`Entry::pin`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pinned {
    /// The bytes stay until the pin is given back.
    Held(Place),
    /// The object is no more, or not yet.
    Gone,
    /// There are as many pins as can be counted.
    Full,
}

/// What the caller of [`Entry::release`] must do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Released {
    /// Nothing: there was no such object.
    Stale,
    /// Nothing: the last pin will free it.
    Pinned,
    /// Free the memory at this place, then vacate the entry.
    Free(Place),
}

/// What the caller of [`Entry::unpin`] must do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Unpinned {
    /// Nothing.
    Kept,
    /// Free the memory at this place, then vacate the entry.
    Free(Place),
}

/// What the caller of [`Entry::vacate`] must do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Vacated {
    /// Put the entry back into stock.
    Reusable,
    /// Leave it alone for ever: its generations are used up, and another round would let stale
    /// handles name new objects.
    Worn,
}

impl Entry {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(pack(1, FREE)),
            offset: AtomicU64::new(0),
            len: AtomicU64::new(0),
            owner: AtomicU64::new(0),
        }
    }

    /// Free → Draft. The caller owns the entry because it took its index from stock. Returns the
    /// generation.
    pub(crate) fn claim(&self, place: Place) -> u32 {
        // Relaxed: stock's lock orders this after the previous tenant's `vacate`.
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_eq!(word & (PHASE_MASK | PINS_MASK), FREE);
        self.offset.store(place.offset, Ordering::Relaxed);
        self.len.store(place.len, Ordering::Relaxed);
        self.owner.store(
            u64::from(place.segment) << 32 | u64::from(place.home),
            Ordering::Relaxed,
        );
        let generation = generation_of(word);
        self.word.store(pack(generation, DRAFT), Ordering::Relaxed);
        generation
    }

    /// Draft → Sealed. The caller owns the draft.
    pub(crate) fn seal(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_eq!(word & (PHASE_MASK | PINS_MASK), DRAFT);
        // Release: pairs with the acquire in `pin`. Place and bytes are written before it.
        self.word
            .store(pack(generation_of(word), SEALED), Ordering::Release);
    }

    /// Adds a pin, if the object is still the one meant and nobody has released it.
    pub(crate) fn pin(&self, generation: u32) -> Pinned {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & !PINS_MASK != pack(generation, SEALED) {
                return Pinned::Gone;
            }
            if word & PINS_MASK >= PINS_MAX {
                return Pinned::Full;
            }
            // Acquire: pairs with the release in `seal`.
            match self.word.compare_exchange_weak(
                word,
                word + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Pinned::Held(self.place()),
                Err(seen) => word = seen,
            }
        }
    }

    /// Adds a pin for one who holds a pin already, be the object released or not. False if there
    /// are as many as can be counted.
    pub(crate) fn pin_again(&self) -> bool {
        // Relaxed: the pin held keeps the object; the new one is handed on by other means.
        let before = self.word.fetch_add(1, Ordering::Relaxed);
        if before & PINS_MASK >= PINS_MAX {
            self.word.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Gives one pin back. The caller holds it.
    pub(crate) fn unpin(&self) -> Unpinned {
        // Release: this reader's reads come before whoever frees the memory. Acquire: if that is
        // us, all other readers' reads come before too.
        let before = self.word.fetch_sub(1, Ordering::AcqRel);
        debug_assert_ne!(before & PINS_MASK, 0);
        if before & (PHASE_MASK | PINS_MASK) == DOOMED | 1 {
            Unpinned::Free(self.place())
        } else {
            Unpinned::Kept
        }
    }

    /// Sealed → Doomed: the owner's reference is given up.
    pub(crate) fn release(&self, generation: u32) -> Released {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & !PINS_MASK != pack(generation, SEALED) {
                return Released::Stale;
            }
            // Acquire: pairs with the releases in `unpin`, since this may be the one who frees.
            // Release: what the owner did comes before whoever frees, if that is a pin's holder.
            match self.word.compare_exchange_weak(
                word,
                word | DOOMED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) if word & PINS_MASK == 0 => return Released::Free(self.place()),
                Ok(_) => return Released::Pinned,
                Err(seen) => word = seen,
            }
        }
    }

    /// Draft or Doomed without pins → Free. The caller has been told to, or owns the draft.
    pub(crate) fn vacate(&self) -> Vacated {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert!(matches!(word & (PHASE_MASK | PINS_MASK), DRAFT | DOOMED));
        match generation_of(word).checked_add(1) {
            Some(next) => {
                self.word.store(pack(next, FREE), Ordering::Relaxed);
                Vacated::Reusable
            }
            None => {
                self.word.store(pack(0, FREE), Ordering::Relaxed);
                Vacated::Worn
            }
        }
    }

    /// Where the bytes lie. Means something only to one who holds the draft or a pin, or was told
    /// to free.
    pub(crate) fn place(&self) -> Place {
        let owner = self.owner.load(Ordering::Relaxed);
        Place {
            segment: (owner >> 32) as u32,
            home: owner as u32,
            offset: self.offset.load(Ordering::Relaxed),
            len: self.len.load(Ordering::Relaxed),
        }
    }

    /// How many pins there are at this moment.
    pub(crate) fn pins(&self) -> u64 {
        self.word.load(Ordering::Relaxed) & PINS_MASK
    }
}

const fn pack(generation: u32, phase: u64) -> u64 {
    (generation as u64) << 32 | phase
}

const fn generation_of(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        segment: 3,
        home: 9,
        offset: 1 << 40,
        len: 77,
    };

    fn sealed() -> (Entry, u32) {
        let entry = Entry::new();
        let generation = entry.claim(PLACE);
        entry.seal();
        (entry, generation)
    }

    #[test]
    fn a_draft_cannot_be_pinned_or_released() {
        let entry = Entry::new();
        let generation = entry.claim(PLACE);
        assert_eq!(entry.pin(generation), Pinned::Gone);
        assert_eq!(entry.release(generation), Released::Stale);
    }

    #[test]
    fn the_last_pin_of_a_released_object_frees_it() {
        let (entry, generation) = sealed();
        assert_eq!(entry.pin(generation), Pinned::Held(PLACE));
        assert!(entry.pin_again());
        assert_eq!(entry.release(generation), Released::Pinned);
        assert_eq!(entry.pin(generation), Pinned::Gone);
        assert_eq!(entry.unpin(), Unpinned::Kept);
        assert!(
            entry.pin_again(),
            "a held pin can be shared after the release"
        );
        assert_eq!(entry.unpin(), Unpinned::Kept);
        assert_eq!(entry.unpin(), Unpinned::Free(PLACE));
    }

    #[test]
    fn a_second_release_is_stale() {
        let (entry, generation) = sealed();
        assert_eq!(entry.release(generation), Released::Free(PLACE));
        assert_eq!(entry.release(generation), Released::Stale);
        assert_eq!(entry.vacate(), Vacated::Reusable);
        assert_eq!(entry.release(generation), Released::Stale);
        assert_eq!(entry.claim(PLACE), generation + 1);
    }

    #[test]
    fn an_entry_whose_generations_are_used_up_is_never_used_again() {
        let entry = Entry::new();
        entry.word.store(pack(u32::MAX, FREE), Ordering::Relaxed);
        let generation = entry.claim(PLACE);
        entry.seal();
        assert_eq!(entry.release(generation), Released::Free(PLACE));
        assert_eq!(entry.vacate(), Vacated::Worn);
        assert_eq!(entry.pin(generation), Pinned::Gone);
        assert_eq!(entry.pin(0), Pinned::Gone);
    }

    #[test]
    fn pins_do_not_carry_into_the_phase() {
        let (entry, generation) = sealed();
        entry.word.fetch_add(PINS_MAX, Ordering::Relaxed);
        assert_eq!(entry.pin(generation), Pinned::Full);
        assert!(!entry.pin_again());
        assert_eq!(entry.pins(), PINS_MAX);
    }
}
