//! Every interleaving of registering, resolving, failing and ending waits: a waiter fires exactly once, and when it does
//! it sees what was written for it. Drives the `Table` that ships.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-sched --release --test loom_table`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;
use mobula_sched::{Key, Phase, Table};
use mobula_sync::atomic::{AtomicU32, Ordering};

/// A table and the memory that its objects stand for. Loom fails the test if what fires does not see what was written.
struct Fixture {
    table: Table,
    values: [UnsafeCell<u32>; 2],
    objects: Vec<Key>,
    fired: AtomicU32,
}

// SAFETY: not relied upon: loom checks every access.
unsafe impl Sync for Fixture {}
// SAFETY: as above.
unsafe impl Send for Fixture {}

impl Fixture {
    /// Objects, and slots for waiters, all reserved: the chunks of the table are made before the threads.
    fn new(objects: usize) -> Arc<Self> {
        let table = Table::new();
        let objects: Vec<Key> = (0..objects).map(|_| table.reserve()).collect();
        let warm = table.reserve();
        table.wait_for(warm, &objects[..1], 1);
        assert!(table.end_wait(warm));
        table.free_many(&[warm]);
        let values = [UnsafeCell::new(0), UnsafeCell::new(0)];
        Arc::new(Self {
            table,
            values,
            objects,
            fired: AtomicU32::new(0),
        })
    }

    fn write(&self, k: usize) {
        // SAFETY: not relied upon.
        self.values[k].with_mut(|value| unsafe { *value = 7 });
    }

    fn read(&self, k: usize) -> u32 {
        // SAFETY: not relied upon.
        self.values[k].with(|value| unsafe { *value })
    }

    fn resolve(&self, k: usize) -> Vec<Key> {
        self.write(k);
        let mut ready = Vec::new();
        assert!(self.table.resolve(self.objects[k], Phase::Done, &mut ready));
        ready
    }

    /// One more waiter fired, which waited for these.
    fn fire(&self, on: &[usize]) {
        for k in on {
            assert_eq!(self.read(*k), 7, "it fired before its value was there");
        }
        self.fired.fetch_add(1, Ordering::Relaxed);
    }

