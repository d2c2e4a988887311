//! Nobody starves: whatever lies where a worker does not look first is begun after so many of its rounds, though its own tasks go
//! on starting others for ever. The simulation asks the same of random runs.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use mobula_runtime::{Config, Demand, Forage, Function, Runtime, Terms, WHOLE};
use mobula_sched::Key;
use support::isolate::Isolate;
use support::{assert_empty, runtime_with};

/// Rounds after which a worker takes what has waited longest, in one queue after the other.
const PATIENCE: usize = 64;
/// What a task takes: so much that a worker is handed one at a time.
const LONG: Duration = Duration::from_micros(100);

/// Two CPUs, and workers that may have so many async tasks.
fn start(async_max: u32) -> (Arc<Runtime>, Isolate) {
    start_with(|config| config.async_max = async_max)
}

fn start_with(change: impl FnOnce(&mut Config)) -> (Arc<Runtime>, Isolate) {
    let runtime = runtime_with(|config| {
        (config.totals.cpu, config.workers_max) = (2 * WHOLE, 4);
        change(config);
    });
    let driver = Isolate::driver(&runtime);
    (runtime, driver)
}

fn define(runtime: &Runtime, name: &str, priority: i8) -> u32 {
    define_on(
        runtime,
        name,
        Terms {
            priority,
            ..Terms::default()
        },
    )
}

fn define_on(runtime: &Runtime, name: &str, terms: Terms) -> u32 {
    let function = Function {
        name: name.to_owned(),
        source: String::new(),
    };
    runtime.define_on(function, terms).id
}

/// Calls need so much CPU.
fn with_cpu(cpu: u64) -> Terms {
    let demand = Demand {
        cpu,
        ..Demand::default()
    };
    Terms {
        demand,
        ..Terms::default()
    }
}

/// Begins the only task of the next round.
fn begin(worker: &mut Isolate, key: Key) {
    let records = worker.next();
    assert_eq!((records.len(), records[0].key), (1, key));
    assert!(worker.begin(0));
}

/// Runs rounds of tasks each of which starts another like it, until this one is begun, which must be within so many rounds.
fn storm_until(worker: &mut Isolate, key: Key, rounds_max: usize) {
    storm_beside(worker, key, rounds_max, || ());
}

/// The same while something else goes on, once a round.
fn storm_beside(worker: &mut Isolate, key: Key, rounds_max: usize, mut meanwhile: impl FnMut()) {
    for _ in 0..rounds_max {
        meanwhile();
        for record in worker.next() {
            if !worker.begin(record.k) {
                continue;
            }
            if record.key == key {
                worker.result(key, false, b"", &[]);
                return;
            }
            std::thread::sleep(LONG);
            let next = worker.submit(record.function, b"", &[], &[]);
            worker.release(next);
            worker.result(record.key, false, b"", &[]);
        }
    }
    panic!("it starves");
}

/// Runs what is left, and closes everything.
fn end<const N: usize>(runtime: &Runtime, driver: Isolate, mut workers: [Isolate; N]) {
    let mut run_rounds = || {
        let rounds = workers.iter_mut().map(|worker| {
            let records = worker.next();
            for record in &records {
                if worker.begin(record.k) {
                    worker.result(record.key, false, b"", &[]);
                }
            }
            records.len()
        });
        rounds.sum::<usize>()
    };
    while run_rounds() > 0 {}
    driver.close(None, "");
    workers
        .into_iter()
        .for_each(|worker| worker.close(Some(0), ""));
    assert_empty(runtime);
}

#[test]
fn what_the_driver_submits_is_begun_though_a_workers_tasks_go_on_starting_others() {
    let (runtime, mut driver) = start(100);
    let function = define(&runtime, "f", 0);
    let mut worker = Isolate::worker(&runtime);
    let storm = driver.submit(function, b"", &[], &[]);
    driver.flush();
    begin(&mut worker, storm);
    let next = worker.submit(function, b"", &[], &[]);
    worker.release(next);
    worker.result(storm, false, b"", &[]);
    worker.flush();
    let other = driver.submit(function, b"", &[], &[]);
    driver.flush();
    storm_until(&mut worker, other, 2 * PATIENCE);
    end(&runtime, driver, [worker]);
}

#[test]
fn what_a_task_started_first_is_begun_though_what_it_started_then_goes_on_starting_others() {
    let (runtime, mut driver) = start(100);
    let function = define(&runtime, "f", 0);
    let mut worker = Isolate::worker(&runtime);
    let storm = driver.submit(function, b"", &[], &[]);
    driver.flush();
    begin(&mut worker, storm);
    let first = worker.submit(function, b"", &[], &[]);
    let next = worker.submit(function, b"", &[], &[]);
    worker.release(next);
    worker.result(storm, false, b"", &[]);
    // Neither by those, nor by what the driver submits meanwhile.
    storm_beside(&mut worker, first, 2 * PATIENCE, || {
        let other = driver.submit(function, b"", &[], &[]);
        driver.release(other);
        driver.flush();
    });
    end(&runtime, driver, [worker]);
}

#[test]
fn what_a_task_that_goes_on_for_long_has_started_is_begun_by_workers_that_have_enough_of_their_own()
{
    let (runtime, mut driver) = start(100);
    let function = define(&runtime, "f", 0);
    let [mut stuck, mut worker] = [(); 2].map(|()| Isolate::worker(&runtime));
    let [long, storm] = [(); 2].map(|()| driver.submit(function, b"", &[], &[]));
    driver.flush();
    begin(&mut stuck, long);
    begin(&mut worker, storm);
    let child = stuck.submit(function, b"", &[], &[]);
    stuck.flush();
    let next = worker.submit(function, b"", &[], &[]);
    worker.release(next);
    worker.result(storm, false, b"", &[]);
    storm_until(&mut worker, child, 3 * PATIENCE);
    stuck.result(long, false, b"", &[]);
    end(&runtime, driver, [stuck, worker]);
}

