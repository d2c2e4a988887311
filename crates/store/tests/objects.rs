//! What drafts, pins and releases promise, and what happens at the limits.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use mobula_store::{Backing, Error, Object, Reader, Store, StoreConfig};

const MIB: u64 = 1 << 20;

fn store(capacity: u64) -> Arc<Store> {
    Store::new(StoreConfig::new(capacity)).unwrap()
}

/// A sealed object of `len` bytes, all of them `byte`.
fn put(store: &Arc<Store>, len: u64, byte: u8) -> Result<Object, Error> {
    let mut draft = store.create(len)?;
    draft.as_mut_slice().fill(byte);
    Ok(draft.seal())
}

#[test]
fn an_object_of_any_size_reads_as_written_and_is_aligned() {
    let store = store(64 * MIB);
    for len in [
        0,
        1,
        63,
        64,
        65,
        511,
        513,
        4096,
        16_384,
        16_385,
        65_536,
        300_001,
        5 * MIB + 7,
    ] {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let mut draft = store.create(len).unwrap();
        assert_eq!(draft.len(), len);
        // In two parts, one of them large enough to be written through the file.
        let cut = bytes.len() / 5;
        draft.write(cut as u64, &bytes[cut..]).unwrap();
        draft.write(0, &bytes[..cut]).unwrap();
        assert_eq!(draft.as_mut_slice(), bytes);
        let pin = store.pin(draft.seal()).unwrap();
        assert_eq!(pin.bytes(), bytes);
        let align = if len <= 16_384 { 64 } else { 4096 };
        assert!(pin.bytes().as_ptr().addr().is_multiple_of(align), "{len}");
    }
}

#[test]
fn an_empty_object_takes_no_memory() {
    let store = store(0);
    let object = store.create(0).unwrap().seal();
    let pin = store.pin(object).unwrap();
    assert!(pin.is_empty() && pin.bytes().is_empty());
    assert_eq!(store.stats().bytes, 0);
    assert!(store.release(object));
    drop(pin);
    assert_eq!(store.stats().objects, 0);
}

#[test]
fn a_write_outside_of_the_draft_changes_nothing() {
    let store = store(MIB);
    let mut draft = store.create(100).unwrap();
    draft.as_mut_slice().fill(7);
    for (offset, len) in [(0, 101), (100, 1), (99, 2), (u64::MAX, 1), (u64::MAX, 100)] {
        let error = draft.write(offset, &vec![1; len]).unwrap_err();
        assert!(error.is_out_of_bounds() && !error.is_full());
        assert!(
            error
                .to_string()
                .contains(&format!("{len} bytes at offset {offset}")),
            "{error}"
        );
    }
    draft.write(100, &[]).unwrap();
    assert_eq!(draft.as_mut_slice(), [7; 100]);
}

#[test]
fn a_dropped_draft_gives_its_memory_back() {
    let store = store(MIB);
    for len in [0, 100, MIB] {
        let draft = store.create(len).unwrap();
        assert_eq!(store.stats().objects, 1);
        drop(draft);
        let stats = store.stats();
        assert_eq!((stats.objects, stats.bytes), (0, 0), "{len}");
    }
}

#[test]
fn more_than_the_capacity_is_refused_with_numbers() {
    let store = store(MIB);
    let kept = put(&store, 512 << 10, 1).unwrap();
    for len in [
        (512 << 10) + 1,
        MIB + 1,
        u64::MAX / 2,
        u64::MAX - 1,
        u64::MAX,
    ] {
        let error = store.create(len).unwrap_err();
        assert!(
            error.is_full() && !error.is_out_of_memory() && !error.is_gone(),
            "{error}"
        );
        assert!(
            error.to_string().contains("524288 of 1048576 bytes used"),
            "{error}"
        );
    }
    let rest = store.create(512 << 10).unwrap();
    assert!(store.create(1).unwrap_err().is_full());
    drop(rest);
    assert_eq!(
        store.pin(kept).unwrap().bytes()[0],
        1,
        "a refusal costs nothing that was there"
    );
}