    /// Each of so many waiters fired once, and nothing is left.
    fn ends_with(&self, fired: u32) {
        assert_eq!(
            self.fired.load(Ordering::Relaxed),
            fired,
            "waiters that fired"
        );
        assert_eq!(self.table.sizes().1, 0, "edges left");
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

#[test]
fn a_waiter_on_two_objects_fires_once_and_sees_both() {
    check(|| {
        let fixture = Fixture::new(2);
        let waiter = fixture.table.reserve();
        let threads = [0, 1].map(|k| {
            let fixture = fixture.clone();
            thread::spawn(move || {
                for ready in fixture.resolve(k) {
                    assert_eq!(ready, waiter);
                    fixture.fire(&[0, 1]);
                }
            })
        });
        if fixture.table.wait_for(waiter, &fixture.objects, 2) {
            fixture.fire(&[0, 1]);
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        fixture.ends_with(1);
    });
}

#[test]
fn two_waiters_on_one_object_each_fire_once() {
    check(|| {
        let fixture = Fixture::new(1);
        let waiters = [fixture.table.reserve(), fixture.table.reserve()];
        let registrar = thread::spawn({
            let fixture = fixture.clone();
            move || {
                if fixture.table.wait_for(waiters[1], &fixture.objects, 1) {
                    fixture.fire(&[0]);
                }
            }
        });
        let resolver = thread::spawn({
            let fixture = fixture.clone();
            move || {
                let ready = fixture.resolve(0);
                assert!(ready.len() < 2 || ready[0] != ready[1]);
                ready.iter().for_each(|_| fixture.fire(&[0]));
            }
        });
        if fixture.table.wait_for(waiters[0], &fixture.objects, 1) {
            fixture.fire(&[0]);
        }
        registrar.join().unwrap();
        resolver.join().unwrap();
        fixture.ends_with(2);
    });
}

#[test]
fn a_place_taken_over_from_an_ended_wait_is_visited() {
    check(|| {
        let fixture = Fixture::new(1);
        let (ended, waiter) = (fixture.table.reserve(), fixture.table.reserve());
        fixture.table.wait_for(ended, &fixture.objects, 1);
        let ender = thread::spawn({
            let fixture = fixture.clone();
            move || fixture.table.end_wait(ended)
        });
        let resolver = thread::spawn({
            let fixture = fixture.clone();
            move || {
                let ready = fixture.resolve(0);
                ready
                    .iter()
                    .filter(|key| **key == waiter)
                    .for_each(|_| fixture.fire(&[0]));
                ready.contains(&ended)
            }
        });
        if fixture.table.wait_for(waiter, &fixture.objects, 1) {
            fixture.fire(&[0]);
        }
        assert!(
            ender.join().unwrap() != resolver.join().unwrap(),
            "one of them ends it"
        );
        fixture.ends_with(1);
    });
}

#[test]
fn a_registration_and_a_failure_do_not_miss_each_other() {
    check(|| {
        let fixture = Fixture::new(1);
        let waiter = fixture.table.reserve();
        let failing = thread::spawn({
            let fixture = fixture.clone();
            move || {
                let mut dependents = Vec::new();
                assert!(
                    fixture
                        .table
                        .resolve_failed(fixture.objects[0], &mut dependents)
                        .is_some()
                );
                dependents.contains(&waiter)
            }
        });
        let arrived = fixture.table.wait_for(waiter, &fixture.objects, 1);
        let sees_failure = fixture.table.phase(fixture.objects[0]) == Some(Phase::Failed);
        let was_told = failing.join().unwrap();
        assert!(was_told || sees_failure, "the failure reached nobody");
        assert!(!arrived || sees_failure, "it arrived without being settled");
        assert!(arrived != was_told, "an edge is visited, or refused");
    });
}

#[test]
fn a_late_result_and_a_death_settle_a_task_once() {
    check(|| {
        let fixture = Fixture::new(1);
        let waiter = fixture.table.reserve();
        assert!(!fixture.table.wait_for(waiter, &fixture.objects, 1));
        let death = thread::spawn({
            let fixture = fixture.clone();
            move || {
                let mut dependents = Vec::new();
                fixture
                    .table
                    .resolve_failed(fixture.objects[0], &mut dependents)
                    .map(|_| dependents)
            }
        });
        let mut ready = Vec::new();
        let done = fixture
            .table
            .resolve(fixture.objects[0], Phase::Done, &mut ready);
        let failed = death.join().unwrap();
        assert!(done != failed.is_some(), "both settled it, or nobody");
        let told = ready.len() + failed.as_ref().map_or(0, Vec::len);
        assert_eq!(told, 1, "its waiter is told once");
        let phase = fixture.table.phase(fixture.objects[0]);
        assert_eq!(phase, Some(if done { Phase::Done } else { Phase::Failed }));
    });
}

#[test]
fn a_timeout_and_the_last_arrival_end_a_wait_once() {
    check(|| {
        let fixture = Fixture::new(1);
        let waiter = fixture.table.reserve();
        assert!(!fixture.table.wait_for(waiter, &fixture.objects, 1));
        let resolver = thread::spawn({
            let fixture = fixture.clone();
            move || fixture.resolve(0).len()
        });
        let ended = fixture.table.end_wait(waiter);
        assert_eq!(usize::from(ended) + resolver.join().unwrap(), 1);
        // The slot's next life does not hear of it.
        fixture.table.free_many(&[waiter]);
        assert!(!fixture.table.arrive(waiter));
    });
}

#[test]
fn a_late_arrival_does_not_end_the_wait_of_the_slots_next_life() {
    check(|| {
        let fixture = Fixture::new(2);
        let table = &fixture.table;
        let waiter = table.reserve();
        assert!(!table.wait_for(waiter, &fixture.objects[..1], 1));
        let resolver = thread::spawn({
            let fixture = fixture.clone();
            move || fixture.resolve(0)
        });
        let next = table.end_wait(waiter).then(|| {
            table.free_many(&[waiter]);
            let next = table.reserve();
            assert_eq!(next.index, waiter.index);
            assert!(!table.wait_for(next, &fixture.objects[1..], 1));
            next
        });
        let ready = resolver.join().unwrap();
        match next {
            Some(_) => assert!(ready.is_empty(), "what it waits for is not there"),
            None => assert_eq!(ready, [waiter]),
        }
        assert_eq!(fixture.resolve(1), Vec::from_iter(next));
    });
}

/// What the mutants leave out: the parts of a registration and a resolution, as few as show the fault.
struct Parts {
    countdown: AtomicU32,
    head: AtomicU32,
    phase: AtomicU32,
}

const EMPTY: u32 = 0;
const EDGE: u32 = 1;
const CLOSED: u32 = 2;

impl Parts {
    fn new(countdown: u32) -> Arc<Self> {
        let [head, phase] = [EMPTY, 0].map(AtomicU32::new);
        Arc::new(Self {
            countdown: AtomicU32::new(countdown),
            head,
            phase,
        })
    }

    fn arrive(&self) -> bool {
        self.countdown.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// The list is emptied instead of closed: who comes between finds an open list that nobody visits any more.
#[test]
#[should_panic(expected = "it fired")]
fn without_closed_a_waiter_is_lost() {
    check(|| {
        let parts = Parts::new(1);
        let resolver = thread::spawn({
            let parts = parts.clone();
            move || parts.head.swap(EMPTY, Ordering::AcqRel) == EDGE && parts.arrive()
        });
        let pushed = parts
            .head
            .compare_exchange(EMPTY, EDGE, Ordering::AcqRel, Ordering::Acquire);
        let fired = pushed.is_err() && parts.arrive();
        assert!(resolver.join().unwrap() || fired, "it fired");
    });
}

/// Without the registrar's own count the first of two arrivals, while the second edge is missing, fires the waiter.
#[test]
#[should_panic(expected = "fires once")]
fn without_the_registrars_count_a_waiter_fires_early() {
    check(|| {
        // Counts up to the edges drawn so far, as a registrar without a count of its own would.
        let parts = Parts::new(0);
        let fired = Arc::new(AtomicU32::new(0));
        let draw = |parts: &Parts| {
            parts.countdown.fetch_add(1, Ordering::AcqRel);
        };
        draw(&parts);
        let resolver = thread::spawn({
            let (parts, fired) = (parts.clone(), fired.clone());
            move || fired.fetch_add(u32::from(parts.arrive()), Ordering::AcqRel)
        });
        draw(&parts);
        fired.fetch_add(u32::from(parts.arrive()), Ordering::AcqRel);
        resolver.join().unwrap();
        assert!(fired.load(Ordering::Acquire) == 1, "fires once");
    });
}

/// Settling by a look and a write: a late result and a death both win.
#[test]
#[should_panic(expected = "one settles")]
fn without_the_exchange_a_task_is_settled_twice() {
    check(|| {
        let parts = Parts::new(0);
        let settle = |parts: &Parts, to| {
            let is_mine = parts.phase.load(Ordering::Acquire) == 0;
            if is_mine {
                parts.phase.store(to, Ordering::Release);
            }
            is_mine
        };
        let death = thread::spawn({
            let parts = parts.clone();
            move || settle(&parts, 2)
        });
        let late = settle(&parts, 1);
        assert!(late != death.join().unwrap(), "one settles");
    });
}

/// A wait is ended by a look and a write: a timeout and the last arrival both end it, and its slot is freed twice.
#[test]
#[should_panic(expected = "one ends it")]
fn without_the_exchange_a_wait_ends_twice() {
    check(|| {
        let parts = Parts::new(1);
        let end = |parts: &Parts| {
            let is_mine = parts.countdown.load(Ordering::Acquire) != 0;
            if is_mine {
                parts.countdown.store(0, Ordering::Release);
            }
            is_mine
        };
        let arrival = thread::spawn({
            let parts = parts.clone();
            move || end(&parts)
        });
        let timeout = end(&parts);
        assert!(timeout != arrival.join().unwrap(), "one ends it");
    });
}

/// A countdown without a generation: an arrival for a wait that ended counts for the next in its slot.
#[test]
#[should_panic(expected = "the next life heard of it")]
fn without_the_generation_a_late_arrival_ends_another_wait() {
    check(|| {
        let parts = Parts::new(1);
        let visitor = thread::spawn({
            let parts = parts.clone();
            move || parts.arrive()
        });
        if parts.countdown.swap(0, Ordering::AcqRel) == 1 {
            // The slot's next wait, for something that does not come.
            parts.countdown.store(1, Ordering::Release);
            assert!(!visitor.join().unwrap(), "the next life heard of it");
        }
    });
}

/// The visitor reads an edge instead of swapping it, so that a place can be handed over behind its back.
#[test]
#[should_panic(expected = "the newcomer fired")]
fn without_the_swap_a_place_is_taken_over_too_late() {
    const OLD: u32 = 5;
    const NEW: u32 = 6;
    check(|| {
        let edge = Arc::new(AtomicU32::new(OLD));
        let list = Parts::new(1);
        let visitor = thread::spawn({
            let (edge, list) = (edge.clone(), list.clone());
            move || {
                list.head.swap(CLOSED, Ordering::AcqRel);
                edge.load(Ordering::Acquire) == NEW && list.arrive()
            }
        });
        let taken = edge
            .compare_exchange(OLD, NEW, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        let refused = !taken && list.head.load(Ordering::Acquire) == CLOSED;
        let fired = refused && list.arrive();
        assert!(visitor.join().unwrap() || fired, "the newcomer fired");
    });
}
