//! The life of one object, as one word with named transitions.
//!
//! ```text
//!          claim            seal             release              vacate
//!   Free ─────────▶ Draft ─────────▶ Sealed ─────────▶ Doomed ─────────────▶ Free, next generation
//!                     │              pin │ ▲ end_restore ▲ ▲ ▲ unpin          ▲
//!                     │            unpin │ │   (1 pin)   │ │ │                │
//!                     │  spill (its pin) ▼ │             │ │ │                │
//!                     │           Spilled ─┼── release ──┘ │ │                │
//!                     │      begin_restore │ ▲             │ │                │
//!                     │                  ▼ │ │ give_up     │ │                │
//!                     │           Restoring ── release ────┘ │                │
//!                     │                  │ lose              │                │
//!                     │                  ▼                   │                │
//!                     │                 Lost ──── release ───┘                │
//!                     └──────────────────────────── vacate ───────────────────┘
//!
//!   word:  63 ........ 32  31 .. 29  28 ......... 0
//!          generation      phase     pins
//! ```
//!
//! Nobody pins a doomed object, so its pins only fall; whoever takes it to "doomed, no pins" is told
//! so by the transition, is the only one told, and must free what it has and then vacate the entry.
//!
//! Only sealed and doomed objects have pins. The spiller has one of its own while it copies the
//! bytes out; if others have come meanwhile, or the owner has let go, `spill` refuses, and the
//! memory stays. So nobody ever waits for a spill. Whoever begins to restore a spilled object is
//! the only one until he ends it, in one of three ways; the others wait for him outside of this
//! file. A release does not wait: it dooms the object under the restorer's hands, whose end then
//! tells him to free what there is.

use mobula_sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::{
    layout::{DISK_SEGMENTS_MAX, OBJECT_ALIGN, PAGE_BYTES_MAX, SEGMENTS_MAX},
    place::Place,
};

const PINS_BITS: u32 = 29;
const PINS_MASK: u64 = (1 << PINS_BITS) - 1;
const PHASE_MASK: u64 = 0b111 << PINS_BITS;

/// Far below the field's size, so that a pin added to pins by many threads at once cannot carry.
const PINS_MAX: u64 = PINS_MASK / 2;

const FREE: u64 = 0;
const DRAFT: u64 = 1 << PINS_BITS;
const SEALED: u64 = 2 << PINS_BITS;
const DOOMED: u64 = 3 << PINS_BITS;
const SPILLED: u64 = 4 << PINS_BITS;
const RESTORING: u64 = 5 << PINS_BITS;
const LOST: u64 = 6 << PINS_BITS;

/// One object's state, and where its bytes lie.
///
/// The place is written by the one who claims the entry and read by those who hold a pin or the
/// draft, so sealing and pinning are what orders it; its own atomics are relaxed. A restorer writes
/// it anew, and pinning orders that too.
#[derive(Debug)]
pub(crate) struct Entry {
    word: AtomicU64,
    /// Segment, and offset in steps of what objects are aligned to.
    start: AtomicU64,
    len: AtomicU64,
    home: AtomicU32,
    /// When the object was sealed or pinned last. Orders nothing: a guess at who will not be missed.
    used: AtomicU32,
}

const STEPS_BITS: u32 = 44;

/// Two to a cache line: more would make pins slower.
const _: () = assert!(cfg!(loom) || size_of::<Entry>() == 32);
/// Offsets are less than as many pages as fit into 32 bits.
const _: () = assert!(OBJECT_ALIGN << STEPS_BITS >= PAGE_BYTES_MAX << u32::BITS);
const _: () = assert!(SEGMENTS_MAX + DISK_SEGMENTS_MAX <= 1 << (u64::BITS - STEPS_BITS));

