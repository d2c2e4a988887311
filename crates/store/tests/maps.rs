//! The process's mappings stay as they are however often readers come and go, and are given back
//! with the store. One test, since other tests' mappings would count too.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(target_os = "linux")]

use mobula_store::{Reader, Store, StoreConfig};

const MIB: u64 = 1 << 20;

/// How many mappings of a store's memory there are.
fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .filter(|line| line.contains("/memfd:mobula"))
        .count()
}

#[test]
fn readers_and_stores_that_come_and_go_leave_no_mapping_behind() {
    assert_eq!(mappings(), 0);
    for _ in 0..3 {
        let config = StoreConfig {
            segment_bytes: 4 * MIB,
            ..StoreConfig::new(8 * MIB)
        };
        let store = Store::new(config).unwrap();
        let objects: Vec<_> = (0..4)
            .map(|_| store.create(2 * MIB).unwrap().seal())
            .collect();
        assert_eq!(mappings(), 2, "one for each segment");
        for _ in 0..500 {
            let reader = Reader::new(&store);
            let views: Vec<_> = objects
                .iter()
                .map(|object| reader.open(store.pin(*object).unwrap()).unwrap())
                .collect();
            for view in &views {
                assert!(!view.is_copy());
                // SAFETY: the view is open and nobody else uses its address.
                unsafe { view.as_ptr().write(1) };
            }
            reader.retire();
            assert_eq!(mappings(), 4, "and one for each segment and living reader");
        }
        drop(store);
        assert_eq!(mappings(), 0);
    }
}
