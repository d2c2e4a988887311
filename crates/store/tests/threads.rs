//! Many threads at once: objects are freed once, bytes are never mixed up, all memory comes back.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use mobula_store::{Object, Pin, Reader, Scan, Store, StoreConfig};
use support::threads::on_threads;

const MIB: u64 = 1 << 20;
/// Every eight bytes say which object they belong to.
fn put(store: &Arc<Store>, len: u64, name: u64) -> Option<Object> {
    let mut draft = store.create(len).ok()?;
    let words = len as usize / 8;
    draft
        .write(0, name.to_le_bytes().repeat(words).as_slice())
        .unwrap();
    Some(draft.seal())
}

/// The name all bytes agree on.
fn name(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    let name = u64::from_le_bytes(words[0]);
    assert!(
        words.iter().all(|word| u64::from_le_bytes(*word) == name),
        "objects are mixed up"
    );
    name
}

#[test]
fn threads_that_make_pin_read_and_release_each_others_objects() {
    let config = StoreConfig {
        segment_bytes: 8 * MIB,
        ..StoreConfig::new(16 * MIB)
    };
    let store = Store::new(config).unwrap();
    let shared: Mutex<Vec<(Object, u64)>> = Mutex::default();
    on_threads(|number, mut random| {
        let reader = Reader::new(&store);
        let mut held: Vec<(Pin, u64)> = Vec::new();
        for round in 0..1500 {
            let mine = number << 32 | round;
            match random.below(10) {
                0..=3 => {
                    let most = [200, 5000, 40_000, 600_000][random.below(4) as usize];
                    let len = 8 + random.below(most) / 8 * 8;
                    if let Some(object) = put(&store, len, mine) {
                        shared.lock().unwrap().push((object, mine));
                    } else {
                        held.clear();
                    }
                }
                4..=6 => {
                    let found = {
                        let shared = shared.lock().unwrap();
                        shared
                            .get(random.below(shared.len().max(1) as u64) as usize)
                            .copied()
                    };
                    // Another thread may release it right now.
                    if let Some((object, expected)) = found
                        && let Ok(pin) = store.pin(object)
                    {
                        assert_eq!(name(pin.bytes()), expected);
                        let view = reader.open(pin.clone()).unwrap();
                        // SAFETY: the view is open and nobody else uses its address.
                        let bytes =
                            unsafe { std::slice::from_raw_parts_mut(view.as_ptr(), view.len()) };
                        assert_eq!(name(bytes), expected);
                        if random.below(2) == 0 {
                            bytes.fill(0xff);
                        }
                        assert_eq!(name(pin.bytes()), expected, "a write got out of its view");
                        held.push((pin, expected));
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
                    for (pin, expected) in held.drain(..) {
                        assert_eq!(name(pin.bytes()), expected);
                    }
                }
            }
        }
    });
    for (object, expected) in shared.into_inner().unwrap() {
        assert_eq!(name(store.pin(object).unwrap().bytes()), expected);
        assert!(store.release(object));
    }
    let stats = store.stats();
    assert_eq!((stats.bytes, stats.objects, stats.pins), (0, 0, 0));
}

#[test]
fn of_many_releases_at_once_one_counts() {
    let store = Store::new(StoreConfig::new(16 * MIB)).unwrap();
    let objects: Vec<Object> = (0..2000).map(|at| put(&store, 64, at).unwrap()).collect();
    let counted = Mutex::new(0);
    on_threads(|_, _| {
        let mine = objects
            .iter()
            .filter(|object| store.release(**object))
            .count();
        *counted.lock().unwrap() += mine;
    });
    assert_eq!(*counted.lock().unwrap(), objects.len());
    assert_eq!(store.stats().bytes, 0);
}

#[test]
fn one_readers_views_opened_written_and_dropped_by_many_threads() {
    for scan in [Scan::Best, Scan::PageMap, Scan::Never] {
        let config = StoreConfig {
            scan,
            segment_bytes: 8 * MIB,
            ..StoreConfig::new(8 * MIB)
        };
        let store = Store::new(config).unwrap();
        let reader = Reader::new(&store);
        on_threads(|number, mut random| {
            for round in 0..300 {
                let expected = number << 32 | round;
                let object = put(&store, 32_768 + random.below(8) * 4096, expected).unwrap();
                let pin = store.pin(object).unwrap();
                assert!(store.release(object));
                let first = reader.open(pin.clone()).unwrap();
                let second = reader.open(pin).unwrap();
                let views = if random.below(2) == 0 {
                    [first, second]
                } else {
                    [second, first]
                };
                for view in views {
                    // SAFETY: the view is open, and only this thread uses this object.
                    let bytes =
                        unsafe { std::slice::from_raw_parts_mut(view.as_ptr(), view.len()) };
                    if random.below(2) == 0 {
                        bytes[random.below(32_768) as usize] = 0xff;
                    } else if !view.is_copy() && bytes.iter().all(|&byte| byte != 0xff) {
                        assert_eq!(name(bytes), expected, "{scan:?}");
                    }
                }
            }
        });
        let stats = store.stats();
        assert_eq!(
            (stats.bytes, stats.objects, stats.pins),
            (0, 0, 0),
            "{scan:?}"
        );
        let object = put(&store, 8 * MIB, 1).unwrap();
        let view = reader.open(store.pin(object).unwrap()).unwrap();
        // SAFETY: the view is open and nobody writes.
        let bytes = unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) };
        assert_eq!(name(bytes), 1, "{scan:?}: stale pages");
    }
}

#[test]
fn threads_that_grow_the_store_together_never_pass_its_capacity() {
    for _ in 0..20 {
        let config = StoreConfig {
            segment_bytes: 4 * MIB,
            ..StoreConfig::new(16 * MIB)
        };
        let store = Store::new(config).unwrap();
        let made: Mutex<Vec<(Object, u64)>> = Mutex::default();
        on_threads(|number, mut random| {
            for round in 0.. {
                let len = 8 + random.below(700_000) / 8 * 8;
                let name = number << 32 | round;
                let Some(object) = put(&store, len, name) else {
                    break;
                };
                made.lock().unwrap().push((object, name));
                assert!(store.stats().committed <= 16 * MIB);
            }
        });
        let stats = store.stats();
        assert!(
            stats.bytes <= stats.committed && stats.committed <= 16 * MIB,
            "{stats:?}"
        );
        assert!(stats.bytes > 14 * MIB, "full only when it is: {stats:?}");
        for (object, expected) in made.into_inner().unwrap() {
            assert_eq!(name(store.pin(object).unwrap().bytes()), expected);
        }
    }
}