/// What [`Entry::pin`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pinned {
    /// The bytes stay until the pin is given back.
    Held(Place),
    /// The object is spilled, or is just being restored.
    Away,
    /// The object was spilled, and its bytes could not be read again.
    Lost,
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
    /// Nothing: the last pin, or the one who is restoring it, will free it.
    Later,
    /// Free the memory at this place, then vacate the entry.
    Memory(Place),
    /// Free its record in the spill file, then vacate the entry.
    Record,
    /// Vacate the entry: the object was lost.
    Nothing,
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
            start: AtomicU64::new(0),
            len: AtomicU64::new(0),
            home: AtomicU32::new(0),
            used: AtomicU32::new(0),
        }
    }

    /// Free → Draft. The caller owns the entry because it took its index from stock. Returns the
    /// generation.
    pub(crate) fn claim(&self, place: Place) -> u32 {
        // Relaxed: stock's lock orders this after the previous tenant's `vacate`.
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_eq!(word & (PHASE_MASK | PINS_MASK), FREE);
        self.set_place(place);
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

    /// Notes that the object is wanted now.
    pub(crate) fn touch(&self, now: u32) {
        // A store that changes nothing would still have to be waited for by the next `unpin`.
        if self.used() != now {
            self.used.store(now, Ordering::Relaxed);
        }
    }

    /// When it was wanted last.
    pub(crate) fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// Adds a pin, if the object is still the one meant, is in memory, and nobody has released it.
    pub(crate) fn pin(&self, generation: u32) -> Pinned {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & !PINS_MASK != pack(generation, SEALED) {
                return not_in_memory(word, generation);
            }
            if word & PINS_MASK >= PINS_MAX {
                return Pinned::Full;
            }
            // Acquire: pairs with the release in `seal` and in `end_restore`.
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

    /// Sealed, Spilled, Restoring or Lost → Doomed: the owner's reference is given up.
    pub(crate) fn release(&self, generation: u32) -> Released {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let phase = word & PHASE_MASK;
            if generation_of(word) != generation
                || !matches!(phase, SEALED | SPILLED | RESTORING | LOST)
            {
                return Released::Stale;
            }
            // Acquire: pairs with the releases in `unpin`, since this may be the one who frees, and
            // in `spill`, which comes after the record was made. Release: what the owner did comes before whoever
            // frees, if that is a pin's holder or a restorer.
            match self.word.compare_exchange_weak(
                word,
                word & !PHASE_MASK | DOOMED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) if word & PINS_MASK != 0 || phase == RESTORING => return Released::Later,
                Ok(_) if phase == SPILLED => return Released::Record,
                Ok(_) if phase == LOST => return Released::Nothing,
                Ok(_) => return Released::Memory(self.place()),
                Err(seen) => word = seen,
            }
        }
    }

    /// Where the bytes lie, if nobody would miss them at this moment. By the time the caller looks
    /// it may be wrong altogether.
    pub(crate) fn idle(&self) -> Option<Place> {
        let word = self.word.load(Ordering::Relaxed);
        (word & (PHASE_MASK | PINS_MASK) == SEALED).then(|| self.place())
    }

    /// Adds the first pin to an object that has none. Returns the generation.
    pub(crate) fn pin_idle(&self) -> Option<u32> {
        let word = self.word.load(Ordering::Relaxed);
        if word & (PHASE_MASK | PINS_MASK) != SEALED {
            return None;
        }
        // Acquire: as in `pin`.
        self.word
            .compare_exchange(word, word + 1, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(generation_of)
    }

    /// Sealed with no pin but the caller's → Spilled without pins. The caller has made the record,
    /// and frees the memory. False: others want it, or nobody; the caller still has its pin.
    pub(crate) fn spill(&self, generation: u32) -> bool {
        // Acquire: the reads of those who have given their pins back come before the memory is
        // freed. Release: pairs with the acquires in `begin_restore` and `release`.
        self.go(
            pack(generation, SEALED) | 1,
            pack(generation, SPILLED),
            Ordering::AcqRel,
        )
    }

    /// Spilled → Restoring. Returns the length. Nothing: the object is not spilled, or somebody else
    /// is restoring it.
    pub(crate) fn begin_restore(&self, generation: u32) -> Option<u64> {
        // Acquire: pairs with the release in `spill`, which comes after the record was made.
        self.go(
            pack(generation, SPILLED),
            pack(generation, RESTORING),
            Ordering::Acquire,
        )
        .then(|| self.len.load(Ordering::Relaxed))
    }

    /// Restoring → Sealed, with a pin for the caller. The caller frees the record. False: the object
    /// has been released; the caller frees memory and record and vacates the entry.
    pub(crate) fn end_restore(&self, generation: u32, place: Place) -> bool {
        self.set_place(place);
        // Release: pairs with the acquires in `pin` and `pin_idle`. Place and bytes are written
        // before it.
        self.go(
            pack(generation, RESTORING),
            pack(generation, SEALED) | 1,
            Ordering::Release,
        )
    }

    /// Restoring → Spilled: there is no room. False: the object has been released; the caller frees
    /// the record and vacates the entry.
    pub(crate) fn give_up_restore(&self, generation: u32) -> bool {
        // Release: hands on what `begin_restore` acquired.
        self.go(
            pack(generation, RESTORING),
            pack(generation, SPILLED),
            Ordering::Release,
        )
    }

    /// Restoring → Lost: the bytes cannot be had any more. The caller frees the record. False: the
    /// object has been released, and the caller vacates the entry too.
    pub(crate) fn lose(&self, generation: u32) -> bool {
        // Relaxed: nothing is left that others would have to see.
        self.go(
            pack(generation, RESTORING),
            pack(generation, LOST),
            Ordering::Relaxed,
        )
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
        let start = self.start.load(Ordering::Relaxed);
        Place {
            segment: (start >> STEPS_BITS) as u32,
            home: self.home.load(Ordering::Relaxed),
            offset: (start & ((1 << STEPS_BITS) - 1)) * OBJECT_ALIGN,
            len: self.len.load(Ordering::Relaxed),
        }
    }

    /// How many pins there are at this moment.
    pub(crate) fn pins(&self) -> u64 {
        self.word.load(Ordering::Relaxed) & PINS_MASK
    }

    /// How many bytes the object has; of one that is not pinned by the caller, a guess.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    fn set_place(&self, place: Place) {
        debug_assert!(place.offset.is_multiple_of(OBJECT_ALIGN));
        let start = (u64::from(place.segment) << STEPS_BITS) | (place.offset / OBJECT_ALIGN);
        self.start.store(start, Ordering::Relaxed);
        self.len.store(place.len, Ordering::Relaxed);
        self.home.store(place.home, Ordering::Relaxed);
    }

    fn go(&self, from: u64, to: u64, order: Ordering) -> bool {
        self.word
            .compare_exchange(from, to, order, Ordering::Relaxed)
            .is_ok()
    }
}