#[test]
fn a_second_release_and_a_stale_handle_are_harmless() {
    let store = store(MIB);
    let first = put(&store, 100, 1).unwrap();
    assert!(store.release(first));
    assert!(!store.release(first));
    let second = put(&store, 100, 2).unwrap();
    assert_eq!(second.index, first.index, "the entry is used again");
    assert!(!store.release(first), "the new tenant is not the one meant");
    assert!(store.pin(first).unwrap_err().is_gone());
    assert_eq!(store.pin(second).unwrap().bytes(), [2; 100]);
}

#[test]
fn made_up_handles_are_refused() {
    let store = store(MIB);
    let object = put(&store, 100, 1).unwrap();
    for made_up in [
        Object {
            generation: 0,
            ..object
        },
        Object {
            generation: object.generation + 1,
            ..object
        },
        Object {
            generation: u32::MAX,
            ..object
        },
        Object {
            index: 1,
            generation: 1,
        },
        Object {
            index: u32::MAX,
            generation: 1,
        },
    ] {
        assert!(store.pin(made_up).unwrap_err().is_gone(), "{made_up:?}");
        assert!(!store.release(made_up), "{made_up:?}");
    }
    assert!(store.pin(object).is_ok());
}

#[test]
fn a_pin_outlives_the_release_and_its_clones_outlive_it() {
    let store = store(MIB);
    let object = put(&store, MIB, 5).unwrap();
    let pin = store.pin(object).unwrap();
    assert!(store.release(object));
    assert!(store.pin(object).unwrap_err().is_gone());
    let clone = pin.clone();
    assert_eq!(store.stats().pins, 2);
    drop(pin);
    assert!(
        store.create(1).unwrap_err().is_full(),
        "the memory is still held"
    );
    assert!(clone.bytes().iter().all(|&byte| byte == 5));
    drop(clone);
    assert_eq!((store.stats().bytes, store.stats().pins), (0, 0));
    assert!(store.create(MIB).is_ok());
}

#[test]
fn pins_drafts_and_views_keep_the_memory_of_a_dropped_store() {
    let store = store(8 * MIB);
    let pin = store.pin(put(&store, MIB, 3).unwrap()).unwrap();
    let view = Reader::new(&store).open(pin.clone()).unwrap();
    let mut draft = store.create(MIB).unwrap();
    drop(store);
    draft.as_mut_slice().fill(4);
    assert!(pin.bytes().iter().all(|&byte| byte == 3));
    drop((pin, draft));
    // SAFETY: the view is open and nobody writes.
    let bytes = unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) };
    assert!(bytes.iter().all(|&byte| byte == 3));
}

#[test]
fn freed_memory_is_used_again_first() {
    let store = store(64 * MIB);
    let (one, two) = (put(&store, MIB, 1).unwrap(), put(&store, MIB, 2).unwrap());
    let address = store.pin(one).unwrap().bytes().as_ptr();
    assert!(store.release(one));
    let three = put(&store, MIB, 3).unwrap();
    assert_eq!(store.pin(three).unwrap().bytes().as_ptr(), address);
    assert_eq!(store.pin(two).unwrap().bytes(), vec![2; MIB as usize]);
}

#[test]
fn a_new_capacity_counts_for_the_next_object() {
    let store = store(MIB);
    let object = put(&store, MIB, 1).unwrap();
    assert!(store.create(1).unwrap_err().is_full());
    store.set_capacity(2 * MIB);
    let second = put(&store, MIB, 2).unwrap();
    store.set_capacity(64 << 10);
    assert!(store.create(100).unwrap_err().is_full());
    assert_eq!(
        store.pin(second).unwrap().bytes()[0],
        2,
        "what is there stays"
    );
    assert!(store.release(object) && store.release(second));
    let small = put(&store, 64 << 10, 3).unwrap();
    assert!(store.create(1).unwrap_err().is_full());
    assert!(store.release(small));
}

#[test]
fn segments_are_added_as_needed_and_large_objects_get_their_own() {
    let config = StoreConfig {
        segment_bytes: 2 * MIB,
        ..StoreConfig::new(32 * MIB)
    };
    let store = Store::new(config).unwrap();
    let objects: Vec<Object> = (0..6).map(|byte| put(&store, MIB, byte).unwrap()).collect();
    assert_eq!(store.stats().reserved, 6 * MIB);
    let large = put(&store, 7 * MIB + 1, 9).unwrap();
    assert_eq!(store.stats().reserved, 14 * MIB);
    for (byte, object) in objects.iter().enumerate() {
        assert!(
            store
                .pin(*object)
                .unwrap()
                .bytes()
                .iter()
                .all(|&seen| seen == byte as u8)
        );
        assert!(store.release(*object));
    }
    assert!(
        store
            .pin(large)
            .unwrap()
            .bytes()
            .iter()
            .all(|&seen| seen == 9)
    );
    assert!(store.release(large));
    assert_eq!(store.stats().bytes, 0);
}

