//! Every interleaving of giving slots up and asking for them back: no slot lies idle while someone who looked after it was
//! given up wants one, and code that blocked goes on. Drives the `Pool` that ships.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-runtime --release --test loom_pool`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "the runtime uses the rest")]
#[path = "../src/pool.rs"]
mod pool;

use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use pool::Pool;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

/// Loom knows no time, so a wait that nobody ends is a deadlock.
const EVER: Duration = Duration::MAX;

#[test]
fn of_two_slots_given_up_one_goes_to_who_blocked_and_one_to_who_looks() {
    check(|| {
        let pool = Arc::new(Pool::new(2, 4));
        (0..3).for_each(|start| pool.joined(start));
        assert!(pool.try_acquire() && pool.try_acquire());
        pool.block(true);
        assert!(pool.try_acquire());
        // One waits for a slot; two give theirs up, and look for work after that.
        let sleepers = [(); 2].map(|()| {
            let pool = pool.clone();
            thread::spawn(move || {
                pool.release();
                let again = pool.free() > 0 && pool.try_acquire();
                if again {
                    // It runs what it saw, and gives the slot up for good.
                    pool.release();
                }
                again
            })
        });
        while !pool.resume(EVER) {}
        let again = sleepers.map(|thread| thread.join().unwrap());
        assert!(
            again.contains(&true),
            "a slot is free, work is queued, and all sleep"
        );
        assert!(
            pool.try_acquire() && !pool.try_acquire(),
            "one slot is left, of two"
        );
    });
}

#[test]
fn who_has_a_slot_hears_that_it_is_owed() {
    check(|| {
        let pool = Arc::new(Pool::new(1, 2));
        (0..2).for_each(|start| pool.joined(start));
        assert!(pool.try_acquire());
        pool.block(true);
        assert!(pool.try_acquire());
        let spare = thread::spawn({
            let pool = pool.clone();
            move || {
                // Between two rounds, and when it goes to sleep at the latest.
                let owed = pool.is_owed();
                pool.release();
                assert!(
                    !owed || !pool.try_acquire(),
                    "new tasks go after code that blocked"
                );
            }
        });
        while !pool.resume(EVER) {}
        spare.join().unwrap();
    });
}
