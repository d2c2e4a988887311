//! Every interleaving of pinning, unpinning, releasing, spilling and restoring one object: it is
//! freed exactly once, and never while somebody reads it. Drives the very transitions that ship; the
//! mutants, which must fail, leave out one thing each.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-store --release --test loom_entry`
#![cfg(loom)]

#[allow(dead_code, reason = "recency orders nothing")]
#[path = "../src/entry.rs"]
mod entry;
#[allow(dead_code, reason = "the store uses the rest")]
#[path = "../src/layout.rs"]
mod layout;
#[allow(dead_code, reason = "the table uses the rest")]
#[path = "../src/place.rs"]
mod place;

use entry::{Entry, Pinned, Released, Unpinned, Vacated};
use loom::{cell::UnsafeCell, thread};
use mobula_sync::{Arc, Mutex, atomic::AtomicU32, atomic::Ordering};
use place::Place;

const PLACE: Place = Place {
    segment: 1,
    home: 2,
    offset: 3 << 6,
    len: 4,
};

/// The other place that there is: where an object is restored while its old memory is being freed.
const ELSEWHERE: Place = Place { home: 6, ..PLACE };

/// An entry, the memory it stands for, and its record on disk. Loom fails the test if either is
/// read while it is written, or if the transitions do not order the two.
struct Fixture {
    entry: Entry,
    memory: [UnsafeCell<u32>; 2],
    disk: UnsafeCell<u32>,
    /// Which places are lent. Orders one tenant after the other, as the store's lock does.
    lent: Mutex<[bool; 2]>,
    has_record: AtomicU32,
    freed: AtomicU32,
    spilling: Mutex<()>,
    restoring: Mutex<()>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            entry: Entry::new(),
            memory: [UnsafeCell::new(0), UnsafeCell::new(0)],
            disk: UnsafeCell::new(0),
            lent: Mutex::new([false; 2]),
            has_record: AtomicU32::new(0),
            freed: AtomicU32::new(0),
            spilling: Mutex::new(()),
            restoring: Mutex::new(()),
        }
    }

    fn sealed(value: u32) -> (Arc<Self>, u32) {
        let fixture = Self::new();
        let place = fixture.take_memory();
        let generation = fixture.entry.claim(place);
        fixture.write(place, value);
        fixture.entry.seal();
        (Arc::new(fixture), generation)
    }

    fn spilled(value: u32) -> (Arc<Self>, u32) {
        let (fixture, generation) = Self::sealed(value);
        assert!(fixture.spill());
        (fixture, generation)
    }

    fn take_memory(&self) -> Place {
        let mut lent = self.lent.lock();
        let at = lent
            .iter()
            .position(|lent| !lent)
            .expect("two places are enough");
        lent[at] = true;
        [PLACE, ELSEWHERE][at]
    }

    /// Overwrites the memory, as its next tenant would.
    fn give_memory_back(&self, place: Place) {
        self.write(place, u32::MAX);
        assert!(
            std::mem::replace(&mut self.lent.lock()[cell(place)], false),
            "lent"
        );
    }

    fn write_record(&self, place: Place) {
        let value = self.read(place);
        // SAFETY: not relied upon: loom checks that nobody else has access.
        self.disk.with_mut(|disk| unsafe { *disk = value });
        assert_eq!(self.has_record.fetch_add(1, Ordering::Relaxed), 0);
    }

    fn read_record(&self) -> u32 {
        // SAFETY: not relied upon: loom checks that nobody writes.
        self.disk.with(|disk| unsafe { *disk })
    }

    fn give_record_back(&self) {
        // SAFETY: not relied upon: loom checks that nobody else has access.
        self.disk.with_mut(|disk| unsafe { *disk = u32::MAX });
        assert_eq!(self.has_record.fetch_sub(1, Ordering::Relaxed), 1);
    }

    /// What a spiller does with one object. Whether it has gone.
    fn spill(&self) -> bool {
        let _spilling = self.spilling.lock();
        let Some(generation) = self.entry.pin_idle() else {
            return false;
        };
        let place = self.entry.place();
        self.write_record(place);
        if self.entry.spill(generation) {
            self.give_memory_back(place);
            return true;
        }
        self.give_record_back();
        self.unpin();
        false
    }

    /// What a reader does with an object that is away. Where it is, with a pin, unless it is gone.
    fn restore(&self, generation: u32, has_room: bool) -> Option<Place> {
        let _restoring = self.restoring.lock();
        loop {
            match self.entry.pin(generation) {
                Pinned::Held(place) => return Some(place),
                Pinned::Away => {}
                _ => return None,
            }
            let Some(len) = self.entry.begin_restore(generation) else {
                continue;
            };
            assert_eq!(len, PLACE.len);
            if !has_room {
                if !self.entry.give_up_restore(generation) {
                    self.give_record_back();
                    self.freed.fetch_add(1, Ordering::Relaxed);
                }
                return None;
            }
            let place = self.take_memory();
            self.write(place, self.read_record());
            let is_wanted = self.entry.end_restore(generation, place);
            self.give_record_back();
            if !is_wanted {
                self.free(place);
                return None;
            }
            return Some(place);
        }
    }

    fn write(&self, place: Place, value: u32) {
        // SAFETY: not relied upon: loom checks that nobody else has access.
        self.memory[cell(place)].with_mut(|memory| unsafe { *memory = value });
    }

    fn read(&self, place: Place) -> u32 {
        // SAFETY: not relied upon: loom checks that nobody writes.
        self.memory[cell(place)].with(|memory| unsafe { *memory })
    }

    fn free(&self, place: Place) {
        self.give_memory_back(place);
        self.freed.fetch_add(1, Ordering::Relaxed);
    }

    /// Pins, reads, and unpins, if the object is there.
    fn visit(&self, generation: u32) -> bool {
        let place = match self.entry.pin(generation) {
            Pinned::Held(place) => Some(place),
            Pinned::Away => self.restore(generation, true),
            Pinned::Gone => None,
            Pinned::Lost => unreachable!("nobody loses it here"),
            Pinned::Full => unreachable!("two pins are not too many"),
        };
        if let Some(place) = place {
            assert_eq!(self.read(place), 7);
            self.unpin();
        }
        place.is_some()
    }

    fn unpin(&self) {
        if let Unpinned::Free(place) = self.entry.unpin() {
            self.free(place);
        }
    }

    fn release(&self, generation: u32) -> bool {
        match self.entry.release(generation) {
            Released::Stale => false,
            Released::Later => true,
            Released::Memory(place) => {
                self.free(place);
                true
            }
            Released::Record => {
                assert_eq!(self.read_record(), 7);
                self.give_record_back();
                self.freed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Released::Nothing => unreachable!("nobody loses it here"),
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
                assert_eq!(fixture.read(PLACE), 7);
                fixture.unpin();
            })
        };
        assert_eq!(fixture.read(PLACE), 7);
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
        if let Released::Memory(place) = fixture.entry.release(first) {
            fixture.free(place);
            assert_eq!(fixture.entry.vacate(), Vacated::Reusable);
            let place = fixture.take_memory();
            let second = fixture.entry.claim(place);
            assert_ne!(second, first);
            fixture.write(place, 8);
            fixture.entry.seal();
            assert!(!fixture.release(first));
            assert!(matches!(fixture.entry.pin(second), Pinned::Held(_)));
            assert_eq!(fixture.read(PLACE), 8);
            fixture.unpin();
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_sees_all_that_was_written_before_the_seal() {
    loom::model(|| {
        let fixture = Arc::new(Fixture::new());
        let place = fixture.take_memory();
        let generation = fixture.entry.claim(place);
        let reader = {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || fixture.visit(generation))
        };
        fixture.write(place, 7);
        fixture.entry.seal();
        reader.join().unwrap();
        assert_eq!(fixture.entry.pins(), 0);
    });
}

