//! How work ends before its time: cancelled, out of time, lost with its worker, run again.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_runtime::layout::status;
use mobula_runtime::{Demand, Forage, Function, Role, Runtime, Terms, WHOLE};
use mobula_sched::Key;
use support::isolate::{Given, Isolate};
use support::record::Outcome;
use support::{assert_empty, runtime_with};

fn define(runtime: &Runtime, terms: Terms) -> u32 {
    let function = Function {
        name: format!("{terms:?}"),
        source: String::new(),
    };
    runtime.define_on(function, terms).id
}

fn common(runtime: &Runtime) -> u32 {
    define(runtime, Terms::default())
}

fn db() -> Terms {
    Terms {
        demand: Demand {
            named: vec![("db".to_owned(), WHOLE)],
            ..Demand::default()
        },
        ..Terms::default()
    }
}

fn retried(retries: u32) -> Terms {
    Terms {
        retries,
        ..Terms::default()
    }
}

fn limited(ms: u64) -> Terms {
    Terms {
        limit: Some(Duration::from_millis(ms)),
        ..Terms::default()
    }
}

/// Two CPUs and a piece of `db`.
fn start() -> (Arc<Runtime>, Isolate) {
    let runtime = runtime_with(|config| {
        config.workers_max = 4;
        config.totals.cpu = 2 * WHOLE;
        config.totals.named = vec![("db".to_owned(), WHOLE)];
    });
    let driver = Isolate::driver(&runtime);
    (runtime, driver)
}

fn worker(runtime: &Arc<Runtime>, start: u32) -> Isolate {
    Isolate::new(runtime, Role::Worker { start }).expect("a place for one more worker")
}

fn end(runtime: &Runtime, isolates: impl IntoIterator<Item = Isolate>) {
    isolates
        .into_iter()
        .for_each(|isolate| isolate.close(Some(0), ""));
    assert_empty(runtime);
    let all_back = |(name, total, left): &(String, u64, u64)| {
        assert_eq!(total, left, "{name} is back");
    };
    runtime.resources().iter().for_each(all_back);
}

/// Begins the next task, which must be this one.
fn begin(worker: &mut Isolate, key: Key) {
    let records = worker.next();
    assert_eq!(records.len(), 1, "one record");
    assert_eq!(records[0].key, key);
    assert!(worker.begin(0));
}

fn outcome(isolate: &mut Isolate, key: Key) -> Outcome {
    isolate.fetch(&[key]).remove(0)
}

