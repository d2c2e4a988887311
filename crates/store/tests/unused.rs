//! Memory that nobody has used for a while goes back to the system, by a clock that the test moves.
//! One test, since other tests' memory would count, too.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod support;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    time::{Duration, Instant},
};

use mobula_store::{Store, StoreConfig};
use support::{MIB, check, put};

/// What the system has given for the segments of all stores: a file's blocks are its memory.
fn held() -> u64 {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let paths = open.map(|entry| entry.unwrap().path());
    let segments = paths.filter(|path| {
        fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("/memfd:mobula"))
    });
    segments
        .map(|path| fs::metadata(path).unwrap().blocks() * 512)
        .sum()
}

#[test]
fn runs_go_back_when_they_were_idle_from_one_look_to_the_next() {
    for huge_pages in [true, false] {
        let store = Store::new(StoreConfig {
            huge_pages,
            segment_bytes: 64 * MIB,
            ..StoreConfig::new(1024 * MIB)
        })
        .unwrap();
        let start = Instant::now();
        let tend = |seconds: f64| store.tend(start + Duration::from_secs_f64(seconds));
        tend(0.0);
        let kept = put(&store, 1, 3 * MIB);
        let large = put(&store, 2, 40 * MIB);
        // Of another segment.
        let other = put(&store, 3, 50 * MIB);
        assert_eq!(store.stats().committed, 94 * MIB);
        assert_eq!(held(), 94 * MIB);
        assert!(store.release(large));
        for seconds in [1.0, 9.9, 10.0, 19.9] {
            tend(seconds);
            assert_eq!(store.stats().committed, 94 * MIB, "{seconds} s");
        }
        tend(20.0);
        // The last run of what is kept is shared with what was released.
        assert_eq!(store.stats().committed, 54 * MIB);
        assert_eq!(held(), 54 * MIB);

        // What is used every nine seconds stays, whoever uses it.
        assert!(store.release(other));
        for turn in 0..5 {
            assert!(store.release(put(&store, turn, 9 * MIB)));
            tend(29.0 + f64::from(turn as u32) * 9.0);
        }
        assert!(store.stats().committed >= 9 * MIB);
        tend(90.0);
        tend(100.0);
        assert_eq!(store.stats().committed, 4 * MIB);
        assert_eq!(held(), 4 * MIB);

        // It is there again when it is wanted.
        let again = put(&store, 4, 40 * MIB);
        check(&store.pin(again).unwrap(), 4, 40 * MIB);
        check(&store.pin(kept).unwrap(), 1, 3 * MIB);
        assert!(store.release(again) && store.release(kept));

        // Much goes back by parts, each of them at a call of its own.
        let much = store.create(700 * MIB).unwrap();
        drop(much);
        tend(200.0);
        let committed = [210.0, 210.1, 210.2, 210.3].map(|seconds| {
            tend(seconds);
            store.stats().committed / MIB
        });
        assert!(
            committed.is_sorted_by(|a, b| a > b || *b == 0),
            "{committed:?}"
        );
        assert_eq!(committed[3], 0);
        drop(store);
        assert_eq!(held(), 0);
    }
}
