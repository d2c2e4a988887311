//! What does not fit goes to disk and comes back as it was, or is said to be lost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use mobula_store::{Object, Reader, Store, StoreConfig, ViewMode};
use support::{MIB, Scratch, check, pattern, put};

#[test]
fn what_does_not_fit_goes_to_disk_and_comes_back() {
    let scratch = Scratch::new("round-trip");
    for len in [100, 5000, 16 << 10, 100_000, MIB + 7, 3 * MIB] {
        let store = scratch.store(4 * MIB);
        let count = 12 * MIB / len.max(1024);
        let objects: Vec<Object> = (0..count).map(|seed| put(&store, seed, len)).collect();
        let stats = store.stats();
        assert!(
            stats.bytes <= stats.capacity && stats.committed <= stats.capacity,
            "{stats:?}"
        );
        if len * count > stats.capacity {
            assert!(stats.spilled_objects > 0, "{stats:?}");
            let units = len.next_multiple_of(512);
            assert_eq!(stats.spilled, stats.spilled_objects * units, "{stats:?}");
        }
        for (object, seed) in objects.iter().rev().zip((0..count).rev()) {
            check(&store.pin(*object).unwrap(), seed, len);
        }
        let stats = store.stats();
        assert!(
            stats.restored_objects >= stats.spilled_objects.min(1),
            "{stats:?}"
        );
        for object in &objects {
            assert!(store.release(*object));
            assert!(!store.release(*object));
            assert!(store.pin(*object).unwrap_err().is_gone());
        }
        let stats = store.stats();
        assert_eq!((stats.objects, stats.bytes, stats.pins), (0, 0, 0));
        assert_eq!((stats.spilled_objects, stats.spilled), (0, 0));
        // It is all there again.
        drop(store.create(4 * MIB).unwrap());
    }
}

#[test]
fn the_one_not_wanted_for_longest_goes_first() {
    let scratch = Scratch::new("recency");
    let store = scratch.store(16 * MIB);
    let objects: Vec<Object> = (0..16).map(|seed| put(&store, seed, MIB)).collect();
    for wanted in [0, 3] {
        check(&store.pin(objects[wanted]).unwrap(), wanted as u64, MIB);
    }
    // A round makes room for a sixteenth: for one.
    let newcomers = [100, 101, 102].map(|seed| put(&store, seed, MIB));
    assert_eq!(store.stats().spilled_objects, 3);
    for stayed in [0, 3].into_iter().chain(5..16) {
        drop(store.pin(objects[stayed]).unwrap());
    }
    for newcomer in newcomers {
        drop(store.pin(newcomer).unwrap());
    }
    assert_eq!(store.stats().restored_objects, 0);
    for gone in [1, 2, 4] {
        check(&store.pin(objects[gone]).unwrap(), gone as u64, MIB);
    }
    assert_eq!(store.stats().restored_objects, 3);
}

#[test]
fn a_round_makes_room_for_more_than_one() {
    let scratch = Scratch::new("rounds");
    let store = scratch.store(16 * MIB);
    for seed in 0..2048 {
        put(&store, seed, 20_000);
    }
    let before = store.stats().spilled_objects;
    let mut rounds = 0;
    let mut spilled = before;
    for seed in 0..500 {
        put(&store, seed, 20_000);
        let now = store.stats().spilled_objects;
        rounds += u32::from(now != spilled);
        spilled = now;
    }
    assert!(
        rounds > 0 && rounds <= 12,
        "{rounds} rounds for 500 objects"
    );
}

#[test]
fn a_pinned_object_stays_where_and_what_it_is() {
    let scratch = Scratch::new("pinned");
    let store = scratch.store(8 * MIB);
    let reader = Reader::new(&store);
    let held: Vec<_> = [100, 5000, 100_000, 2 * MIB]
        .into_iter()
        .zip(0..)
        .map(|(len, seed)| {
            let pin = store.pin(put(&store, seed, len)).unwrap();
            let start = pin.bytes().as_ptr();
            (reader.open(pin.clone()).unwrap(), pin, start, seed, len)
        })
        .collect();
    for seed in 0..100 {
        put(&store, seed, 300_000);
        put(&store, seed, 900);
    }
    for (view, pin, start, seed, len) in held {
        assert_eq!(pin.bytes().as_ptr(), start);
        check(&pin, seed, len);
        // SAFETY: the view is open, and nobody writes.
        let seen = unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) };
        assert!(seen == pin.bytes());
    }
}

