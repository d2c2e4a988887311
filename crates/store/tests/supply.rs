//! A machine that has less memory than the store's capacity: what does not fit is spilled, or lies
//! in files, or is refused, and no more is committed than there is.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{sync::Arc, thread};

use mobula_store::{Object, Store, StoreConfig, Supply};
use support::{MIB, Scratch, check, pattern, put};

const SUPPLY: u64 = 16 * MIB;

fn config(scratch: &Scratch) -> StoreConfig {
    StoreConfig {
        supply: Supply::Bytes(SUPPLY),
        ..scratch.config(1 << 40)
    }
}

fn assert_within(store: &Store) {
    let stats = store.stats();
    assert!(stats.committed <= SUPPLY, "{stats:?}");
}

#[test]
fn four_times_the_memory_is_spilled_and_read_back() {
    let scratch = Scratch::new("supply");
    for len in [700, 40_000, 300_000, MIB, 3 * MIB + 5, 15 * MIB] {
        let store = Store::new(config(&scratch)).unwrap();
        let count = 4 * SUPPLY / len;
        let objects: Vec<Object> = (0..count)
            .map(|seed| {
                let object = put(&store, seed, len);
                // Of many, at some: statistics walk the table.
                if seed.is_multiple_of(count / 64 + 1) {
                    assert_within(&store);
                }
                object
            })
            .collect();
        let stats = store.stats();
        assert!(stats.spilled >= 2 * SUPPLY, "{stats:?}");
        assert_eq!(stats.disk, 0, "spilling made room: {stats:?}");
        for (object, seed) in objects.iter().zip(0..) {
            check(&store.pin(*object).unwrap(), seed, len);
        }
        assert_within(&store);
        for object in objects {
            assert!(store.release(object));
        }
        assert_eq!((store.stats().bytes, store.stats().spilled), (0, 0));
    }
}

#[test]
fn threads_stay_within_it_together() {
    let scratch = Scratch::new("supply-threads");
    let store = Store::new(config(&scratch)).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let len_of = |seed| [900, 50_000, 700_000][seed as usize % 3];
                let seeds = (0..120).map(|at| thread << 16 | at);
                let objects: Vec<(Object, u64)> = seeds
                    .map(|seed| (put(store, seed, len_of(seed)), seed))
                    .collect();
                for (object, seed) in objects {
                    check(&store.pin(object).unwrap(), seed, len_of(seed));
                    assert_within(store);
                    assert!(store.release(object));
                }
            });
        }
    });
    assert_eq!((store.stats().bytes, store.stats().spilled), (0, 0));
}

#[test]
fn what_cannot_be_spilled_lies_in_files() {
    let scratch = Scratch::new("supply-pinned");
    let store = Store::new(config(&scratch)).unwrap();
    let small = put(&store, 1, MIB);
    let larger = put(&store, 2, SUPPLY + MIB);
    let stats = store.stats();
    assert_eq!(stats.spilled_objects, 0, "it would have been of no use");
    assert!(stats.disk > SUPPLY && stats.committed < SUPPLY, "{stats:?}");
    let held: Vec<_> = (3..43)
        .map(|seed| store.pin(put(&store, seed, MIB)).unwrap())
        .collect();
    assert_within(&store);
    for (pin, seed) in held.iter().zip(3..) {
        check(pin, seed, MIB);
    }
    check(&store.pin(larger).unwrap(), 2, SUPPLY + MIB);
    check(&store.pin(small).unwrap(), 1, MIB);
}

#[test]
fn without_a_directory_it_is_an_error_until_something_is_let_go() {
    let store = Store::new(StoreConfig {
        supply: Supply::Bytes(SUPPLY),
        ..StoreConfig::new(1 << 40)
    })
    .unwrap();
    let mut objects: Vec<Object> = (0..16).map(|seed| put(&store, seed, MIB)).collect();
    for len in [100, MIB, 30 * MIB] {
        let error = store.create(len).unwrap_err();
        assert!(error.is_full() && error.is_out_of_memory(), "{error}");
        assert!(error.to_string().contains("16777216"), "{error}");
    }
    assert_eq!(store.stats().bytes, SUPPLY);
    // Idle memory is where the next one does not fit, and goes where it does.
    for even in (0..16).step_by(2).rev() {
        assert!(store.release(objects.remove(even)));
    }
    objects.push(put(&store, 20, 5 * MIB));
    assert_within(&store);
    check(&store.pin(objects[8]).unwrap(), 20, 5 * MIB);
    for (object, seed) in objects[..8].iter().zip((1..16).step_by(2)) {
        check(&store.pin(*object).unwrap(), seed, MIB);
    }
}