#[test]
fn the_memory_taken_never_passes_the_capacity() {
    let store = store(6 * MIB);
    // Holes of 16 KiB everywhere, so that nothing large fits between what is kept.
    let all: Vec<Object> = (0..192)
        .map(|at| put(&store, 32 << 10, at as u8).unwrap())
        .collect();
    assert_eq!(store.stats().committed, 6 * MIB);
    for object in all.iter().skip(1).step_by(2) {
        assert!(store.release(*object));
    }
    let large = put(&store, 3 * MIB, 255).unwrap();
    let stats = store.stats();
    assert_eq!(
        (stats.bytes, stats.committed),
        (6 * MIB, 6 * MIB),
        "holes were given back for it"
    );
    for (at, object) in all.iter().enumerate().step_by(2) {
        assert!(
            store
                .pin(*object)
                .unwrap()
                .bytes()
                .iter()
                .all(|&byte| byte == at as u8)
        );
        assert!(store.release(*object));
    }
    assert!(
        store
            .pin(large)
            .unwrap()
            .bytes()
            .iter()
            .all(|&byte| byte == 255)
    );
    assert!(store.release(large));
    // The holes are committed again when they are used.
    let again: Vec<Object> = (0..192)
        .map(|at| put(&store, 32 << 10, at as u8).unwrap())
        .collect();
    for (at, object) in again.iter().enumerate() {
        assert!(
            store
                .pin(*object)
                .unwrap()
                .bytes()
                .iter()
                .all(|&byte| byte == at as u8)
        );
    }
    assert!(store.stats().committed <= 6 * MIB);
}

#[test]
fn trimming_gives_idle_runs_back_and_leaves_objects_alone() {
    let store = store(32 * MIB);
    let all: Vec<Object> = (0..16)
        .map(|byte| put(&store, 2 * MIB, byte).unwrap())
        .collect();
    for object in &all[1..15] {
        assert!(store.release(*object));
    }
    assert_eq!(store.stats().committed, 32 * MIB);
    store.trim();
    assert_eq!(store.stats().committed, 4 * MIB);
    for (object, byte) in [(all[0], 0), (all[15], 15)] {
        assert!(
            store
                .pin(object)
                .unwrap()
                .bytes()
                .iter()
                .all(|&seen| seen == byte)
        );
    }
    let large = put(&store, 28 * MIB, 7).unwrap();
    assert!(
        store
            .pin(large)
            .unwrap()
            .bytes()
            .iter()
            .all(|&seen| seen == 7)
    );
    assert_eq!(store.stats().committed, 32 * MIB);
}

#[test]
fn memory_refused_by_the_system_is_an_error_and_costs_nothing() {
    let backing = Backing::Heap { bytes_max: 4 * MIB };
    let config = StoreConfig {
        backing,
        segment_bytes: 16 * MIB,
        ..StoreConfig::new(16 * MIB)
    };
    let store = Store::new(config).unwrap();
    let kept = put(&store, 3 * MIB, 1).unwrap();
    for len in [2 * MIB, 13 * MIB] {
        let error = store.create(len).unwrap_err();
        assert!(error.is_full() && error.is_out_of_memory(), "{error}");
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(store.stats().bytes, 3 * MIB);
    }
    let small = put(&store, MIB, 2).unwrap();
    assert!(
        store
            .pin(kept)
            .unwrap()
            .bytes()
            .iter()
            .all(|&byte| byte == 1)
    );
    assert!(
        store
            .pin(small)
            .unwrap()
            .bytes()
            .iter()
            .all(|&byte| byte == 2)
    );
}

#[test]
fn address_space_that_cannot_be_had_is_an_error() {
    let store = store(u64::MAX);
    let error = store.create(1 << 60).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(store.stats().bytes, 0);
    assert!(put(&store, MIB, 1).is_ok());
}
