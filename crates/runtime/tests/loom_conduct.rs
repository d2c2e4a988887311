//! Every interleaving of giving a thread up and its coming back: one that has been back in its loop is not terminated under the
//! tasks that it takes then, and one that has not is, once. Drives the `Conduct` that ships.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-runtime --release --test loom_conduct`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the runtime uses the rest")]
#[path = "../src/conduct.rs"]
mod conduct;

use std::sync::Arc;

use conduct::Conduct;
use loom::thread;
use mobula_sync::atomic::{AtomicU32, AtomicU64, Ordering};

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

/// The clock condemns it, if it has not been back, and the driver acts on that. True if its thread is terminated.
fn give_up(conduct: &Arc<Conduct>, turns: u32) -> thread::JoinHandle<bool> {
    let conduct = conduct.clone();
    thread::spawn(move || conduct.condemn(0, turns) && conduct.execute(0))
}

#[test]
fn a_thread_that_came_back_is_not_terminated_under_what_it_takes_then() {
    check(|| {
        let conduct = Arc::new(Conduct::new(1));
        let other = give_up(&conduct, conduct.turns(0));
        conduct.turn(0);
        let takes = !conduct.is_dying(0);
        let is_terminated = other.join().unwrap();
        assert!(takes != is_terminated, "a task dies that had just begun");
        // It stays so, or the other way round.
        conduct.turn(0);
        assert!(takes != conduct.is_dying(0));
        assert!(!conduct.execute(0));
    });
}

#[test]
fn a_thread_that_does_not_come_back_is_terminated_once() {
    check(|| {
        let conduct = Arc::new(Conduct::new(1));
        let turns = conduct.turns(0);
        // Two of its tasks are unwanted, and whoever hears of it acts.
        let others = [give_up(&conduct, turns), give_up(&conduct, turns)];
        let heard = conduct.execute(0);
        let ends = others.map(|thread| thread.join().unwrap());
        let count = usize::from(heard) + ends.iter().filter(|is_last| **is_last).count();
        assert_eq!(count, 1, "it is terminated once");
        assert!(conduct.is_dying(0));
    });
}

#[test]
fn a_thread_that_has_the_place_of_another_is_not_terminated_in_its_stead() {
    check(|| {
        let conduct = Arc::new(Conduct::new(1));
        conduct.turn(0);
        let turns = conduct.turns(0);
        let clock = thread::spawn({
            let conduct = conduct.clone();
            move || conduct.condemn(0, turns)
        });
        conduct.reset(0);
        // The first of a new thread, which is in its loop for the second time when it has done something.
        conduct.turn(0);
        clock.join().unwrap();
        assert!(!conduct.execute(0), "another was meant");
    });
}

/// Turns and state of a place as two words, as few steps as show the fault.
struct Parts {
    turns: AtomicU32,
    state: AtomicU32,
}

const FINE: u32 = 0;
const CONDEMNED: u32 = 1;
const DYING: u32 = 2;

/// The turns are looked at before it is condemned: it may come back in between, and go on.
#[test]
#[should_panic(expected = "a task dies that had just begun")]
fn with_turns_in_a_word_of_their_own_it_is_condemned_after_it_came_back() {
    check(|| {
        let parts = Arc::new(Parts {
            turns: AtomicU32::new(0),
            state: AtomicU32::new(FINE),
        });
        let other = thread::spawn({
            let parts = parts.clone();
            move || {
                let change = |from, to| {
                    let (yes, no) = (Ordering::AcqRel, Ordering::Relaxed);
                    parts.state.compare_exchange(from, to, yes, no).is_ok()
                };
                parts.turns.load(Ordering::Acquire) == 0
                    && change(FINE, CONDEMNED)
                    && change(CONDEMNED, DYING)
            }
        });
        parts.turns.store(1, Ordering::Release);
        let (yes, no) = (Ordering::AcqRel, Ordering::Acquire);
        let pardon = parts.state.compare_exchange(CONDEMNED, FINE, yes, no);
        let takes = pardon != Err(DYING);
        assert!(
            !(other.join().unwrap() && takes),
            "a task dies that had just begun"
        );
    });
}

/// It comes back by a look and a write, and so takes back what the driver has begun.
#[test]
#[should_panic(expected = "a task dies that had just begun")]
fn without_the_exchange_a_dying_thread_takes_more() {
    check(|| {
        let word = Arc::new(AtomicU64::new(u64::from(CONDEMNED)));
        let driver = thread::spawn({
            let word = word.clone();
            move || {
                let (from, to) = (u64::from(CONDEMNED), u64::from(DYING));
                word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            }
        });
        let takes = word.load(Ordering::Acquire) as u32 != DYING;
        if takes {
            word.store(1 << 32 | u64::from(FINE), Ordering::Release);
        }
        assert!(
            !(driver.join().unwrap() && takes),
            "a task dies that had just begun"
        );
    });
}
