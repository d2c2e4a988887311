//! What finds no room in memory lies in memory that a file stands behind, and is used like any other.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use mobula_store::{Object, Pin, Reader, Store, View};
use support::{MIB, Scratch, check, pattern, put};

/// What a view shows. The caller sees to it that nobody writes.
fn seen(view: &View) -> &[u8] {
    // SAFETY: the view is open, and nobody writes.
    unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) }
}

/// How many mappings there are of files in the directory.
#[cfg(target_os = "linux")]
fn mappings(scratch: &Scratch) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let path = scratch.0.to_str().unwrap();
    maps.lines().filter(|line| line.contains(path)).count()
}

/// A store all of whose memory is pinned.
fn pinned(scratch: &Scratch, capacity: u64) -> (Arc<Store>, Vec<(Object, Pin)>) {
    let store = scratch.store(capacity);
    let held = (0..capacity / MIB).map(|seed| {
        let object = put(&store, seed, MIB);
        (object, store.pin(object).unwrap())
    });
    let held = held.collect();
    assert_eq!(store.stats().bytes, capacity);
    (store, held)
}

#[test]
fn an_object_larger_than_the_store_is_written_read_and_given_back() {
    let scratch = Scratch::new("larger");
    let store = scratch.store(MIB);
    let kept = put(&store, 1, 300_000);
    let reader = Reader::new(&store);
    for len in [MIB + 1, 5 * MIB, 70 * MIB] {
        let object = put(&store, len, len);
        let stats = store.stats();
        assert!(stats.disk >= len && stats.bytes < MIB, "{stats:?}");
        assert_eq!(stats.spilled_objects, 0, "nothing was in the way");
        let pin = store.pin(object).unwrap();
        check(&pin, len, len);
        let view = reader.open(pin.clone()).unwrap();
        assert!(seen(&view) == pattern(len, len));
        assert!(store.release(object));
        drop(pin);
        assert!(seen(&view) == pattern(len, len), "the view keeps it");
        drop(view);
        assert_eq!(store.stats().disk, 0);
        #[cfg(target_os = "linux")]
        assert_eq!((scratch.nameless().len(), mappings(&scratch)), (1, 0));
    }
    check(&store.pin(kept).unwrap(), 1, 300_000);
    for len in [u64::MAX, u64::MAX - 5000, 1 << 60] {
        assert!(store.create(len).unwrap_err().is_full());
    }
    drop(store.create(3 * MIB).unwrap());
    assert_eq!(store.stats().disk, 0, "an unsealed draft goes too");
}

#[test]
fn where_all_is_pinned_others_share_few_files() {
    let scratch = Scratch::new("all-pinned");
    let (store, held) = pinned(&scratch, 4 * MIB);
    let sizes = [500, 9000, 100_000, 400_000];
    let objects: Vec<(Object, u64, u64)> = (0..400)
        .map(|seed| {
            let len = sizes[seed as usize % 4];
            (put(&store, seed, len), seed, len)
        })
        .collect();
    let stats = store.stats();
    assert_eq!((stats.spilled_objects, stats.bytes), (0, 4 * MIB));
    #[cfg(target_os = "linux")]
    assert!(scratch.nameless().len() < 8);
    for (object, seed, len) in &objects {
        check(&store.pin(*object).unwrap(), *seed, *len);
    }
    for ((_, pin), seed) in held.iter().zip(0..) {
        check(pin, seed, MIB);
    }
    for (object, ..) in objects {
        assert!(store.release(object));
    }
    assert_eq!((store.stats().disk, store.stats().bytes), (0, 4 * MIB));
    #[cfg(target_os = "linux")]
    assert_eq!((scratch.nameless().len(), mappings(&scratch)), (1, 0));
}

#[test]
fn what_was_spilled_comes_back_though_all_is_pinned() {
    let scratch = Scratch::new("restored-there");
    let store = scratch.store(4 * MIB);
    let objects: Vec<Object> = (0..12).map(|seed| put(&store, seed, MIB)).collect();
    let pins: Vec<Pin> = objects
        .iter()
        .map(|object| store.pin(*object).unwrap())
        .collect();
    for (pin, seed) in pins.iter().zip(0..) {
        check(pin, seed, MIB);
    }
    let stats = store.stats();
    assert_eq!(
        (stats.bytes, stats.disk, stats.spilled),
        (4 * MIB, 8 * MIB, 0)
    );
    drop(pins);
    for object in objects {
        assert!(store.release(object));
    }
    let stats = store.stats();
    assert_eq!((stats.bytes, stats.disk, stats.objects), (0, 0, 0));
}

#[test]
fn a_write_is_seen_by_its_reader_alone_and_undone_at_the_end() {
    let scratch = Scratch::new("private");
    let (store, _held) = pinned(&scratch, 2 * MIB);
    let [mine, other] = [Reader::new(&store), Reader::new(&store)];
    for round in 0..3 {
        let len = 300_000 + round * MIB;
        let [object, neighbour] = [round * 2, round * 2 + 1].map(|seed| {
            let object = put(&store, seed, len);
            (store.pin(object).unwrap(), object)
        });
        assert!(store.stats().disk >= 2 * len);
        for _ in 0..2 {
            let view = mine.open(object.0.clone()).unwrap();
            assert_eq!(view.is_copy(), !cfg!(target_os = "linux"));
            let beside = mine.open(neighbour.0.clone()).unwrap();
            assert!(
                seen(&view) == pattern(round * 2, len),
                "as if nobody had written"
            );
            let again = mine.open(object.0.clone()).unwrap();
            assert_eq!(again.as_ptr(), view.as_ptr(), "clean pages are shared");
            // SAFETY: the view is open, and this thread alone uses it.
            unsafe { view.as_ptr().add(5000).write_bytes(0xee, 100_000) };
            let newcomer = mine.open(object.0.clone()).unwrap();
            assert!(newcomer.is_copy() && seen(&newcomer) == pattern(round * 2, len));
            let others = other.open(object.0.clone()).unwrap();
            assert!(seen(&others) == pattern(round * 2, len));
            check(&object.0, round * 2, len);
            drop((view, again));
            let fresh = mine.open(object.0.clone()).unwrap();
            assert!(seen(&fresh) == pattern(round * 2, len), "undone");
            assert!(seen(&beside) == pattern(round * 2 + 1, len));
        }
        assert!(store.release(object.1) && store.release(neighbour.1));
    }
    assert_eq!(store.stats().disk, 0);
    #[cfg(target_os = "linux")]
    assert_eq!(mappings(&scratch), 0);
}
