//! What a result makes ready stays with the worker that handed it in, if that takes it at once; whatever keeps it from doing so
//! calls a sleeper.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use mobula_runtime::{Config, Demand, Function, Runtime, Terms, WHOLE};
use mobula_sched::Key;
use support::isolate::Isolate;
use support::{assert_empty, runtime_with};

const F: u32 = 0;

/// A driver, a worker that runs `first`, and a worker that sleeps.
struct Scene {
    runtime: Arc<Runtime>,
    driver: Isolate,
    worker: Isolate,
    sleeper: Isolate,
    first: Key,
}

impl Scene {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let runtime = runtime_with(|config| {
            config.totals.cpu = 2 * WHOLE;
            config.workers_max = 4;
            change(config);
        });
        let mut driver = Isolate::driver(&runtime);
        let mut worker = Isolate::worker(&runtime);
        let first = driver.submit(F, b"first", &[], &[]);
        driver.flush();
        assert_eq!(begin(&mut worker), [first]);
        Self {
            sleeper: Isolate::worker(&runtime),
            runtime,
            driver,
            worker,
            first,
        }
    }

    /// Tasks that wait for the first; the sleeper has heard of them, and sleeps again.
    fn dependents<const N: usize>(&mut self) -> [Key; N] {
        let tasks = [(); N].map(|()| self.driver.submit(F, b"next", &[self.first], &[]));
        self.driver.flush();
        sleep(&mut self.sleeper);
        tasks
    }

    fn end(mut self) {
        for worker in [&mut self.worker, &mut self.sleeper] {
            worker.port.retract();
            run_all(worker);
        }
        for isolate in [self.worker, self.sleeper, self.driver] {
            isolate.close(Some(0), "");
        }
        assert_empty(&self.runtime);
    }
}

fn begin(worker: &mut Isolate) -> Vec<Key> {
    let records = worker.next();
    let begun = records.iter().filter(|record| worker.begin(record.k));
    begun.map(|record| record.key).collect()
}

fn run_all(worker: &mut Isolate) {
    loop {
        let begun = begin(worker);
        if begun.is_empty() {
            return;
        }
        begun
            .iter()
            .for_each(|key| worker.result(*key, false, b"", &[]));
    }
}

/// To sleep, with nothing to do: whoever called it before is forgotten.
fn sleep(worker: &mut Isolate) {
    worker.port.retract();
    worker.bell.take();
    assert!(worker.port.announce(), "there is something to do");
    assert!(!worker.bell.take());
}

#[test]
fn a_chain_stays_on_its_worker_and_calls_nobody() {
    let mut scene = Scene::new(|_| {});
    let mut last = scene.first;
    for _ in 0..20 {
        let next = scene.driver.submit(F, b"next", &[last], &[]);
        scene.driver.flush();
        sleep(&mut scene.sleeper);
        scene.worker.result(last, false, b"", &[]);
        assert_eq!(begin(&mut scene.worker), [next]);
        assert!(!scene.sleeper.bell.take(), "it is nobody else's business");
        last = next;
    }
    scene.worker.result(last, false, b"", &[]);
    scene.end();
}

#[test]
fn what_its_worker_does_not_take_calls_a_sleeper() {
    let mut scene = Scene::new(|_| {});
    let two: [Key; 2] = scene.dependents();
    scene.worker.result(scene.first, false, b"", &[]);
    let taken = begin(&mut scene.worker);
    assert_eq!(taken.len(), 1, "the other is the sleeper's share");
    assert!(scene.sleeper.bell.take(), "it is called");
    scene.sleeper.port.retract();
    let others = begin(&mut scene.sleeper);
    assert_eq!(others.len(), 1);
    assert!(two.contains(&taken[0]) && two.contains(&others[0]) && taken != others);
    scene.worker.result(taken[0], false, b"", &[]);
    scene.sleeper.result(others[0], false, b"", &[]);
    scene.end();
}

#[test]
fn a_worker_that_dies_beside_what_it_took_calls_a_sleeper() {
    // Once with the result handed in and the next task in its round, once with the result written and no more.
    for has_taken in [true, false] {
        let mut scene = Scene::new(|_| {});
        let [next] = scene.dependents();
        scene.worker.result(scene.first, false, b"", &[]);
        if has_taken {
            assert_eq!(scene.worker.next().len(), 1);
            assert!(!scene.sleeper.bell.take());
        }
        let successor = Isolate::worker(&scene.runtime);
        std::mem::replace(&mut scene.worker, successor).close(Some(1), "");
        assert!(scene.sleeper.bell.take(), "has taken it: {has_taken}");
        scene.sleeper.port.retract();
        assert_eq!(begin(&mut scene.sleeper), [next]);
        scene.sleeper.result(next, false, b"", &[]);
        scene.end();
    }
}