/// After everything: the object was freed once, and has neither memory nor a record.
fn is_freed(fixture: &Fixture) {
    assert_eq!(fixture.freed.load(Ordering::Relaxed), 1);
    assert_eq!(*fixture.lent.lock(), [false; 2]);
    assert_eq!(fixture.has_record.load(Ordering::Relaxed), 0);
}

fn cell(place: Place) -> usize {
    usize::from(place == ELSEWHERE)
}

fn spawn<T: 'static>(
    fixture: &Arc<Fixture>,
    work: impl FnOnce(&Fixture) -> T + 'static,
) -> thread::JoinHandle<T> {
    let fixture = Arc::clone(fixture);
    thread::spawn(move || work(&fixture))
}

#[test]
fn a_reader_has_its_object_whether_it_is_being_spilled_or_not() {
    loom::model(|| {
        let (fixture, generation) = Fixture::sealed(7);
        let spiller = spawn(&fixture, Fixture::spill);
        assert!(fixture.visit(generation), "nobody has released it");
        spiller.join().unwrap();
        assert!(fixture.visit(generation));
        assert!(fixture.release(generation));
        is_freed(&fixture);
    });
}

#[test]
fn a_pinned_object_is_not_spilled() {
    loom::model(|| {
        let (fixture, generation) = Fixture::sealed(7);
        assert!(matches!(fixture.entry.pin(generation), Pinned::Held(_)));
        let spiller = spawn(&fixture, Fixture::spill);
        assert_eq!(fixture.read(PLACE), 7);
        fixture.unpin();
        spiller.join().unwrap();
        assert!(fixture.release(generation));
        is_freed(&fixture);
    });
}