#[test]
fn small_objects_go_by_whole_slabs() {
    let scratch = Scratch::new("slabs");
    let store = scratch.store(MIB);
    // 64 to a slab, 16 slabs.
    let objects: Vec<Object> = (0..1024).map(|seed| put(&store, seed, 1000)).collect();
    let held: Vec<_> = (0..8)
        .map(|slab| store.pin(objects[slab * 64 + slab]).unwrap())
        .collect();
    put(&store, 5000, MIB / 2);
    let stats = store.stats();
    assert_eq!((stats.spilled_objects, stats.disk), (512, 0));
    for (object, seed) in objects[..512].iter().zip(0..) {
        check(&store.pin(*object).unwrap(), seed, 1000);
    }
    assert_eq!(
        store.stats().restored_objects,
        0,
        "half a slab would have made no room"
    );
    drop(held);
    for (object, seed) in objects.iter().zip(0..) {
        check(&store.pin(*object).unwrap(), seed, 1000);
    }
}

#[test]
fn what_a_reader_wrote_is_not_what_is_spilled() {
    let scratch = Scratch::new("views");
    for views in [ViewMode::Private, ViewMode::Copy] {
        let config = StoreConfig {
            views,
            ..scratch.config(4 * MIB)
        };
        let store = Store::new(config).unwrap();
        let reader = Reader::new(&store);
        let objects: Vec<Object> = (0..20).map(|seed| put(&store, seed, MIB)).collect();
        for round in 0..3 {
            for (object, seed) in objects.iter().zip(0..) {
                let pin = store.pin(*object).unwrap();
                let view = reader.open(pin.clone()).unwrap();
                // SAFETY: the view is open, and this thread alone uses it.
                let seen = unsafe { std::slice::from_raw_parts_mut(view.as_ptr(), view.len()) };
                assert!(seen == pattern(seed, MIB), "object {seed} in round {round}");
                seen.fill(0xee);
                check(&pin, seed, MIB);
            }
        }
    }
}

#[test]
fn a_write_to_a_shared_view_is_spilled_and_restored() {
    let scratch = Scratch::new("shared");
    let config = StoreConfig {
        views: ViewMode::Shared,
        ..scratch.config(4 * MIB)
    };
    let store = Store::new(config).unwrap();
    let reader = Reader::new(&store);
    let object = put(&store, 1, MIB);
    let view = reader.open(store.pin(object).unwrap()).unwrap();
    // SAFETY: the view is open, and this thread alone uses it.
    unsafe { view.as_ptr().write(0xee) };
    drop(view);
    for seed in 0..8 {
        put(&store, seed, MIB);
    }
    let pin = store.pin(object).unwrap();
    assert_eq!(store.stats().restored_objects, 1);
    assert_eq!(pin.bytes()[0], 0xee);
    assert!(pin.bytes()[1..] == pattern(1, MIB)[1..]);
}

/// Where the file holds these bytes.
#[cfg(target_os = "linux")]
fn find(file: &fs::File, bytes: &[u8]) -> Option<u64> {
    use std::io::Read;

    let mut content = Vec::new();
    let mut file = file;
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_end(&mut content).unwrap();
    let mut units = (0..content.len()).step_by(512);
    units
        .find(|&at| content[at..].starts_with(bytes))
        .map(|at| at as u64)
}

