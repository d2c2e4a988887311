//! What a thread of JavaScript does at its port, in Rust: writes records into an area, reads the answers.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part")]

pub(crate) mod bell;
pub(crate) mod crew;
pub(crate) mod hand;
pub(crate) mod isolate;
pub(crate) mod record;
pub(crate) mod rng;
pub(crate) mod stage;

use std::sync::Arc;
use std::time::Duration;

use mobula_runtime::{Config, Runtime, Totals, WHOLE};
use mobula_store::{Backing, Store, StoreConfig};

/// A runtime over a small store on the heap.
pub(crate) fn runtime(slots: u32, workers_max: u32) -> Arc<Runtime> {
    runtime_with(|config| {
        (config.totals.cpu, config.workers_max) = (u64::from(slots) * WHOLE, workers_max)
    })
}

/// The same with one slot and one worker, unless `change` says otherwise.
pub(crate) fn runtime_with(change: impl FnOnce(&mut Config)) -> Arc<Runtime> {
    let store = Store::new(StoreConfig {
        segment_bytes: 2 << 20,
        backing: Backing::Heap {
            bytes_max: u64::MAX,
        },
        ..StoreConfig::new(64 << 20)
    });
    let mut config = Config {
        id: 1,
        totals: Totals {
            cpu: WHOLE,
            ..Totals::default()
        },
        workers_max: 1,
        hosts_max: 16,
        cores: 4,
        copy_threads: 4,
        async_max: 1000,
        pending_max: None,
        faults: Arc::default(),
        crossing: Duration::from_micros(50),
        start_patience: Duration::from_secs(30),
    };
    change(&mut config);
    Runtime::new(config, store.unwrap())
}

/// Nothing is left: no slot, no edge, no stored byte.
pub(crate) fn assert_empty(runtime: &Runtime) {
    let (stats, store) = (runtime.stats(), runtime.store().stats());
    assert_eq!(
        (stats.slots, stats.edges, stats.actors),
        (0, 0, 0),
        "slots and edges in use, and living actors, at the end"
    );
    assert_eq!(
        (store.objects, store.bytes),
        (0, 0),
        "objects and bytes in the store at the end"
    );
}
