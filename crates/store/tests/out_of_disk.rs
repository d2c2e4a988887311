//! When the disk is full too, that is said, and what is in memory stays. One test, since the limit
//! that stands for a full disk is one of the process.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod support;

use mobula_store::Object;
use support::{MIB, Scratch, check, put};

/// No file may be longer from now on; nothing: as long as it likes.
fn limit_files(bytes: Option<u64>) {
    // SAFETY: plain calls; nothing in this process waits for the signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let limit = libc::rlimit {
        rlim_cur: bytes.unwrap_or(libc::RLIM_INFINITY),
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the limit is a good one and lives as long as the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    assert_eq!(set, 0);
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let scratch = Scratch::new("out-of-disk");
    let store = scratch.store(8 * MIB);
    let mut objects: Vec<(Object, u64, u64)> = Vec::new();
    let mut seed = 0;
    let mut fill = |objects: &mut Vec<(Object, u64, u64)>, len, bytes| {
        for _ in 0..bytes / len {
            seed += 1;
            objects.push((put(&store, seed, len), seed, len));
        }
    };
    fill(&mut objects, MIB, 4 * MIB);
    fill(&mut objects, 900, 4 * MIB);
    let stats = store.stats();
    assert!(
        stats.bytes >= 7 * MIB,
        "memory is taken before the limit: {stats:?}"
    );
    let spilled = stats.spilled_objects;

    limit_files(Some(0));
    let mut drafts = Vec::new();
    for len in [900, 100_000, MIB, 20 * MIB] {
        // The first ones may still find free slots.
        let error = loop {
            match store.create(len) {
                Ok(draft) => drafts.push(draft),
                Err(error) => break error,
            }
        };
        assert!(
            error.is_out_of_disk() && error.is_full() && !error.is_lost(),
            "{error}"
        );
        assert!(std::error::Error::source(&error).is_some());
    }
    let held: Vec<_> = objects
        .iter()
        .filter_map(|(object, seed, len)| match store.pin(*object) {
            Ok(pin) => {
                check(&pin, *seed, *len);
                Some(pin)
            }
            Err(error) => {
                assert!(error.is_out_of_disk(), "{error}");
                None
            }
        })
        .collect();
    let there = objects.len() - held.len();
    assert_eq!(store.stats().spilled_objects, there as u64);
    drop((held, drafts));

    limit_files(None);
    fill(&mut objects, 400_000, 4 * MIB);
    assert!(
        store.stats().spilled_objects > spilled,
        "the disk has room again"
    );
    for (object, seed, len) in objects {
        check(&store.pin(object).unwrap(), seed, len);
        assert!(store.release(object));
    }
    assert_eq!(store.stats().spilled, 0);
}