/// What there is to say of an object that cannot be pinned as it is.
#[cold]
fn not_in_memory(word: u64, generation: u32) -> Pinned {
    match word & PHASE_MASK {
        _ if generation_of(word) != generation => Pinned::Gone,
        SPILLED | RESTORING => Pinned::Away,
        LOST => Pinned::Lost,
        _ => Pinned::Gone,
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
        assert_eq!(entry.release(generation), Released::Later);
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
        assert_eq!(entry.release(generation), Released::Memory(PLACE));
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
        assert_eq!(entry.release(generation), Released::Memory(PLACE));
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

    #[test]
    fn what_is_spilled_comes_back_with_a_pin_at_its_new_place() {
        let (entry, generation) = sealed();
        assert_eq!(entry.idle(), Some(PLACE));
        assert_eq!(entry.pin_idle(), Some(generation));
        assert_eq!(entry.pin_idle(), None);
        assert!(entry.spill(generation));
        assert_eq!(entry.pin(generation), Pinned::Away);
        assert_eq!(entry.pin(generation + 1), Pinned::Gone);
        assert_eq!(entry.begin_restore(generation), Some(PLACE.len));
        assert_eq!(entry.pin(generation), Pinned::Away);
        assert_eq!(entry.begin_restore(generation), None);
        assert!(entry.give_up_restore(generation));
        assert!(entry.begin_restore(generation).is_some());
        let elsewhere = Place { home: 1, ..PLACE };
        assert!(entry.end_restore(generation, elsewhere));
        assert_eq!(entry.pins(), 1);
        assert_eq!(entry.unpin(), Unpinned::Kept);
        assert_eq!(entry.release(generation), Released::Memory(elsewhere));
    }

    #[test]
    fn what_others_have_pinned_is_not_spilled() {
        let (entry, generation) = sealed();
        assert_eq!(entry.pin_idle(), Some(generation));
        assert_eq!(entry.pin(generation), Pinned::Held(PLACE));
        assert!(!entry.spill(generation));
        assert_eq!(entry.unpin(), Unpinned::Kept);
        assert_eq!(entry.release(generation), Released::Later);
        assert!(!entry.spill(generation), "nor what nobody wants");
        assert_eq!(entry.unpin(), Unpinned::Free(PLACE));
    }

    #[test]
    fn what_cannot_be_read_is_lost_until_it_is_released() {
        let (entry, generation) = sealed();
        assert_eq!(entry.pin_idle(), Some(generation));
        assert!(entry.spill(generation));
        assert!(entry.begin_restore(generation).is_some());
        assert!(entry.lose(generation));
        assert_eq!(entry.pin(generation), Pinned::Lost);
        assert_eq!(entry.release(generation), Released::Nothing);
        assert_eq!(entry.pin(generation), Pinned::Gone);
    }

    #[test]
    fn a_release_while_restoring_leaves_the_freeing_to_the_restorer() {
        let (entry, generation) = sealed();
        assert_eq!(entry.pin_idle(), Some(generation));
        assert!(entry.spill(generation));
        assert!(entry.begin_restore(generation).is_some());
        assert_eq!(entry.release(generation), Released::Later);
        assert_eq!(entry.release(generation), Released::Stale);
        assert!(!entry.give_up_restore(generation));
        assert!(!entry.lose(generation));
        assert!(!entry.end_restore(generation, PLACE));
        assert_eq!(entry.vacate(), Vacated::Reusable);
    }
}
