//! Waits that can never end are found, by one of those on the cycle; all others are left alone.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use mobula_runtime::layout::{self, NO_TIMEOUT, header, status};
use mobula_runtime::{Reason, Runtime};
use mobula_sched::Key;
use support::isolate::Isolate;
use support::{assert_empty, record, runtime};

/// Looks until a wait ends or a cycle is found, for so many slices at most.
fn park(worker: &mut Isolate, slices: usize) -> u32 {
    (0..slices)
        .map(|_| worker.park(NO_TIMEOUT))
        .find(|reason| *reason != Reason::Slice as u32)
        .unwrap_or(Reason::Slice as u32)
}

/// Function and whether on a thread, of each step.
fn cycle(worker: &Isolate) -> Vec<(u32, bool)> {
    let step = |k| {
        let at = layout::FETCH_AT + k * layout::FETCH_BYTES;
        let word = |n: usize| record::word(&worker.area, at + 4 * n);
        (word(0), word(1) == 1)
    };
    (0..worker.header(header::FETCH_ANSWERED) as usize)
        .map(step)
        .collect()
}

/// Submits one task and begins it on this worker.
fn begin(driver: &mut Isolate, worker: &mut Isolate, function: u32, deps: &[Key]) -> Key {
    let key = driver.submit(function, b"", deps, &[]);
    driver.flush();
    let mut begun = worker.next();
    begun.retain(|record| worker.begin(record.k));
    assert_eq!(begun.iter().map(|task| task.key).collect::<Vec<_>>(), [key]);
    key
}

/// Two workers with a slot each, and a driver.
fn crew() -> (Arc<Runtime>, Isolate, Isolate, Isolate) {
    let runtime = runtime(2, 4);
    let driver = Isolate::driver(&runtime);
    let (one, two) = (Isolate::worker(&runtime), Isolate::worker(&runtime));
    (runtime, driver, one, two)
}

fn give_up(worker: &mut Isolate, token: u32) {
    worker.end_wait(token);
    assert_eq!(worker.drain(), [(token, status::ENDED)]);
    worker.forget(token);
    assert_eq!(worker.resume(), Reason::Resumed as u32);
}

#[test]
fn a_wait_for_what_only_its_own_thread_can_do_is_a_cycle_with_names() {
    let (runtime, mut driver, mut worker, idle) = crew();
    let unfinished = begin(&mut driver, &mut worker, 1, &[]);
    let after = driver.submit(2, b"", &[unfinished], &[]);
    let blocking = begin(&mut driver, &mut worker, 3, &[]);
    worker.retain(after);
    let token = worker.get(&[after]);
    assert_eq!(park(&mut worker, 100), Reason::Cycle as u32);
    assert_eq!(cycle(&worker), [(2, false), (1, true)]);
    give_up(&mut worker, token);
    worker.result(blocking, true, b"deadlock", &[]);
    worker.result(unfinished, false, b"x", &[]);
    worker.flush();
    assert_eq!(worker.next()[0].key, after);
    assert!(worker.begin(0));
    worker.result(after, false, b"x", &[]);
    [driver, worker, idle]
        .into_iter()
        .for_each(|isolate| isolate.close(None, ""));
    assert_empty(&runtime);
}

#[test]
fn of_two_threads_that_wait_for_each_other_one_gives_up_and_the_other_goes_on() {
    let (runtime, mut driver, mut one, mut two) = crew();
    let first = begin(&mut driver, &mut one, 1, &[]);
    let second = begin(&mut driver, &mut two, 2, &[]);
    let token = one.get(&[second]);
    assert_eq!(
        park(&mut one, 5),
        Reason::Slice as u32,
        "the other may still end"
    );
    let other = two.get(&[first]);
    assert_eq!(park(&mut two, 100), Reason::Cycle as u32);
    assert_eq!(cycle(&two), [(1, true), (2, true)]);
    assert_eq!(park(&mut one, 5), Reason::Slice as u32, "one is enough");
    give_up(&mut two, other);
    two.result(second, false, b"x", &[]);
    two.flush();
    assert_eq!(park(&mut one, 100), Reason::Mail as u32);
    assert_eq!(one.drain(), [(token, status::READY)]);
    assert_eq!(one.resume(), Reason::Resumed as u32);
    one.result(first, false, b"x", &[]);
    [driver, one, two]
        .into_iter()
        .for_each(|isolate| isolate.close(None, ""));
    assert_empty(&runtime);
}