#[test]
fn the_capacity_counts_where_it_is_less() {
    let store = Store::new(StoreConfig {
        supply: Supply::Bytes(SUPPLY),
        ..StoreConfig::new(4 * MIB)
    })
    .unwrap();
    let draft = store.create(4 * MIB).unwrap();
    let error = store.create(1).unwrap_err();
    assert!(error.is_full() && !error.is_out_of_memory(), "{error}");
    drop(draft);
}

/// A real limit, of a cgroup made for this, which root alone can make. The test starts itself once
/// more in it.
#[test]
#[cfg(target_os = "linux")]
fn a_process_in_a_small_cgroup_puts_more_than_its_memory_and_lives() {
    const LIMIT: u64 = 200 * MIB;
    const FOLDER: &str = "MOBULA_TEST_CGROUP";

    if let Some(folder) = std::env::var_os(FOLDER) {
        let store = cgroup::join_and_put(folder.as_ref(), LIMIT);
        return println!("lived on: {:?}", store.stats());
    }
    let group = match cgroup::Group::new(LIMIT) {
        Ok(group) => group,
        Err(reason) => return println!("skipped: no cgroup can be limited here: {reason}"),
    };
    let name = "a_process_in_a_small_cgroup_puts_more_than_its_memory_and_lives";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, &group.0)
        // What is freed stays taken for long under AddressSanitizer: up to 256 MiB, without this.
        .env("ASAN_OPTIONS", "quarantine_size_mb=8")
        .output()
        .unwrap();
    // A signal is what is feared here, and shows in the status.
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    print!("{said}");
    assert!(said.contains("lived on"), "{said}");
}

#[cfg(target_os = "linux")]
mod cgroup {
    use std::{
        fs, io,
        path::{Path, PathBuf},
    };

    use super::*;

    /// A cgroup that is gone at the end.
    pub(super) struct Group(pub(super) PathBuf);

    impl Group {
        pub(super) fn new(limit: u64) -> io::Result<Self> {
            let groups = fs::read_to_string("/proc/self/cgroup")?;
            let v1 = groups.lines().find_map(|line| line.split_once(":memory:"));
            let v2 = groups.lines().find_map(|line| line.split_once("0::"));
            let (root, path, file) = match (v1, v2) {
                (Some((_, path)), _) => ("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"),
                (None, Some((_, path))) => ("/sys/fs/cgroup", path, "memory.max"),
                (None, None) => return Err(io::ErrorKind::NotFound.into()),
            };
            let name = format!("mobula-test-{}", std::process::id());
            let folder = Path::new(root)
                .join(path.trim_start_matches('/'))
                .join(name);
            fs::create_dir(&folder)?;
            let group = Self(folder);
            // Without the controller the file does not exist, and cannot be made.
            fs::write(group.0.join(file), limit.to_string())?;
            // Swap would hide what is to be seen. There is no such file where there is none.
            let _ = fs::write(group.0.join("memory.swap.max"), "0");
            let _ = fs::write(group.0.join("memory.swappiness"), "0");
            Ok(group)
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            let removed = fs::remove_dir(&self.0);
            if !thread::panicking() {
                removed.unwrap();
            }
        }
    }

    pub(super) fn join_and_put(folder: &Path, limit: u64) -> Arc<Store> {
        fs::write(folder.join("cgroup.procs"), std::process::id().to_string()).unwrap();
        let directory = mobula_store::spill_directory(None).unwrap();
        let spills = directory.is_some();
        let store = Store::new(StoreConfig {
            spill: directory,
            ..StoreConfig::new(1 << 30)
        })
        .unwrap();
        match spills {
            true => spill(&store, limit),
            false => refuse_in_time(&store, limit),
        }
        store
    }

    fn spill(store: &Arc<Store>, limit: u64) {
        let len = 3 * MIB;
        let objects: Vec<Object> = (0..200).map(|seed| put(store, seed, len)).collect();
        let stats = store.stats();
        assert!(
            stats.committed < limit && stats.spilled > 2 * limit,
            "{stats:?}"
        );
        for (object, seed) in objects.iter().zip(0..) {
            check(&store.pin(*object).unwrap(), seed, len);
        }
    }

    /// Where all folders lie in memory, nothing can be spilled.
    fn refuse_in_time(store: &Arc<Store>, limit: u64) {
        let len = 3 * MIB;
        let mut drafts = Vec::new();
        let error = loop {
            match store.create(len) {
                Ok(mut draft) => {
                    draft.write(0, &pattern(1, len)).unwrap();
                    drafts.push(draft);
                }
                Err(error) => break error,
            }
        };
        assert!(error.is_out_of_memory(), "{error}");
        assert!((drafts.len() as u64 * len) < limit);
    }
}