#[test]
#[cfg(target_os = "linux")]
fn a_damaged_record_is_lost_and_its_neighbours_are_not() {
    use std::os::unix::fs::FileExt;

    let scratch = Scratch::new("damage");
    for len in [700, 16 << 10, 300_000, 2 * MIB + 1] {
        for at in [0, len / 2, len - 1] {
            let store = scratch.store(4 * MIB);
            let count = 10 * MIB / len.next_multiple_of(1024);
            let objects: Vec<Object> = (0..count).map(|seed| put(&store, seed, len)).collect();
            let file = scratch.spill_file();
            let victim =
                (1..count).find_map(|seed| Some((seed, find(&file, &pattern(seed, len))?)));
            let (victim, offset) = victim.unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset + at).unwrap();
            file.write_all_at(&[byte[0] ^ 0x10], offset + at).unwrap();
            let object = objects[victim as usize];
            for _ in 0..3 {
                let error = store.pin(object).unwrap_err();
                assert!(
                    error.is_lost() && !error.is_gone() && !error.is_full(),
                    "{error}"
                );
            }
            for (object, seed) in objects.iter().zip(0..) {
                if seed != victim {
                    check(&store.pin(*object).unwrap(), seed, len);
                }
            }
            assert!(store.release(object), "what is lost can be released");
            assert!(!store.release(object));
            assert!(store.pin(object).unwrap_err().is_gone());
            for object in objects {
                store.release(object);
            }
            let stats = store.stats();
            assert_eq!((stats.objects, stats.bytes, stats.spilled), (0, 0, 0));
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_truncated_file_loses_what_was_cut_off_and_nothing_else() {
    let scratch = Scratch::new("truncated");
    let len = 2 * MIB;
    for kept in [0, 1, len / 2, len - 1] {
        let store = scratch.store(4 * MIB);
        let objects: Vec<Object> = (0..6).map(|seed| put(&store, seed, len)).collect();
        let file = scratch.spill_file();
        let offsets: Vec<_> = (0..6)
            .map(|seed| find(&file, &pattern(seed, len)))
            .collect();
        file.set_len(len + kept).unwrap();
        let mut lost = 0;
        for ((object, offset), seed) in objects.iter().zip(&offsets).zip(0..) {
            let was_cut = offset.is_some_and(|offset| offset + len > len + kept);
            lost += u32::from(was_cut);
            match store.pin(*object) {
                Ok(pin) => {
                    assert!(!was_cut);
                    check(&pin, seed, len);
                }
                Err(error) => assert!(error.is_lost() && was_cut, "{error}"),
            }
            // So that nothing more is spilled, which would write the cut part anew.
            store.release(*object);
        }
        assert_eq!(lost, 3);
        assert_eq!(store.stats().spilled, 0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_can_be_seen_or_inherited() {
    use std::os::unix::fs::MetadataExt;

    let scratch = Scratch::new("nameless");
    let store = scratch.store(4 * MIB);
    let objects: Vec<Object> = (0..20).map(|seed| put(&store, seed, MIB)).collect();
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    for path in scratch.nameless() {
        let number = path.file_name().unwrap().to_str().unwrap();
        let info = fs::read_to_string(Path::new("/proc/self/fdinfo").join(number)).unwrap();
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert_eq!(flags & 0o2_000_000, 0o2_000_000, "not close-on-exec");
        let metadata = fs::metadata(path).unwrap();
        assert_eq!((metadata.nlink(), metadata.mode() & 0o777), (0, 0o600));
    }
    for object in objects {
        store.release(object);
    }
    assert_eq!(
        scratch.spill_file().metadata().unwrap().blocks(),
        0,
        "the disk has it all back"
    );
    drop(store);
    assert_eq!(scratch.nameless(), Vec::<PathBuf>::new());
}

#[test]
#[cfg(target_os = "linux")]
fn the_file_does_not_grow_while_as_much_is_freed() {
    let scratch = Scratch::new("reuse");
    let store = scratch.store(4 * MIB);
    let mut objects: Vec<(Object, u64)> = Vec::new();
    let mut longest = 0;
    for seed in 0..400 {
        let len = [900, 60_000, 400_000][seed as usize % 3];
        objects.push((put(&store, seed, len), seed));
        if objects.len() > 100 {
            let (object, seed) = objects.swap_remove(seed as usize * 7 % 100);
            let len = [900, 60_000, 400_000][seed as usize % 3];
            check(&store.pin(object).unwrap(), seed, len);
            assert!(store.release(object));
        }
        if seed == 200 {
            longest = scratch.spill_file().metadata().unwrap().len();
        }
    }
    let now = scratch.spill_file().metadata().unwrap().len();
    assert!(now <= longest * 3 / 2, "from {longest} to {now} bytes");
}

#[test]
fn a_directory_that_is_no_good_is_refused_at_once() {
    let scratch = Scratch::new("bad");
    let file = scratch.0.join("file");
    fs::write(&file, "").unwrap();
    for path in [
        scratch.0.join("missing"),
        file.clone(),
        PathBuf::from("/proc"),
    ] {
        let config = StoreConfig {
            spill: Some(path.clone()),
            ..StoreConfig::new(MIB)
        };
        let error = Store::new(config).unwrap_err();
        assert!(error.is_bad_directory() && !error.is_full(), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    fs::remove_file(file).unwrap();
}

#[test]
fn a_lower_capacity_is_reached_by_spilling() {
    let scratch = Scratch::new("lower");
    let store = scratch.store(16 * MIB);
    let objects: Vec<Object> = (0..16).map(|seed| put(&store, seed, MIB)).collect();
    store.set_capacity(2 * MIB);
    put(&store, 16, MIB);
    assert!(store.stats().bytes <= 2 * MIB);
    for (object, seed) in objects.iter().zip(0..) {
        check(&store.pin(*object).unwrap(), seed, MIB);
    }
}