#[test]
fn a_worker_that_blocks_beside_what_it_took_calls_a_sleeper() {
    let mut scene = Scene::new(|_| {});
    let [next] = scene.dependents();
    scene.worker.result(scene.first, false, b"", &[]);
    assert_eq!(scene.worker.next().len(), 1);
    assert!(!scene.sleeper.bell.take());
    let token = scene.worker.get(&[next]);
    scene.worker.park(0);
    assert!(scene.sleeper.bell.take());
    scene.sleeper.port.retract();
    assert_eq!(begin(&mut scene.sleeper), [next]);
    scene.sleeper.result(next, false, b"", &[]);
    scene.sleeper.flush();
    assert_eq!(scene.worker.drain().len(), 1);
    scene.worker.forget(token);
    scene.worker.resume();
    scene.end();
}

#[test]
fn a_worker_with_as_many_unfinished_tasks_as_may_be_calls_a_sleeper() {
    let mut scene = Scene::new(|config| config.async_max = 1);
    // Of its two unfinished tasks one waits, so that it does not count: until the wait is over.
    let awaited = scene.driver.put(b"", &[]);
    let waits = scene.driver.submit(F, b"waits", &[], &[]);
    scene.driver.flush();
    scene.worker.retain(awaited);
    scene.worker.get(&[scene.first]);
    scene.worker.end_wait(0);
    assert_eq!(begin(&mut scene.worker), [waits]);
    assert!(scene.worker.next().is_empty());
    scene.worker.drain();
    let next = scene.driver.submit(F, b"next", &[scene.first], &[]);
    scene.driver.flush();
    sleep(&mut scene.sleeper);
    scene.worker.result(scene.first, false, b"", &[]);
    assert!(begin(&mut scene.worker).is_empty(), "it has one unfinished");
    assert!(scene.sleeper.bell.take());
    scene.sleeper.port.retract();
    assert_eq!(begin(&mut scene.sleeper), [next]);
    scene.sleeper.result(next, false, b"", &[]);
    scene.worker.result(waits, false, b"", &[]);
    scene.worker.release(awaited);
    scene.end();
}

#[test]
fn what_its_worker_has_no_cpu_for_is_taken_by_the_next_that_has() {
    let mut scene = Scene::new(|config| config.totals.cpu = WHOLE);
    let half = |name: &str| {
        let demand = Demand {
            cpu: WHOLE / 2,
            ..Demand::default()
        };
        let function = Function {
            name: name.to_owned(),
            source: String::new(),
        };
        let terms = Terms {
            demand,
            returns: 1,
            ..Terms::default()
        };
        scene.runtime.define_on(function, terms).id
    };
    let half = half("half");
    for is_asleep in [true, false] {
        let mut other = Isolate::worker(&scene.runtime);
        let [one, two] = [(); 2].map(|()| scene.driver.submit(half, b"", &[], &[]));
        scene.driver.flush();
        scene.worker.result(scene.first, false, b"", &[]);
        assert_eq!(begin(&mut scene.worker), [one]);
        assert_eq!(begin(&mut other), [two]);
        let next = scene.driver.submit(F, b"next", &[one], &[]);
        scene.driver.flush();
        sleep(&mut scene.sleeper);
        scene.worker.result(one, false, b"", &[]);
        assert!(begin(&mut scene.worker).is_empty(), "half a CPU is left");
        sleep(&mut scene.worker);
        assert!(!scene.sleeper.bell.take(), "nor could anybody else");
        other.result(two, false, b"", &[]);
        if is_asleep {
            other.flush();
            assert!(!other.port.announce(), "it sees what its own CPU does for");
        }
        assert_eq!(begin(&mut other), [next]);
        assert!(!scene.sleeper.bell.take() && !scene.worker.bell.take());
        other.result(next, false, b"", &[]);
        run_all(&mut other);
        other.close(Some(0), "");
        scene.worker.port.retract();
        // For the second time round.
        scene.first = scene.driver.submit(F, b"first", &[], &[]);
        scene.driver.flush();
        assert_eq!(begin(&mut scene.worker), [scene.first]);
    }
    scene.worker.result(scene.first, false, b"", &[]);
    scene.end();
}