#[test]
fn of_a_spiller_and_a_release_one_frees_it() {
    loom::model(|| {
        let (fixture, generation) = Fixture::sealed(7);
        let spiller = spawn(&fixture, Fixture::spill);
        assert!(fixture.release(generation));
        spiller.join().unwrap();
        is_freed(&fixture);
    });
}

#[test]
fn a_spiller_a_reader_and_a_release_agree() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (fixture, generation) = Fixture::sealed(7);
        let spiller = spawn(&fixture, Fixture::spill);
        let reader = spawn(&fixture, move |fixture| fixture.visit(generation));
        assert!(fixture.release(generation));
        spiller.join().unwrap();
        reader.join().unwrap();
        is_freed(&fixture);
    });
}

#[test]
fn of_two_restorers_one_restores_and_both_read() {
    loom::model(|| {
        let (fixture, generation) = Fixture::spilled(7);
        let other = spawn(&fixture, move |fixture| fixture.visit(generation));
        assert!(fixture.visit(generation));
        assert!(other.join().unwrap());
        assert!(fixture.release(generation));
        is_freed(&fixture);
    });
}

#[test]
fn a_release_and_a_restorer_agree_who_frees() {
    loom::model(|| {
        let (fixture, generation) = Fixture::spilled(7);
        let reader = spawn(&fixture, move |fixture| fixture.visit(generation));
        assert!(fixture.release(generation));
        reader.join().unwrap();
        is_freed(&fixture);
    });
}

#[test]
fn a_release_and_a_restorer_without_room_agree_who_frees() {
    loom::model(|| {
        let (fixture, generation) = Fixture::spilled(7);
        let reader = spawn(&fixture, move |fixture| fixture.restore(generation, false));
        assert!(fixture.release(generation));
        assert_eq!(reader.join().unwrap(), None);
        is_freed(&fixture);
    });
}

#[test]
fn what_one_restorer_has_no_room_for_another_restores() {
    loom::model(|| {
        let (fixture, generation) = Fixture::spilled(7);
        let other = spawn(&fixture, move |fixture| {
            if fixture.restore(generation, false).is_some() {
                fixture.unpin();
            }
        });
        assert!(fixture.visit(generation));
        other.join().unwrap();
        assert!(fixture.release(generation));
        is_freed(&fixture);
    });
}

#[test]
fn what_is_restored_may_be_spilled_again_while_others_come() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (fixture, generation) = Fixture::spilled(7);
        let spiller = spawn(&fixture, Fixture::spill);
        let reader = spawn(&fixture, move |fixture| fixture.visit(generation));
        assert!(fixture.visit(generation));
        assert!(reader.join().unwrap());
        spiller.join().unwrap();
        assert!(fixture.release(generation));
        is_freed(&fixture);
    });
}

#[test]
fn a_reader_learns_that_an_object_is_lost_and_the_release_frees_nothing_twice() {
    loom::model(|| {
        let (fixture, generation) = Fixture::spilled(7);
        let reader = spawn(&fixture, move |fixture| {
            let _restoring = fixture.restoring.lock();
            if fixture.entry.begin_restore(generation).is_some() {
                let is_wanted = fixture.entry.lose(generation);
                fixture.give_record_back();
                if !is_wanted {
                    fixture.freed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        match fixture.entry.release(generation) {
            Released::Record => {
                fixture.give_record_back();
                fixture.freed.fetch_add(1, Ordering::Relaxed);
            }
            Released::Nothing => {
                fixture.freed.fetch_add(1, Ordering::Relaxed);
            }
            Released::Later => {}
            other => panic!("{other:?}"),
        }
        reader.join().unwrap();
        is_freed(&fixture);
    });
}

/// The spiller frees the memory although others have pinned it meanwhile.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_spiller_that_does_not_look_again_frees_what_is_read() {
    loom::model(|| {
        let (fixture, generation) = Fixture::sealed(7);
        let spiller = spawn(&fixture, move |fixture| {
            if fixture.entry.pin_idle().is_some() {
                let place = fixture.entry.place();
                fixture.write_record(place);
                fixture.unpin();
                fixture.give_memory_back(place);
            }
        });
        if let Pinned::Held(place) = fixture.entry.pin(generation) {
            fixture.read(place);
            fixture.unpin();
        }
        spiller.join().unwrap();
    });
}

/// The release of an object that is being restored does not leave the record to the restorer.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_release_that_frees_under_the_restorers_hands_frees_what_is_read() {
    loom::model(|| {
        let (fixture, generation) = Fixture::spilled(7);
        let restorer = spawn(&fixture, move |fixture| fixture.restore(generation, false));
        if let Released::Record | Released::Later = fixture.entry.release(generation) {
            fixture.give_record_back();
        }
        restorer.join().unwrap();
    });
}
