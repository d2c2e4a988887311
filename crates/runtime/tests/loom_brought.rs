//! Every interleaving of calls that end on other threads with the one that took their holds together: what they bring along is there
//! for each of them, and goes once, with the last. Drives the `Brought` that ships, over a count that is let go of as the runtime does.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-runtime --release --test loom_brought`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/brought.rs"]
mod brought;

/// What `brought` sees of a runtime.
mod runtime {
    use mobula_sched::Key;
    use mobula_sync::atomic::{AtomicU32, Ordering};

    pub(crate) struct Cell {
        pub(crate) holders: AtomicU32,
        pub(crate) value: loom::cell::UnsafeCell<Option<u32>>,
    }

    pub(crate) struct Runtime {
        pub(crate) cells: [Cell; 2],
    }

    // SAFETY: `value` is read by holders, and emptied by the last; loom watches over that.
    unsafe impl Sync for Runtime {}

    impl Runtime {
        pub(crate) fn new() -> Self {
            let cell = |value| Cell {
                holders: AtomicU32::new(1),
                value: loom::cell::UnsafeCell::new(Some(value)),
            };
            Self {
                cells: [cell(0), cell(1)],
            }
        }

        pub(crate) fn cell(&self, key: Key) -> &Cell {
            &self.cells[key.index as usize]
        }

        pub(crate) fn read(&self, key: Key) {
            // SAFETY: the caller is a holder, and only who is the last one writes.
            let value = self.cell(key).value.with(|value| unsafe { *value });
            assert_eq!(value, Some(key.index), "it is there");
        }

        /// As `Runtime::release`.
        pub(crate) fn release(&self, key: Key) {
            if self.cell(key).holders.fetch_sub(1, Ordering::AcqRel) == 1 {
                // SAFETY: nobody else has a hold any more.
                let value = self
                    .cell(key)
                    .value
                    .with_mut(|value| unsafe { (*value).take() });
                assert_eq!(value, Some(key.index), "it goes once");
            }
        }

        pub(crate) fn is_gone(&self, key: Key) -> bool {
            self.cell(key).holders.load(Ordering::Acquire) == 0
        }
    }
}

mod value {
    use mobula_sched::Key;

    #[derive(Copy, Clone, Debug)]
    pub(crate) struct RefEntry {
        pub(crate) key: Key,
    }
}

use std::sync::Arc;

use brought::Brought;
use loom::thread;
use mobula_sched::Key;
use runtime::Runtime;
use value::RefEntry;

const FIRST: Key = Key {
    index: 0,
    generation: 1,
};
const SECOND: Key = Key {
    index: 1,
    generation: 1,
};

/// A call that ends on another thread.
fn call(runtime: &Arc<Runtime>, brought: &mut Brought) -> thread::JoinHandle<()> {
    let RefEntry { key } = brought.take(runtime).unwrap();
    let runtime = runtime.clone();
    thread::spawn(move || {
        runtime.read(key);
        runtime.release(key);
    })
}

/// The isolate's last handle goes.
fn forget(runtime: &Runtime, brought: &mut Brought, key: Key) {
    runtime.read(key);
    brought.forgets(runtime, key);
    runtime.release(key);
}

#[test]
fn it_goes_with_the_last_call_or_handle() {
    loom::model(|| {
        let runtime = Arc::new(Runtime::new());
        let mut brought = Brought::default();
        brought.name(&runtime, RefEntry { key: FIRST });
        let calls = [call(&runtime, &mut brought), call(&runtime, &mut brought)];
        forget(&runtime, &mut brought, FIRST);
        calls.into_iter().for_each(|call| call.join().unwrap());
        assert!(runtime.is_gone(FIRST));
    });
}

#[test]
fn naming_another_gives_back_what_is_in_stock_of_the_first() {
    loom::model(|| {
        let runtime = Arc::new(Runtime::new());
        let mut brought = Brought::default();
        brought.name(&runtime, RefEntry { key: FIRST });
        let first = call(&runtime, &mut brought);
        brought.name(&runtime, RefEntry { key: SECOND });
        let second = call(&runtime, &mut brought);
        forget(&runtime, &mut brought, FIRST);
        brought.give_back(&runtime);
        runtime.release(SECOND);
        first.join().unwrap();
        second.join().unwrap();
        assert!(runtime.is_gone(FIRST) && runtime.is_gone(SECOND));
    });
}