#[test]
fn what_may_still_end_is_no_cycle() {
    let (runtime, mut driver, mut worker, mut other) = crew();
    let unfinished = begin(&mut driver, &mut worker, 1, &[]);
    let running = begin(&mut driver, &mut other, 2, &[]);
    let blocking = begin(&mut driver, &mut worker, 3, &[]);
    // It may fail, and end the whole wait.
    let both = worker.get(&[unfinished, running]);
    assert_eq!(park(&mut worker, 8), Reason::Slice as u32);
    give_up(&mut worker, both);
    // One of two is asked for.
    let one = worker.wait_for(&[unfinished, running], Some(1));
    assert_eq!(park(&mut worker, 8), Reason::Slice as u32);
    give_up(&mut worker, one);
    // It will give up by itself.
    let timed = worker.get(&[unfinished]);
    for _ in 0..8 {
        assert_eq!(worker.park(60_000), Reason::Slice as u32);
    }
    give_up(&mut worker, timed);
    // A dependant that one living task may fail.
    let mixed = driver.submit(4, b"", &[unfinished, running], &[]);
    driver.flush();
    worker.retain(mixed);
    let token = worker.get(&[mixed]);
    assert_eq!(park(&mut worker, 8), Reason::Slice as u32);
    other.result(running, false, b"x", &[]);
    other.flush();
    assert_eq!(
        park(&mut worker, 100),
        Reason::Cycle as u32,
        "now nothing else is left"
    );
    give_up(&mut worker, token);
    for key in [unfinished, blocking] {
        worker.result(key, false, b"x", &[]);
    }
    worker.flush();
    assert_eq!(worker.next()[0].key, mixed);
    assert!(worker.begin(0));
    worker.result(mixed, false, b"x", &[]);
    [driver, worker, other]
        .into_iter()
        .for_each(|isolate| isolate.close(None, ""));
    assert_empty(&runtime);
}

#[test]
fn a_record_claimed_and_given_back_is_no_longer_this_threads() {
    let (runtime, mut driver, mut worker, mut other) = crew();
    let loading = begin(&mut driver, &mut worker, 1, &[]);
    worker.hand_back(loading);
    let token = worker.get(&[loading]);
    assert_eq!(
        park(&mut worker, 3),
        Reason::Slice as u32,
        "it waits in a queue"
    );
    let records = other.next();
    assert_eq!(records[0].key, loading);
    assert!(other.begin(0));
    assert_eq!(
        park(&mut worker, 3),
        Reason::Slice as u32,
        "it runs elsewhere"
    );
    // The round that it was claimed in ends, here and by death: it is the other's all the same.
    give_up(&mut worker, token);
    assert!(worker.next().is_empty());
    worker.close(Some(1), "exit");
    other.result(loading, false, b"x", &[]);
    other.flush();
    assert_eq!(
        driver.fetch(&[loading]),
        [record::Outcome::Value {
            bytes: b"x".to_vec(),
            refs: Vec::new()
        }]
    );
    [driver, other]
        .into_iter()
        .for_each(|isolate| isolate.close(None, ""));
    assert_empty(&runtime);
}

#[test]
fn long_chains_are_searched_without_recursion_and_not_all_the_time() {
    let (runtime, mut driver, mut worker, idle) = crew();
    let unfinished = begin(&mut driver, &mut worker, 1, &[]);
    let blocking = begin(&mut driver, &mut worker, 3, &[]);
    let mut last = unfinished;
    for _ in 0..50_000 {
        last = driver.submit(2, b"", &[last], &[]);
    }
    driver.flush();
    worker.retain(last);
    let token = worker.get(&[last]);
    assert_eq!(park(&mut worker, 1000), Reason::Cycle as u32);
    assert_eq!(cycle(&worker).len(), layout::FETCH_MAX, "a long way is cut");
    give_up(&mut worker, token);
    worker.result(unfinished, true, b"x", &[]);
    worker.result(blocking, true, b"x", &[]);
    worker.flush();
    [driver, worker, idle]
        .into_iter()
        .for_each(|isolate| isolate.close(None, ""));
    assert_empty(&runtime);
}

#[test]
fn workers_that_all_wait_are_no_wedge_while_one_of_them_has_a_time_limit() {
    let runtime = runtime(2, 2);
    let mut driver = Isolate::driver(&runtime);
    let (mut one, mut two) = (Isolate::worker(&runtime), Isolate::worker(&runtime));
    let first = begin(&mut driver, &mut one, 1, &[]);
    let second = begin(&mut driver, &mut two, 2, &[]);
    let queued = [(); 2].map(|()| driver.submit(3, b"", &[], &[]));
    driver.flush();
    let (timed, token) = (one.get(&[queued[0]]), two.get(&[queued[1]]));
    for _ in 0..30 {
        assert_eq!(one.park(60_000), Reason::Slice as u32);
        assert_eq!(two.park(NO_TIMEOUT), Reason::Slice as u32);
    }
    give_up(&mut one, timed);
    // Now nobody has one.
    let timed = one.get(&[queued[0]]);
    let reasons: Vec<_> = (0..30)
        .flat_map(|_| [one.park(NO_TIMEOUT), two.park(NO_TIMEOUT)])
        .filter(|reason| *reason != Reason::Slice as u32)
        .collect();
    assert_eq!(reasons, [Reason::Deadlock as u32], "one, and once");
    give_up(&mut one, timed);
    give_up(&mut two, token);
    for (worker, key) in [(&mut one, first), (&mut two, second)] {
        worker.result(key, true, b"x", &[]);
        while !worker.next().is_empty() {
            for k in 0..worker.header(header::TASKS) as usize {
                if worker.begin(k) {
                    let at = layout::TASKS_AT + k * layout::TASK_BYTES;
                    let key = record::key_at(&worker.area, at);
                    worker.result(key, false, b"x", &[]);
                }
            }
        }
    }
    [driver, one, two]
        .into_iter()
        .for_each(|isolate| isolate.close(None, ""));
    assert_empty(&runtime);
}
