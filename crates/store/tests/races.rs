//! Threads that hand objects to each other by nothing but their names, for ThreadSanitizer (`npm run test:long -- --only
//! sanitizers`): what orders their accesses to the bytes has to be the store itself.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use mobula_store::{Backing, Object, Reader, Store, StoreConfig, ViewMode};
use support::{MIB, Scratch, threads::on_threads};

/// Where threads leave the names of objects for each other.
struct Board(Vec<AtomicU64>);

const PLACES: u64 = 16;
const ROUNDS: u64 = 400;

impl Board {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    // Relaxed, here and below: the board must order nothing.
    fn look(&self, place: u64) -> Option<Object> {
        named(self.0[place as usize].load(Ordering::Relaxed))
    }

    fn swap(&self, place: u64, object: Option<Object>) -> Option<Object> {
        let name = object.map_or(0, |object| {
            u64::from(object.generation) << 32 | u64::from(object.index)
        });
        named(self.0[place as usize].swap(name, Ordering::Relaxed))
    }
}

/// Generation 0 is nobody's.
fn named(name: u64) -> Option<Object> {
    (name != 0).then_some(Object {
        index: name as u32,
        generation: (name >> 32) as u32,
    })
}

/// Every byte of an object is the same, and every reader reads them all.
fn check(bytes: &[u8]) {
    assert!(
        bytes.windows(2).all(|two| two[0] == two[1]),
        "bytes of two objects"
    );
}

/// Threads that make, read, change their views of, release and spill each other's objects.
fn churn(store: &std::sync::Arc<Store>) {
    let board = Board::new();
    // One for all threads, beside each thread's own.
    let common = Reader::new(store);
    on_threads(|number, mut random| {
        let reader = Reader::new(store);
        let mut held = Vec::new();
        for round in 0..ROUNDS {
            let place = random.below(PLACES);
            match random.below(8) {
                0..=2 => {
                    let len = [0, 60, 900, 17_000, 70_000, 200_000][random.below(6) as usize];
                    let Ok(mut draft) = store.create(len) else {
                        held.clear();
                        continue;
                    };
                    draft.as_mut_slice().fill((number * 64 + round % 64) as u8);
                    if let Some(old) = board.swap(place, Some(draft.seal())) {
                        assert!(store.release(old));
                    }
                }
                3..=5 => {
                    // It may be released, and its place be another's, before it is pinned.
                    let Some(Ok(pin)) = board.look(place).map(|object| store.pin(object)) else {
                        continue;
                    };
                    check(pin.bytes());
                    let from = if round % 2 == 0 { &reader } else { &common };
                    let view = from.open(pin.clone()).unwrap();
                    // SAFETY: the view is open. Others who have one of the same reader only read it.
                    check(unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) });
                    held.push((pin, view));
                }
                6 => {
                    if let Some(old) = board.swap(place, None) {
                        assert!(store.release(old));
                        assert!(!store.release(old));
                    }
                }
                _ => {
                    store.trim();
                    for (pin, view) in held.drain(..) {
                        check(pin.bytes());
                        drop((pin, view));
                    }
                }
            }
        }
    });
    for place in 0..PLACES {
        if let Some(object) = board.swap(place, None) {
            check(store.pin(object).unwrap().bytes());
            assert!(store.release(object));
        }
    }
    drop(common);
    let stats = store.stats();
    assert_eq!((stats.objects, stats.bytes, stats.pins), (0, 0, 0));
    assert_eq!((stats.spilled_objects, stats.disk), (0, 0));
}

fn main() {
    let heap = Backing::Heap {
        bytes_max: u64::MAX,
    };
    for views in [ViewMode::Private, ViewMode::Copy] {
        for backing in [Backing::File, heap] {
            let config = StoreConfig {
                views,
                backing,
                segment_bytes: 2 * MIB,
                ..StoreConfig::new(8 * MIB)
            };
            churn(&Store::new(config).unwrap());
        }
        let scratch = Scratch::new("races");
        let config = StoreConfig {
            views,
            segment_bytes: 2 * MIB,
            ..scratch.config(MIB)
        };
        let store = Store::new(config).unwrap();
        churn(&store);
        assert!(
            store.stats().restored_objects > 0,
            "nothing came back from disk"
        );
    }
}
