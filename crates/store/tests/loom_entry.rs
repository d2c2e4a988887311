//! Every interleaving of pinning, unpinning and releasing one object: it is freed exactly once, and
//! never while somebody reads it. Drives the very transitions that ship.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-store --release --test loom_entry`
#![cfg(loom)]

#[path = "../src/entry.rs"]
mod entry;
#[allow(dead_code, reason = "the table uses the rest")]
#[path = "../src/place.rs"]
mod place;

use entry::{Entry, Pinned, Released, Unpinned, Vacated};
use loom::{cell::UnsafeCell, thread};
use mobula_sync::{Arc, atomic::AtomicU32, atomic::Ordering};
use place::Place;

const PLACE: Place = Place {
    segment: 1,
    home: 2,
    offset: 3,
    len: 4,
};

/// An entry and the memory it stands for. Loom fails the test if the memory is read while it is
/// written, or if the transitions do not order the two.
struct Fixture {
    entry: Entry,
    memory: UnsafeCell<u32>,
    freed: AtomicU32,
}

impl Fixture {
    fn new() -> Self {
        Self {
            entry: Entry::new(),
            memory: UnsafeCell::new(0),
            freed: AtomicU32::new(0),
        }
    }

    fn sealed(value: u32) -> (Arc<Self>, u32) {
        let fixture = Self::new();
        let generation = fixture.entry.claim(PLACE);
        fixture.write(value);
        fixture.entry.seal();
        (Arc::new(fixture), generation)
    }

    fn write(&self, value: u32) {
        // SAFETY: not relied upon: loom checks that nobody else has access.
        self.memory.with_mut(|memory| unsafe { *memory = value });
    }

    fn read(&self) -> u32 {
        // SAFETY: not relied upon: loom checks that nobody writes.
        self.memory.with(|memory| unsafe { *memory })
    }

    fn free(&self, place: Place) {
        assert_eq!(place, PLACE);
        self.write(u32::MAX);
        self.freed.fetch_add(1, Ordering::Relaxed);
    }

    /// Pins, reads, and unpins, if the object is there.
    fn visit(&self, generation: u32) -> bool {
        match self.entry.pin(generation) {
            Pinned::Held(place) => {
                assert_eq!(place, PLACE);
                assert_eq!(self.read(), 7);
                self.unpin();
                true
            }
            Pinned::Gone => false,
            Pinned::Full => unreachable!("two pins are not too many"),
        }
    }

    fn unpin(&self) {
        if let Unpinned::Free(place) = self.entry.unpin() {
            self.free(place);
        }
    }

    fn release(&self, generation: u32) -> bool {
        match self.entry.release(generation) {
            Released::Stale => false,
            Released::Pinned => true,
            Released::Free(place) => {
                self.free(place);
                true
            }
        }
    }
}

#[test]
fn two_readers_and_a_release_free_it_once() {
    loom::model(|| {
        let (fixture, generation) = Fixture::sealed(7);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let fixture = Arc::clone(&fixture);
                thread::spawn(move || fixture.visit(generation))
            })
            .collect();
        assert!(fixture.release(generation));
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(fixture.freed.load(Ordering::Relaxed), 1);
        assert!(!fixture.visit(generation));
    });
}

#[test]
fn of_two_releases_one_counts() {
    loom::model(|| {
        let (fixture, generation) = Fixture::sealed(7);
        let other = {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || fixture.release(generation))
        };
        let reader = {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || fixture.visit(generation))
        };
        let mine = fixture.release(generation);
        let others = other.join().unwrap();
        reader.join().unwrap();
        assert!(mine ^ others);
        assert_eq!(fixture.freed.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_pin_shared_after_the_release_keeps_the_memory() {
    loom::model(|| {
        let (fixture, generation) = Fixture::sealed(7);
        assert!(matches!(fixture.entry.pin(generation), Pinned::Held(_)));
        let releaser = {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || fixture.release(generation))
        };
        assert!(fixture.entry.pin_again());
        let clone = {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || {
                assert_eq!(fixture.read(), 7);
                fixture.unpin();
            })
        };
        assert_eq!(fixture.read(), 7);
        fixture.unpin();
        clone.join().unwrap();
        assert!(releaser.join().unwrap());
        assert_eq!(fixture.freed.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_reader_with_a_stale_handle_never_gets_the_next_tenant() {
    loom::model(|| {
        let (fixture, first) = Fixture::sealed(7);
        let reader = {
            let fixture = Arc::clone(&fixture);
            // `visit` checks that what it reads is the first tenant's.
            thread::spawn(move || fixture.visit(first))
        };
        if let Released::Free(place) = fixture.entry.release(first) {
            fixture.free(place);
            assert_eq!(fixture.entry.vacate(), Vacated::Reusable);
            let second = fixture.entry.claim(PLACE);
            assert_ne!(second, first);
            fixture.write(8);
            fixture.entry.seal();
            assert!(!fixture.release(first));
            assert!(matches!(fixture.entry.pin(second), Pinned::Held(_)));
            assert_eq!(fixture.read(), 8);
            fixture.unpin();
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_sees_all_that_was_written_before_the_seal() {
    loom::model(|| {
        let fixture = Arc::new(Fixture::new());
        let generation = fixture.entry.claim(PLACE);
        let reader = {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || fixture.visit(generation))
        };
        fixture.write(7);
        fixture.entry.seal();
        reader.join().unwrap();
        assert_eq!(fixture.entry.pins(), 0);
    });
}