#[test]
fn what_was_handed_out_behind_a_task_that_goes_on_for_long_is_begun_by_workers_that_have_enough_of_their_own()
 {
    // As many as there are.
    let crossing = Duration::from_secs(3600);
    let (runtime, mut driver) = start_with(|config| config.crossing = crossing);
    let function = define(&runtime, "f", 0);
    let [mut stuck, mut worker] = [(); 2].map(|()| Isolate::worker(&runtime));
    let storm = driver.submit(function, b"", &[], &[]);
    driver.flush();
    begin(&mut worker, storm);
    let next = worker.submit(function, b"", &[], &[]);
    worker.result(storm, false, b"", &[]);
    worker.release(next);
    begin(&mut worker, next);
    let [long, behind] = [(); 2].map(|()| driver.submit(function, b"", &[], &[]));
    driver.flush();
    assert_eq!(stuck.next().len(), 2);
    assert!(stuck.begin(0));
    std::thread::sleep(Duration::from_millis(1));
    let next = worker.submit(function, b"", &[], &[]);
    worker.release(next);
    worker.result(next, false, b"", &[]);
    storm_until(&mut worker, behind, 3 * PATIENCE);
    stuck.result(long, false, b"", &[]);
    end(&runtime, driver, [stuck, worker]);
}

#[test]
fn async_tasks_are_begun_by_workers_that_have_others_if_those_that_have_async_ones_take_no_more() {
    let (runtime, mut driver) = start(1);
    let function = define(&runtime, "f", 0);
    let later = define(&runtime, "g", 0);
    runtime.is_async(later);
    let [mut full, mut worker] = [(); 2].map(|()| Isolate::worker(&runtime));
    let first = driver.submit(later, b"", &[], &[]);
    driver.flush();
    begin(&mut full, first);
    full.hold(1);
    assert!(full.next().is_empty());
    let storm = driver.submit(function, b"", &[], &[]);
    driver.flush();
    begin(&mut worker, storm);
    let next = worker.submit(function, b"", &[], &[]);
    worker.release(next);
    worker.result(storm, false, b"", &[]);
    let second = driver.submit(later, b"", &[], &[]);
    driver.flush();
    storm_until(&mut worker, second, 2 * PATIENCE);
    full.result(first, false, b"", &[]);
    full.hold(0);
    end(&runtime, driver, [full, worker]);
}

#[test]
fn common_tasks_that_lie_deep_are_begun_though_others_go_before_all_of_them() {
    let (runtime, mut driver) = start(100);
    let (function, urgent) = (define(&runtime, "f", 0), define(&runtime, "f", 1));
    let mut worker = Isolate::worker(&runtime);
    let storms = [function, urgent].map(|function| driver.submit(function, b"", &[], &[]));
    driver.flush();
    for storm in [storms[1], storms[0]] {
        begin(&mut worker, storm);
    }
    for (storm, function) in storms.into_iter().zip([function, urgent]) {
        let next = worker.submit(function, b"", &[], &[]);
        worker.release(next);
        worker.result(storm, false, b"", &[]);
    }
    worker.flush();
    let other = driver.submit(function, b"", &[], &[]);
    driver.flush();
    storm_until(&mut worker, other, 2 * (PATIENCE + 1));
    end(&runtime, driver, [worker]);
}

#[test]
fn a_worker_that_looked_before_a_claim_was_made_does_not_sleep_beside_what_it_keeps_back() {
    let (runtime, mut driver) = start(100);
    let function = define(&runtime, "f", 0);
    let [large, none] = [2 * WHOLE, 0].map(|cpu| define_on(&runtime, "f", with_cpu(cpu)));
    let [mut busy, mut idle, mut maker] = [(); 3].map(|()| Isolate::worker(&runtime));
    let long = driver.submit(function, b"", &[], &[]);
    driver.flush();
    begin(&mut busy, long);
    driver.submit(large, b"", &[], &[]);
    for _ in 1..PATIENCE {
        let other = driver.submit(function, b"", &[], &[]);
        driver.flush();
        begin(&mut idle, other);
        idle.result(other, false, b"", &[]);
    }
    idle.flush();
    assert_eq!(
        idle.port.forage(),
        Forage::Nothing,
        "it holds the other CPU"
    );
    // The large one is due after this, and what keeps CPU for it is made by one who has none for anything.
    let last = driver.submit(none, b"", &[], &[]);
    driver.flush();
    begin(&mut maker, last);
    maker.result(last, false, b"", &[]);
    maker.flush();
    assert_eq!(maker.port.forage(), Forage::Nothing);
    assert!(maker.port.announce());
    driver.submit(function, b"", &[], &[]);
    driver.flush();
    assert!(!maker.bell.take(), "it could not begin it");
    let mut looks_again = false;
    while !idle.port.announce() {
        looks_again |= idle.port.forage() != Forage::Nothing;
    }
    assert!(looks_again, "nobody sees the end of the claim");
    busy.result(long, false, b"", &[]);
    for worker in [&mut idle, &mut maker] {
        worker.port.retract();
    }
    while runtime.stats().queued > 0 {
        for worker in [&mut busy, &mut idle, &mut maker] {
            for record in worker.next() {
                assert!(worker.begin(record.k));
                worker.result(record.key, false, b"", &[]);
            }
        }
    }
    end(&runtime, driver, [busy, idle, maker]);
}
