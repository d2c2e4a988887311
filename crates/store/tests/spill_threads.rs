//! Many threads and more objects than memory: each has its own bytes back, and nobody waits for ever.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Mutex;

use mobula_store::{Object, Pin, Reader, Store, StoreConfig, ViewMode};
use support::{MIB, Scratch, check, put, threads::on_threads};

/// The length of the object with this seed.
fn len_of(seed: u64) -> u64 {
    let kind = [200, 3000, 20_000, 300_000, 900_000][seed as usize % 5];
    kind + seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % kind
}

#[test]
fn a_working_set_ten_times_the_store_is_read_by_all() {
    let scratch = Scratch::new("ten-times");
    let store = scratch.store(8 * MIB);
    let mut objects = Vec::new();
    let mut bytes = 0;
    for seed in 0.. {
        if bytes >= 80 * MIB {
            break;
        }
        bytes += len_of(seed);
        objects.push(put(&store, seed, len_of(seed)));
    }
    on_threads(|_, mut random| {
        let reader = Reader::new(&store);
        for _ in 0..400 {
            let seed = random.below(objects.len() as u64);
            let pin = store.pin(objects[seed as usize]).unwrap();
            check(&pin, seed, len_of(seed));
            let view = reader.open(pin).unwrap();
            // SAFETY: the view is open, and this thread alone uses it.
            unsafe { view.as_ptr().write_bytes(0xee, view.len()) };
        }
    });
    let stats = store.stats();
    assert!(
        stats.restored_objects > 100 && stats.bytes <= 8 * MIB,
        "{stats:?}"
    );
    for (object, seed) in objects.iter().zip(0..) {
        check(&store.pin(*object).unwrap(), seed, len_of(seed));
        assert!(store.release(*object));
    }
    let stats = store.stats();
    assert_eq!((stats.objects, stats.bytes, stats.pins), (0, 0, 0));
    assert_eq!(
        (stats.spilled, stats.spilled_objects, stats.disk),
        (0, 0, 0)
    );
    #[cfg(target_os = "linux")]
    assert_eq!(scratch.spill_file().metadata().unwrap().len(), 0);
}

#[test]
fn threads_that_make_pin_and_release_each_others_objects_in_a_full_store() {
    for views in [ViewMode::Private, ViewMode::Copy] {
        let scratch = Scratch::new("churn");
        let config = StoreConfig {
            views,
            segment_bytes: 4 * MIB,
            ..scratch.config(4 * MIB)
        };
        let store = Store::new(config).unwrap();
        let shared: Mutex<Vec<(Object, u64)>> = Mutex::default();
        on_threads(|number, mut random| {
            let reader = Reader::new(&store);
            let mut held: Vec<(Pin, u64)> = Vec::new();
            for round in 0..500 {
                let seed = number << 24 | round;
                match random.below(10) {
                    0..=3 => {
                        let object = put(&store, seed, len_of(seed));
                        shared.lock().unwrap().push((object, seed));
                    }
                    4..=6 => {
                        let found = {
                            let shared = shared.lock().unwrap();
                            let at = random.below(shared.len().max(1) as u64) as usize;
                            shared.get(at).copied()
                        };
                        // Another thread may release it right now.
                        if let Some((object, seed)) = found {
                            match store.pin(object) {
                                Ok(pin) => {
                                    check(&pin, seed, len_of(seed));
                                    drop(reader.open(pin.clone()).unwrap());
                                    held.push((pin, seed));
                                }
                                Err(error) => assert!(error.is_gone(), "{error}"),
                            }
                        }
                    }
                    7..=8 => {
                        let taken = {
                            let mut shared = shared.lock().unwrap();
                            let at = random.below(shared.len().max(1) as u64) as usize;
                            (at < shared.len()).then(|| shared.swap_remove(at))
                        };
                        if let Some((object, _)) = taken {
                            assert!(store.release(object));
                            assert!(!store.release(object));
                        }
                    }
                    _ => {
                        if random.below(20) == 0 {
                            store.trim();
                        }
                        for (pin, seed) in held.drain(..) {
                            check(&pin, seed, len_of(seed));
                        }
                    }
                }
            }
        });
        for (object, seed) in shared.into_inner().unwrap() {
            check(&store.pin(object).unwrap(), seed, len_of(seed));
            assert!(store.release(object));
        }
        let stats = store.stats();
        assert_eq!((stats.objects, stats.bytes, stats.pins), (0, 0, 0));
        assert_eq!(
            (stats.spilled, stats.spilled_objects, stats.disk),
            (0, 0, 0)
        );
    }
}

#[test]
fn threads_that_each_hold_half_of_the_store_all_get_on() {
    let scratch = Scratch::new("halves");
    let store = scratch.store(8 * MIB);
    // Twice: with objects that are in memory at first, and with spilled ones.
    let common: Vec<Object> = (0..16).map(|seed| put(&store, seed, MIB)).collect();
    on_threads(|number, mut random| {
        for round in 0..5 {
            let made: Vec<(Object, Pin, u64)> = (0..4)
                .map(|at| {
                    let seed = number << 24 | round << 8 | at;
                    let object = put(&store, seed, MIB);
                    (object, store.pin(object).unwrap(), seed)
                })
                .collect();
            let read: Vec<(Pin, u64)> = (0..4)
                .map(|_| {
                    let seed = random.below(16);
                    (store.pin(common[seed as usize]).unwrap(), seed)
                })
                .collect();
            for (pin, seed) in &read {
                check(pin, *seed, MIB);
            }
            for (object, pin, seed) in made {
                check(&pin, seed, MIB);
                assert!(store.release(object));
            }
        }
    });
    for (object, seed) in common.into_iter().zip(0..) {
        check(&store.pin(object).unwrap(), seed, MIB);
        assert!(store.release(object));
    }
    let stats = store.stats();
    assert_eq!(
        (stats.objects, stats.bytes, stats.disk, stats.spilled),
        (0, 0, 0, 0)
    );
}

#[test]
fn all_who_want_the_same_spilled_object_get_it_from_one_restore() {
    let scratch = Scratch::new("same");
    let store = scratch.store(4 * MIB);
    for round in 0..20 {
        let object = put(&store, round, MIB);
        drop(store.create(4 * MIB).unwrap());
        let before = store.stats();
        assert_eq!(before.spilled_objects, 1);
        let pins: Mutex<Vec<Pin>> = Mutex::default();
        on_threads(|_, _| {
            let pin = store.pin(object).unwrap();
            check(&pin, round, MIB);
            pins.lock().unwrap().push(pin);
        });
        let pins = pins.into_inner().unwrap();
        assert!(
            pins.iter()
                .all(|pin| pin.bytes().as_ptr() == pins[0].bytes().as_ptr())
        );
        assert_eq!(store.stats().restored_objects, before.restored_objects + 1);
        assert!(store.release(object));
    }
}