fn value(bytes: &[u8]) -> Outcome {
    Outcome::Value {
        bytes: bytes.to_vec(),
        refs: Vec::new(),
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_queued_task_that_is_cancelled_is_never_run_and_its_dependents_fail_with_it() {
    let (runtime, mut driver) = start();
    let function = common(&runtime);
    let first = driver.submit(function, b"a", &[], &[]);
    let second = driver.submit(function, b"b", &[first], &[]);
    let third = driver.submit(function, b"c", &[second], &[]);
    let other = driver.submit(function, b"d", &[], &[]);
    let token = driver.get(&[third]);
    driver.cancel(first, false, true);
    assert_eq!(driver.drain(), [(token, status::FAILED)]);
    for key in [first, second, third] {
        assert_eq!(outcome(&mut driver, key), Outcome::Cancelled);
    }
    let mut worker = worker(&runtime, 1);
    begin(&mut worker, other);
    worker.result(other, false, b"d", &[]);
    assert!(worker.next().is_empty());
    assert_eq!(outcome(&mut driver, other), value(b"d"));
    driver.cancel(other, true, true);
    assert_eq!(
        outcome(&mut driver, other),
        value(b"d"),
        "it is too late for that"
    );
    end(&runtime, [driver, worker]);
}

#[test]
fn of_a_chain_only_what_comes_after_is_cancelled() {
    let (runtime, mut driver) = start();
    let function = common(&runtime);
    let first = driver.submit(function, b"a", &[], &[]);
    let second = driver.submit(function, b"b", &[first], &[]);
    let third = driver.submit(function, b"c", &[second], &[]);
    driver.cancel(second, false, true);
    assert_eq!(outcome(&mut driver, third), Outcome::Cancelled);
    assert_eq!(outcome(&mut driver, first), Outcome::Pending);
    let mut worker = worker(&runtime, 1);
    begin(&mut worker, first);
    worker.result(first, false, b"a", &[]);
    assert!(worker.next().is_empty());
    assert_eq!(outcome(&mut driver, first), value(b"a"));
    end(&runtime, [driver, worker]);
}

#[test]
fn what_was_handed_out_and_not_begun_is_taken_back_with_all_that_it_was_given() {
    let (runtime, mut driver) = start();
    let function = define(&runtime, db());
    let task = driver.submit(function, b"a", &[], &[]);
    let next = driver.submit(function, b"b", &[], &[]);
    driver.flush();
    let mut worker = worker(&runtime, 1);
    assert_eq!(worker.next().len(), 1);
    driver.cancel(task, false, true);
    assert!(!worker.begin(0), "it was taken back");
    begin(&mut worker, next);
    worker.result(next, false, b"b", &[]);
    worker.flush();
    worker.drain();
    assert_eq!(worker.unwanted, []);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_running_task_is_settled_at_once_and_holds_what_it_has_until_its_code_has_ended() {
    let (runtime, mut driver) = start();
    let function = define(&runtime, db());
    let task = driver.submit(function, b"a", &[], &[]);
    driver.flush();
    let mut worker = worker(&runtime, 1);
    begin(&mut worker, task);
    driver.cancel(task, false, true);
    assert_eq!(outcome(&mut driver, task), Outcome::Cancelled);
    let left = |name: &str| {
        let all = runtime.resources();
        all.iter().find(|(other, ..)| other == name).unwrap().2
    };
    assert_eq!((left("db"), left("CPU")), (0, WHOLE));
    worker.drain();
    assert_eq!(worker.unwanted, [(task, false)], "it is told");
    worker.result(task, false, b"late", &[]);
    assert!(worker.next().is_empty());
    assert_eq!((left("db"), left("CPU")), (WHOLE, 2 * WHOLE));
    assert_eq!(outcome(&mut driver, task), Outcome::Cancelled);
    end(&runtime, [driver, worker]);
}

#[test]
fn what_a_task_started_is_cancelled_with_it_unless_that_is_not_wanted() {
    for is_recursive in [true, false] {
        let (runtime, mut driver) = start();
        let function = common(&runtime);
        let parent = driver.submit(function, b"parent", &[], &[]);
        driver.flush();
        let mut first = worker(&runtime, 1);
        let mut second = worker(&runtime, 2);
        begin(&mut first, parent);
        // More than are kept without a look, most of which have ended.
        for _ in 0..100 {
            let over = first.submit_in(parent, function, b"over", &Given::default());
            first.flush();
            begin(&mut second, over);
            second.result(over, false, b"", &[]);
            second.flush();
            first.release(over);
        }
        let child = first.submit_in(parent, function, b"child", &Given::default());
        first.flush();
        begin(&mut second, child);
        let grandchild = second.submit_in(child, function, b"grandchild", &Given::default());
        second.flush();
        driver.cancel(parent, false, is_recursive);
        let late = first.submit_in(parent, function, b"late", &Given::default());
        first.flush();
        let expected = match is_recursive {
            true => Outcome::Cancelled,
            false => Outcome::Pending,
        };
        assert_eq!(
            first.fetch(&[child, late]),
            [expected.clone(), expected.clone()]
        );
        assert_eq!(second.fetch(&[grandchild]), [expected]);
        second.drain();
        assert_eq!(second.unwanted.len(), usize::from(is_recursive));
        second.result(child, false, b"", &[]);
        first.result(parent, false, b"", &[]);
        for worker in [&mut first, &mut second] {
            loop {
                let records = worker.next();
                if records.is_empty() {
                    break;
                }
                for record in records {
                    assert!(worker.begin(record.k));
                    worker.result(record.key, false, b"", &[]);
                }
            }
        }
        end(&runtime, [driver, first, second]);
    }
}

#[test]
fn a_thread_that_does_not_come_back_to_its_loop_is_given_up_and_one_that_does_is_not() {
    for comes_back in [false, true] {
        let (runtime, mut driver) = start();
        let function = common(&runtime);
        let task = driver.submit(function, b"a", &[], &[]);
        driver.flush();
        let mut stuck = worker(&runtime, 7);
        begin(&mut stuck, task);
        driver.cancel(task, true, true);
        assert_eq!(outcome(&mut driver, task), Outcome::Cancelled);
        wait_until("the driver is told", || {
            driver.drain();
            driver.doomed == [7]
        });
        if comes_back {
            stuck.result(task, false, b"", &[]);
            assert!(stuck.next().is_empty());
            assert!(!runtime.execute(7), "it is pardoned");
            let next = driver.submit(function, b"b", &[], &[]);
            driver.flush();
            begin(&mut stuck, next);
            stuck.result(next, false, b"b", &[]);
            end(&runtime, [driver, stuck]);
            continue;
        }
        driver.wanted = 0;
        assert!(runtime.execute(7) && !runtime.execute(7), "once");
        assert_eq!(runtime.stats().abandoned, 1);
        let next = driver.submit(function, b"b", &[], &[]);
        driver.flush();
        assert_eq!(driver.wanted, 1, "another thread is started for it");
        assert!(stuck.next().is_empty(), "it takes nothing any more");
        let mut spare = worker(&runtime, 8);
        begin(&mut spare, next);
        spare.result(next, false, b"b", &[]);
        stuck.close(None, "");
        assert_eq!(runtime.stats().abandoned, 0);
        end(&runtime, [driver, spare]);
    }
}

#[test]
fn who_dies_with_a_thread_that_was_given_up_is_told_why() {
    let (runtime, mut driver) = start();
    let function = common(&runtime);
    runtime.is_async(function);
    let [task, neighbour] = [b"a", b"b"].map(|bytes| driver.submit(function, bytes, &[], &[]));
    driver.flush();
    let mut stuck = worker(&runtime, 7);
    begin(&mut stuck, task);
    begin(&mut stuck, neighbour);
    driver.cancel(task, true, true);
    driver.drain();
    assert_eq!(driver.doomed, [], "async code is given a second");
    wait_until("the driver is told", || {
        driver.drain();
        driver.doomed == [7]
    });
    assert!(runtime.execute(7));
    stuck.close(None, "");
    let Outcome::Crashed { text, .. } = outcome(&mut driver, neighbour) else {
        panic!("its worker has ended");
    };
    assert!(text.contains("another task on it was cancelled"), "{text}");
    end(&runtime, [driver]);
}

#[test]
fn a_run_that_takes_too_long_is_settled_and_one_in_time_is_not() {
    let (runtime, mut driver) = start();
    let [short, long] = [20, 60_000].map(|ms| define(&runtime, limited(ms)));
    let [slow, fast] = [short, long].map(|function| driver.submit(function, b"a", &[], &[]));
    driver.flush();
    let mut first = worker(&runtime, 1);
    let mut second = worker(&runtime, 2);
    let began = Instant::now();
    begin(&mut first, slow);
    begin(&mut second, fast);
    second.result(fast, false, b"in time", &[]);
    second.flush();
    let token = driver.get(&[slow]);
    wait_until("it has timed out", || {
        driver.drain() == [(token, status::FAILED)]
    });
    assert!(
        began.elapsed() >= Duration::from_millis(20),
        "not before its time"
    );
    assert_eq!(outcome(&mut driver, slow), Outcome::TimedOut { ms: 20 });
    assert_eq!(outcome(&mut driver, fast), value(b"in time"));
    first.drain();
    assert_eq!(first.unwanted, [(slow, true)]);
    first.result(slow, false, b"late", &[]);
    first.flush();
    end(&runtime, [driver, first, second]);
}

#[test]
fn time_is_counted_from_the_beginning_of_each_run_alone() {
    let (runtime, mut driver) = start();
    let function = define(&runtime, limited(50));
    let tasks = [(); 5].map(|()| driver.submit(function, b"a", &[], &[]));
    driver.flush();
    // Longer than the limit in the queue, and for the five of them together.
    std::thread::sleep(Duration::from_millis(60));
    let mut worker = worker(&runtime, 1);
    for task in tasks {
        begin(&mut worker, task);
        std::thread::sleep(Duration::from_millis(20));
        worker.result(task, false, b"done", &[]);
    }
    worker.flush();
    for task in tasks {
        assert_eq!(outcome(&mut driver, task), value(b"done"));
    }
    end(&runtime, [driver, worker]);
}

#[test]
fn the_time_of_a_task_that_was_taken_back_unbegun_is_counted_from_its_next_beginning_alone() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let (runtime, mut driver) = start();
    runtime.skip_time(Duration::ZERO);
    let function = define(&runtime, limited(60 * 60_000));
    let task = driver.submit(function, b"a", &[], &[]);
    driver.flush();
    let [mut stuck, mut thief] = [1, 2].map(|start| worker(&runtime, start));
    assert_eq!(stuck.next().len(), 1);
    runtime.skip_time(minutes(40));
    // Longer than others leave it there.
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(thief.port.forage(), Forage::Work);
    begin(&mut thief, task);
    runtime.skip_time(minutes(40));
    assert_eq!(outcome(&mut driver, task), Outcome::Pending);
    runtime.skip_time(minutes(40));
    assert_eq!(
        outcome(&mut driver, task),
        Outcome::TimedOut { ms: 60 * 60_000 }
    );
    thief.result(task, false, b"late", &[]);
    assert!(!stuck.begin(0));
    end(&runtime, [driver, stuck, thief]);
}

#[test]
fn what_is_given_back_too_late_takes_no_time_limit_from_who_has_its_slot_now() {
    let (runtime, mut driver) = start();
    runtime.skip_time(Duration::ZERO);
    let victim = driver.submit(common(&runtime), b"v", &[], &[]);
    driver.flush();
    let [mut stuck, mut other] = [1, 2].map(|start| worker(&runtime, start));
    assert_eq!(stuck.next().len(), 1);
    driver.free(victim);
    driver.release(victim);
    driver.flush();
    let function = define(&runtime, limited(60_000));
    let mut tasks = vec![driver.submit(function, b"a", &[], &[])];
    while tasks.last().unwrap().index != victim.index {
        tasks.push(driver.submit(function, b"a", &[], &[]));
    }
    driver.flush();
    let heir = tasks.pop().unwrap();
    for task in &tasks {
        driver.cancel(*task, false, false);
    }
    driver.flush();
    begin(&mut other, heir);
    assert_eq!(stuck.park(0), 0);
    runtime.skip_time(Duration::from_secs(61));
    assert_eq!(outcome(&mut driver, heir), Outcome::TimedOut { ms: 60_000 });
    other.result(heir, false, b"late", &[]);
    end(&runtime, [driver, stuck, other]);
}

#[test]
fn tasks_lost_with_their_worker_are_run_again_as_often_as_they_may() {
    let (runtime, mut driver) = start();
    let terms = Terms { retries: 2, ..db() };
    let function = define(&runtime, terms);
    let argument = driver.put(b"argument", &[]);
    let task = driver.submit(function, b"a", &[argument], &[argument]);
    driver.release(argument);
    driver.flush();
    for attempt in 0..3 {
        let mut worker = worker(&runtime, attempt);
        assert_eq!(worker.port.attempt(task), attempt);
        let records = worker.next();
        assert_eq!(records[0].key, task);
        assert_eq!(records[0].bytes, b"a");
        assert_eq!(records[0].carried, [b"argument".to_vec()], "it is kept");
        assert!(worker.begin(0));
        worker.close(Some(9), "");
        assert_eq!(
            matches!(
                outcome(&mut driver, task),
                Outcome::Crashed {
                    exit_code: Some(9),
                    ..
                }
            ),
            attempt == 2
        );
    }
    assert_eq!(
        outcome(&mut driver, argument),
        Outcome::Gone,
        "and no longer"
    );
    end(&runtime, [driver]);
}

#[test]
fn a_task_that_was_not_begun_loses_no_retry() {
    let (runtime, mut driver) = start();
    let function = common(&runtime);
    let task = driver.submit(function, b"a", &[], &[]);
    driver.flush();
    for start in 0..4 {
        let mut worker = worker(&runtime, start);
        assert_eq!(worker.next().len(), 1);
        worker.close(Some(1), "");
        assert_eq!(outcome(&mut driver, task), Outcome::Pending);
    }
    let mut worker = worker(&runtime, 9);
    begin(&mut worker, task);
    worker.result(task, false, b"done", &[]);
    worker.flush();
    assert_eq!(outcome(&mut driver, task), value(b"done"));
    end(&runtime, [driver, worker]);
}

#[test]
fn what_was_thrown_is_tried_again_from_the_same_budget() {
    let (runtime, mut driver) = start();
    let function = define(&runtime, retried(2));
    let task = driver.submit(function, b"a", &[], &[]);
    driver.flush();
    let mut first = worker(&runtime, 1);
    begin(&mut first, task);
    first.fail_again(task, b"first");
    begin(&mut first, task);
    assert_eq!(first.port.attempt(task), 1);
    first.close(Some(1), "");
    let mut second = worker(&runtime, 2);
    begin(&mut second, task);
    assert_eq!(second.port.attempt(task), 2);
    second.fail_again(task, b"last");
    assert!(second.next().is_empty());
    assert_eq!(
        outcome(&mut driver, task),
        Outcome::Thrown {
            bytes: b"last".to_vec(),
            refs: Vec::new()
        }
    );
    end(&runtime, [driver, second]);
}

#[test]
fn what_is_tried_again_elsewhere_is_not_lost_with_the_worker_that_it_threw_on() {
    for ends_its_round in [true, false] {
        let (runtime, mut driver) = start();
        let function = define(&runtime, retried(1));
        let task = driver.submit(function, b"a", &[], &[]);
        driver.flush();
        let mut first = worker(&runtime, 1);
        begin(&mut first, task);
        first.fail_again(task, b"first");
        first.flush();
        let mut second = worker(&runtime, 2);
        begin(&mut second, task);
        if ends_its_round {
            assert!(first.next().is_empty());
        }
        first.close(Some(1), "");
        assert_eq!(outcome(&mut driver, task), Outcome::Pending);
        second.result(task, false, b"done", &[]);
        second.flush();
        assert_eq!(outcome(&mut driver, task), value(b"done"));
        end(&runtime, [driver, second]);
    }
}

#[test]
fn a_cancelled_task_is_not_run_again() {
    let (runtime, mut driver) = start();
    let function = define(&runtime, retried(u32::MAX));
    let task = driver.submit(function, b"a", &[], &[]);
    driver.flush();
    let mut first = worker(&runtime, 1);
    begin(&mut first, task);
    driver.cancel(task, false, true);
    first.close(Some(1), "");
    let mut second = worker(&runtime, 2);
    assert!(second.next().is_empty());
    assert_eq!(outcome(&mut driver, task), Outcome::Cancelled);
    end(&runtime, [driver, second]);
}

#[test]
fn what_a_task_was_given_and_its_place_are_there_until_its_code_has_ended() {
    let (runtime, mut driver) = start();
    let function = common(&runtime);
    let argument = driver.put(b"argument", &[]);
    let task = driver.submit(function, b"a", &[], &[argument]);
    driver.flush();
    let mut worker = worker(&runtime, 1);
    begin(&mut worker, task);
    driver.cancel(task, false, true);
    driver.release(argument);
    driver.release(task);
    driver.flush();
    worker.retain(argument);
    assert_eq!(outcome(&mut worker, argument), value(b"argument"));
    worker.release(argument);
    let child = worker.submit_in(task, function, b"child", &Given::default());
    worker.flush();
    assert_eq!(
        outcome(&mut worker, child),
        Outcome::Cancelled,
        "nobody has a ref to its parent any more"
    );
    worker.result(task, false, b"late", &[]);
    assert!(worker.next().is_empty());
    assert_eq!(outcome(&mut worker, argument), Outcome::Gone);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_limit_holds_for_code_that_was_cancelled_before_and_goes_on() {
    let (runtime, mut driver) = start();
    let function = define(&runtime, limited(50));
    let task = driver.submit(function, b"a", &[], &[]);
    driver.flush();
    let mut stuck = worker(&runtime, 7);
    begin(&mut stuck, task);
    driver.cancel(task, false, true);
    wait_until("its thread is given up", || {
        driver.drain();
        driver.doomed == [7]
    });
    assert!(runtime.execute(7));
    stuck.close(None, "");
    end(&runtime, [driver]);
}

#[test]
fn a_thread_is_not_given_up_for_code_that_has_ended_though_it_goes_on_with_other() {
    let (runtime, mut driver) = start();
    let function = common(&runtime);
    let mut worker = worker(&runtime, 7);
    // Until it takes two at once.
    let (first, second) = loop {
        let keys = [b"a", b"b"].map(|bytes| driver.submit(function, bytes, &[], &[]));
        driver.flush();
        let records = worker.next();
        if records.len() == 2 {
            break (keys[0], keys[1]);
        }
        for record in records {
            assert!(worker.begin(record.k));
            worker.result(record.key, false, b"", &[]);
        }
        while let [record] = &worker.next()[..] {
            assert!(worker.begin(record.k));
            worker.result(record.key, false, b"", &[]);
        }
    };
    assert!(worker.begin(0));
    driver.cancel(first, true, true);
    // Its end is written, and is handed in with the round.
    worker.result(first, false, b"late", &[]);
    assert!(worker.begin(1));
    std::thread::sleep(Duration::from_millis(100));
    driver.drain();
    assert_eq!(driver.doomed, []);
    worker.result(second, false, b"done", &[]);
    assert!(worker.next().is_empty());
    assert_eq!(outcome(&mut driver, second), value(b"done"));
    end(&runtime, [driver, worker]);
}
