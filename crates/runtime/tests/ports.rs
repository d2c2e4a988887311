//! What a port promises, one promise per test: values, failures, waits, rounds, sleep, death.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_runtime::layout::{self, header, status};
use mobula_runtime::{Demand, Forage, Function, Reason, Role, Runtime, Terms, WHOLE, Which};
use mobula_sched::Key;
use support::isolate::{Given, Isolate};
use support::record::{self, Outcome, TaskRecord};
use support::{assert_empty, runtime, runtime_with};

const F: u32 = 0;

fn value(bytes: &[u8]) -> Outcome {
    Outcome::Value {
        bytes: bytes.to_vec(),
        refs: Vec::new(),
    }
}

fn thrown(bytes: &[u8]) -> Outcome {
    Outcome::Thrown {
        bytes: bytes.to_vec(),
        refs: Vec::new(),
    }
}

/// A driver and a worker that takes as many records at once as there are.
fn pair(slots: u32, workers_max: u32) -> (Arc<Runtime>, Isolate, Isolate) {
    let runtime = runtime_with(|config| {
        (config.totals.cpu, config.workers_max) = (u64::from(slots) * WHOLE, workers_max);
        config.crossing = Duration::from_secs(3600);
    });
    let mut driver = Isolate::driver(&runtime);
    let mut worker = Isolate::worker(&runtime);
    let keys = [(); 32].map(|()| driver.submit(F, b"warm", &[], &[]));
    driver.flush();
    assert_eq!(run_round(&mut worker).len(), 32);
    run_all(&mut worker);
    keys.iter().for_each(|key| driver.release(*key));
    driver.flush();
    driver.wanted = 0;
    (runtime, driver, worker)
}

/// Runs one round: a task returns its arguments, or throws them if they begin with `!`.
fn run_round(worker: &mut Isolate) -> Vec<TaskRecord> {
    let mut records = worker.next();
    records.retain(|record| worker.begin(record.k));
    for record in &records {
        worker.result(
            record.key,
            record.bytes.starts_with(b"!"),
            &record.bytes,
            &[],
        );
    }
    records
}

/// Runs what there is.
fn run_all(worker: &mut Isolate) -> Vec<TaskRecord> {
    let mut done = run_round(worker);
    while worker.header(header::TASKS) > 0 {
        done.extend(run_round(worker));
    }
    done
}

fn end(runtime: &Runtime, isolates: impl IntoIterator<Item = Isolate>) {
    isolates
        .into_iter()
        .for_each(|isolate| isolate.close(Some(0), ""));
    assert_empty(runtime);
}

#[test]
fn bytes_of_every_size_come_back_as_they_went() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    for len in [
        0,
        1,
        layout::INLINE_MAX,
        layout::INLINE_MAX + 1,
        layout::COPY_MAX,
        100_000,
    ] {
        let bytes: Vec<u8> = (0..len).map(|k| k as u8 | 1).collect();
        let object = driver.put(&bytes, &[]);
        let task = driver.submit(F, &bytes, &[object], &[]);
        driver.flush();
        let done = run_all(&mut worker);
        assert_eq!((&done[0].bytes, &done[0].deps[..]), (&bytes, &[object][..]));
        assert_eq!(worker.fetch(&[object]), [value(&bytes)]);
        assert_eq!(
            driver.fetch(&[object, task]),
            [value(&bytes), value(&bytes)]
        );
        driver.release(object);
        driver.release(task);
    }
    end(&runtime, [driver, worker]);
}

#[test]
fn more_refs_than_the_heap_holds_arrive_in_one_piece() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let object = driver.put(b"x", &[]);
    let refs = vec![object; 5000];
    let task = driver.submit(F, b"many", &[object], &refs);
    driver.flush();
    let done = run_all(&mut worker);
    assert_eq!(
        (done[0].bytes.as_slice(), &done[0].deps[..]),
        (&b"many"[..], &[object][..])
    );
    assert_eq!(done[0].refs, refs);
    let holder = driver.put(b"holder", &refs);
    assert_eq!(
        driver.fetch(&[holder]),
        [Outcome::Value {
            bytes: b"holder".to_vec(),
            refs
        }]
    );
    assert_eq!(driver.fetch(&[task]), [value(b"many")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn what_is_freed_between_its_record_and_its_bytes_is_said_to_be_gone() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let inner = driver.put(b"x", &[]);
    let holder = driver.put(b"holder", &[inner]);
    let large = driver.put(&vec![1; layout::COPY_MAX + 1], &[]);
    let task = driver.submit(F, &vec![1; layout::COPY_MAX + 1], &[], &[inner]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    assert_eq!(driver.fetch(&[holder, large]).len(), 2);
    [holder, large, task]
        .iter()
        .for_each(|key| driver.free(*key));
    driver.flush();
    for key in [holder, large] {
        assert!(driver.port.bulk(key, Which::Value).unwrap().is_none());
        assert!(driver.port.view(key, Which::Value).unwrap().is_none());
    }
    assert!(worker.port.bulk(task, Which::Arguments).unwrap().is_none());
    assert!(worker.port.view(task, Which::Arguments).unwrap().is_none());
    worker.result(task, false, b"late", &[]);
    end(&runtime, [driver, worker]);
}

#[test]
fn values_that_do_not_fit_one_answer_come_in_the_next() {
    let (runtime, mut driver, worker) = pair(1, 1);
    let keys: Vec<Key> = (0..40)
        .map(|k| driver.put(&vec![k; layout::COPY_MAX], &[]))
        .collect();
    let expected: Vec<_> = (0..40).map(|k| value(&vec![k; layout::COPY_MAX])).collect();
    assert_eq!(driver.fetch(&keys), expected);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_record_carries_the_values_of_few_small_deps_and_of_no_others() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let small = [b"a", b"b", b"c", b"d"].map(|bytes| driver.put(bytes, &[]));
    let stored = driver.put(&[7; 5000], &[]);
    let refers = driver.put(b"refers", &[small[0]]);
    let long = driver.put(&[9; layout::INLINE_MAX], &[]);
    let cases: [(&[Key], &[&[u8]]); 7] = [
        (&[], &[]),
        (&small[..1], &[b"a"]),
        (&small[..3], &[b"a", b"b", b"c"]),
        (&small, &[]),
        (&[small[0], stored], &[]),
        (&[refers], &[]),
        (&[small[1], long], &[b"b", &[9; layout::INLINE_MAX]]),
    ];
    for (deps, carried) in cases {
        driver.submit(F, b"task", deps, &[]);
        driver.flush();
        let records = worker.next();
        assert_eq!((records.len(), &*records[0].deps), (1, deps));
        assert_eq!(records[0].carried, carried);
        assert!(worker.begin(0));
        worker.result(records[0].key, false, b"done", &[]);
        worker.flush();
    }
    // Freed after the task became ready: the task is to find out by itself.
    driver.submit(F, b"other", &small[..1], &[]);
    driver.flush();
    driver.free(small[0]);
    driver.flush();
    let records = worker.next();
    assert!(records[0].carried.is_empty() && worker.begin(0));
    worker.result(records[0].key, true, b"it was freed", &[]);
    worker.flush();
    end(&runtime, [driver, worker]);
}

#[test]
fn a_nested_ref_outlives_the_handle_it_was_made_from() {
    let (runtime, mut driver, worker) = pair(1, 1);
    let inner = driver.put(b"inner", &[]);
    let outer = driver.put(b"outer", &[inner]);
    driver.release(inner);
    let outcome = driver.fetch(&[outer]);
    assert_eq!(
        outcome,
        [Outcome::Value {
            bytes: b"outer".to_vec(),
            refs: vec![inner]
        }]
    );
    driver.release(outer);
    assert_eq!(
        driver.fetch(&[inner, outer]),
        [value(b"inner"), Outcome::Gone]
    );
    driver.release(inner);
    assert_eq!(driver.fetch(&[inner]), [Outcome::Gone]);
    end(&runtime, [driver, worker]);
}

#[test]
fn what_calls_bring_along_is_there_until_the_last_of_them_has_ended() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let nobody = Key {
        index: 0,
        generation: 0,
    };
    let refs: Vec<Key> = (0..3).map(|_| driver.put(b"a ref", &[])).collect();
    for size in [4, 1025, 20_000] {
        let brings = driver.put(b"what it takes along", &[]);
        let given = Given {
            refs: &refs,
            brings: Some(brings),
            ..Given::default()
        };
        let bytes = vec![7; size];
        // More of them than take their holds together.
        let calls: Vec<Key> = (0..300)
            .map(|_| driver.submit_in(nobody, F, &bytes, &given))
            .collect();
        let plain = driver.submit(F, b"plain", &[], &[]);
        driver.release(brings);
        driver.flush();
        let mut left = calls.len();
        while left > 0 {
            assert_eq!(driver.fetch(&[brings]), [value(b"what it takes along")]);
            for record in run_round(&mut worker) {
                if record.key != plain {
                    assert_eq!(record.refs, [&refs[..], &[brings]].concat());
                    left -= 1;
                }
            }
        }
        run_all(&mut worker);
        worker.flush();
        assert_eq!(driver.fetch(&[brings]), [Outcome::Gone]);
        calls.iter().for_each(|key| driver.release(*key));
        driver.release(plain);
    }
    refs.iter().for_each(|key| driver.release(*key));
    end(&runtime, [driver, worker]);
}

#[test]
fn calls_of_two_functions_in_turns_hold_what_each_brings_along() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let nobody = Key {
        index: 0,
        generation: 0,
    };
    let brought = [driver.put(b"one", &[]), driver.put(b"two", &[])];
    let calls: Vec<Key> = (0..10)
        .map(|k| {
            let given = Given {
                brings: Some(brought[k % 2]),
                ..Given::default()
            };
            driver.submit_in(nobody, F, &[k as u8; 4], &given)
        })
        .collect();
    driver.release(brought[0]);
    driver.flush();
    for record in run_all(&mut worker) {
        assert_eq!(record.refs, [brought[usize::from(record.bytes[0]) % 2]]);
    }
    worker.flush();
    assert_eq!(driver.fetch(&brought), [Outcome::Gone, value(b"two")]);
    // What is in stock of the second goes with the isolate.
    calls.iter().for_each(|key| driver.release(*key));
    end(&runtime, [driver, worker]);
}

#[test]
fn a_handle_of_a_freed_object_brings_nothing_back() {
    let (runtime, mut driver, worker) = pair(1, 1);
    let object = driver.put(b"x", &[]);
    driver.release(object);
    driver.flush();
    driver.retain(object);
    driver.flush();
    assert_eq!(driver.port.handles(), 0);
    let token = driver.get(&[object]);
    assert_eq!(
        driver.drain(),
        [(token, status::READY)],
        "nobody will ever settle it"
    );
    assert_eq!(driver.fetch(&[object]), [Outcome::Gone]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_failure_reaches_everything_downstream_and_nothing_of_it_runs() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let first = driver.submit(F, b"!no", &[], &[]);
    let mut chain = vec![first];
    for _ in 0..10_000 {
        chain.push(driver.submit(F, b"never", &[*chain.last().unwrap()], &[]));
    }
    let token = driver.get(&[*chain.last().unwrap()]);
    assert_eq!(run_all(&mut worker).len(), 1);
    assert_eq!(driver.drain(), [(token, status::FAILED)]);
    assert_eq!(driver.fetch(&chain), vec![thrown(b"!no"); chain.len()]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_task_failed_before_its_other_dependency_keeps_its_failure() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let first = driver.submit(F, b"!first", &[], &[]);
    driver.flush();
    run_all(&mut worker);
    let second = driver.submit(F, b"!second", &[], &[]);
    // Fails at once, by the first; the second has an edge to it all the same.
    let both = driver.submit(F, b"both", &[first, second], &[]);
    driver.flush();
    run_all(&mut worker);
    assert_eq!(driver.fetch(&[both]), [thrown(b"!first")]);
    // Its slot is its own until its last handle goes.
    let slots = runtime.stats().slots;
    driver.release(both);
    driver.flush();
    assert_eq!(runtime.stats().slots, slots - 1);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_wait_ends_at_the_count_it_asked_for_and_a_get_at_the_first_failure() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let good = driver.submit(F, b"good", &[], &[]);
    let bad = driver.submit(F, b"!bad", &[], &[]);
    let object = driver.put(b"", &[]);
    let late = driver.submit(F, b"late", &[], &[]);
    let never = driver.wait_for(&[good, bad, late], Some(3));
    let none = driver.wait_for(&[good], Some(0));
    let one = driver.wait_for(&[good, bad, object], Some(1));
    assert_eq!(
        driver.drain(),
        [(none, status::READY), (one, status::READY)]
    );
    let empty = driver.get(&[]);
    assert_eq!(driver.drain(), [(empty, status::READY)]);
    let all = driver.wait_for(&[good, bad, object], Some(3));
    let get = driver.get(&[good, bad, late]);
    assert!(driver.drain().is_empty());
    // The newest first; in one round, or in several if the thread looks slow.
    let mut done = Vec::new();
    while done.len() < 2 {
        for record in worker.next() {
            if worker.begin(record.k) && record.key != late {
                worker.result(
                    record.key,
                    record.bytes.starts_with(b"!"),
                    &record.bytes,
                    &[],
                );
                worker.flush();
                done.extend(driver.drain());
            }
        }
    }
    done.sort_unstable();
    let mut expected = [(all, status::READY), (get, status::FAILED)];
    expected.sort_unstable();
    assert_eq!(done, expected);
    driver.end_wait(never);
    assert_eq!(driver.drain(), [(never, status::ENDED)]);
    // Ending it again, or late, changes nothing.
    driver.end_wait(never);
    assert!(driver.drain().is_empty());
    worker.result(late, false, b"late", &[]);
    worker.flush();
    assert!(driver.drain().is_empty());
    end(&runtime, [driver, worker]);
}

#[test]
fn polling_an_unfinished_task_does_not_pile_up_edges() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let task = driver.submit(F, b"later", &[], &[]);
    let standing = driver.get(&[task]);
    for _ in 0..1000 {
        let token = driver.wait_for(&[task], Some(1));
        driver.end_wait(token);
        assert_eq!(driver.drain(), [(token, status::ENDED)]);
    }
    assert!(
        runtime.stats().edges <= 2,
        "{} edges",
        runtime.stats().edges
    );
    run_all(&mut worker);
    assert_eq!(driver.drain(), [(standing, status::READY)]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_token_that_is_used_again_hears_nothing_of_its_earlier_waits() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let (slow, other) = (
        driver.submit(F, b"slow", &[], &[]),
        driver.submit(F, b"other", &[], &[]),
    );
    driver.flush();
    let mut begun = 0;
    while begun < 2 {
        begun += worker.next().iter().filter(|of| worker.begin(of.k)).count();
    }
    for _ in 0..1000 {
        let token = driver.get(&[slow]);
        driver.end_wait(token);
        driver.flush();
        assert_eq!(driver.drain(), [(0, status::ENDED)]);
        driver.forget(token);
    }
    let token = driver.get(&[other]);
    driver.flush();
    worker.result(slow, false, b"", &[]);
    worker.flush();
    assert_eq!(driver.drain(), [], "what it waits for now is not there");
    worker.result(other, false, b"", &[]);
    worker.flush();
    assert_eq!(driver.drain(), [(token, status::READY)]);
    // Too late: the wait is over.
    driver.end_wait(token);
    driver.flush();
    assert_eq!(driver.drain(), []);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_task_whose_handle_went_first_is_forgotten_when_it_ends() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let task = driver.submit(F, b"unheard", &[], &[]);
    driver.release(task);
    driver.flush();
    run_all(&mut worker);
    assert_eq!(worker.header(header::IN_FLIGHT), 0);
    assert_eq!(driver.fetch(&[task]), [Outcome::Gone]);
    end(&runtime, [driver, worker]);
}

#[test]
fn an_async_task_is_in_flight_until_its_result() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let task = driver.submit(F, b"async", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    assert!(worker.next().is_empty());
    assert_eq!(worker.header(header::IN_FLIGHT), 1);
    worker.result(task, false, b"done", &[]);
    worker.next();
    assert_eq!(worker.header(header::IN_FLIGHT), 0);
    assert_eq!(driver.fetch(&[task]), [value(b"done")]);
    // A second result is nobody's.
    worker.result(task, true, b"again", &[]);
    worker.flush();
    assert_eq!(driver.fetch(&[task]), [value(b"done")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_task_for_a_sleeping_worker_starts_no_thread() {
    let runtime = runtime(4, 4);
    let (mut driver, mut worker) = (Isolate::driver(&runtime), Isolate::worker(&runtime));
    assert_eq!(worker.port.forage(), Forage::Nothing);
    assert!(worker.port.announce());
    driver.submit(F, b"one", &[], &[]);
    driver.flush();
    assert!(worker.bell.take());
    assert_eq!(driver.wanted, 0);
    // It is called and on its way; what comes now is worth more threads.
    let more = [(); 8].map(|()| driver.submit(F, b"more", &[], &[]));
    driver.flush();
    assert_eq!((driver.wanted, more.len()), (3, 8));
    worker.port.retract();
    run_all(&mut worker);
    end(&runtime, [driver, worker]);
}

#[test]
fn two_tasks_for_two_idle_workers_run_side_by_side() {
    let (runtime, mut driver, mut first) = pair(2, 2);
    let mut second = Isolate::worker(&runtime);
    for worker in [&mut second, &mut first] {
        assert_eq!(worker.port.forage(), Forage::Nothing);
        assert!(worker.port.announce());
    }
    driver.submit(F, b"a", &[], &[]);
    driver.submit(F, b"b", &[], &[]);
    driver.flush();
    assert!(first.bell.take(), "the last to fall asleep");
    first.port.retract();
    // Whichever the first takes may be long: the other is called for the rest.
    assert_eq!(first.next().len(), 1);
    assert!(second.bell.take());
    second.port.retract();
    assert_eq!(second.port.forage(), Forage::Work);
    assert_eq!(second.next().len(), 1);
    assert!(first.begin(0) && second.begin(0));
    end(&runtime, [driver, first, second]);
}

#[test]
fn records_left_lying_are_found_by_a_worker_that_was_about_to_sleep() {
    let (runtime, mut driver, mut busy) = pair(2, 2);
    let mut idle = Isolate::worker(&runtime);
    assert_eq!(idle.port.forage(), Forage::Nothing);
    // Between the look and the sleep of one, the other takes both tasks and gets stuck in the first.
    let tasks = [(); 2].map(|()| driver.submit(F, b"x", &[], &[]));
    driver.flush();
    let records = busy.next();
    assert_eq!(records.len(), 2);
    assert!(busy.begin(0));
    assert!(
        !idle.port.announce(),
        "it would sleep beside work that nobody else will do"
    );
    let found = loop {
        match idle.port.forage() {
            Forage::Later(_) => std::thread::yield_now(),
            found => break found,
        }
    };
    assert_eq!(found, Forage::Work);
    assert_eq!(run_all(&mut idle).len(), 1);
    assert!(!busy.begin(1));
    busy.result(records[0].key, false, b"x", &[]);
    busy.next();
    let outcomes = driver.fetch(&tasks);
    assert_eq!(outcomes, [value(b"x"), value(b"x")]);
    end(&runtime, [driver, busy, idle]);
}

#[test]
fn records_handed_back_for_a_nested_task_call_a_sleeper() {
    let (runtime, mut driver, mut busy) = pair(2, 2);
    let mut idle = Isolate::worker(&runtime);
    // Asleep beside records that nobody has begun. They may be taken soon, so a thread that others kept from running has to try again.
    let (tasks, records) = loop {
        let tasks = [(); 3].map(|()| driver.submit(F, b"x", &[], &[]));
        driver.flush();
        let records = busy.next();
        let sleeps = loop {
            if idle.port.announce() {
                break true;
            }
            if idle.port.forage() == Forage::Work {
                break false;
            }
        };
        if sleeps && records.len() == 3 {
            break (tasks, records);
        }
        if sleeps {
            idle.bell.take();
            idle.port.retract();
        }
        let begun: Vec<_> = records
            .iter()
            .filter(|record| busy.begin(record.k))
            .collect();
        for record in begun {
            busy.result(record.key, false, b"x", &[]);
        }
        run_all(&mut busy);
        run_all(&mut idle);
        tasks.iter().for_each(|key| driver.release(*key));
        driver.flush();
    };
    assert!(busy.begin(0));
    // The task waits for another that is in the same round: it runs it here, and gives the third back.
    let wanted = records
        .iter()
        .map(|record| record.key)
        .find(|key| *key == records[1].key)
        .unwrap();
    let nested = busy.take(wanted).unwrap();
    assert_eq!(nested.key, wanted);
    assert!(
        idle.bell.take(),
        "the third is free to be taken, and the nested task may be long"
    );
    idle.port.retract();
    assert_eq!(run_all(&mut idle).len(), 1);
    busy.result(nested.key, false, b"x", &[]);
    busy.result(records[0].key, false, b"x", &[]);
    busy.flush();
    assert!((0..3).all(|k| k == 0 || !busy.begin(k)));
    assert_eq!(
        driver.fetch(&tasks),
        [value(b"x"), value(b"x"), value(b"x")]
    );
    end(&runtime, [driver, busy, idle]);
}

#[test]
fn a_task_given_back_unbegun_runs_elsewhere() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert_eq!(worker.take(task).unwrap().key, task);
    assert!(worker.take(task).is_none());
    worker.hand_back(task);
    assert_eq!(run_all(&mut worker).len(), 1);
    assert!(worker.take(task).is_none());
    assert_eq!(driver.fetch(&[task]), [value(b"x")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_sleeper_without_a_slot_is_left_asleep() {
    let (runtime, mut driver, mut running) = pair(1, 2);
    let mut spare = Isolate::worker(&runtime);
    assert_eq!(spare.port.forage(), Forage::Nothing);
    let first = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert_eq!(running.next().len(), 1);
    while !spare.port.announce() {
        assert_eq!(spare.port.forage(), Forage::Nothing);
    }
    // No more than two, which a thread is handed together also if it looks slow.
    let rest = [(); 2].map(|()| driver.submit(F, b"y", &[], &[]));
    driver.flush();
    assert!(!spare.bell.take(), "only one may run, and one runs");
    assert!(running.begin(0));
    running.result(first, false, b"x", &[]);
    assert_eq!(
        running.next().len(),
        rest.len(),
        "nobody else can take a share"
    );
    assert!(!spare.bell.take());
    // The slot is given up with work left: now it is the spare's turn.
    running.park(0);
    assert!(spare.bell.take());
    spare.port.retract();
    assert_eq!(run_all(&mut spare).len(), rest.len());
    end(&runtime, [driver, running, spare]);
}

#[test]
fn a_blocked_task_gets_its_slot_back_before_new_tasks() {
    let (runtime, mut driver, mut worker) = pair(1, 2);
    let outer = driver.submit(F, b"outer", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    let inner = worker.submit(F, b"inner", &[], &[]);
    let token = worker.get(&[inner]);
    assert_eq!(worker.park(0), Reason::Slice as u32);
    // The driver was asked for a spare.
    driver.drain();
    assert_eq!(driver.wanted, 1);
    let mut spare = Isolate::worker(&runtime);
    assert_eq!(spare.port.forage(), Forage::Work);
    assert_eq!(spare.next().len(), 1);
    assert!(spare.begin(0));
    spare.result(inner, false, b"inner", &[]);
    spare.flush();
    assert_eq!(worker.park(0), Reason::Mail as u32);
    assert_eq!(worker.drain(), [(token, status::READY)]);
    assert_eq!(
        worker.resume(),
        Reason::Slice as u32,
        "the spare still holds the slot"
    );
    let more = driver.submit(F, b"more", &[], &[]);
    driver.flush();
    std::thread::scope(|scope| {
        let resumed = scope.spawn(|| while worker.resume() != Reason::Resumed as u32 {});
        // The spare, between its rounds, gives the slot to the code that waits for one.
        while !resumed.is_finished() {
            run_all(&mut spare);
            spare.port.announce();
            spare.port.retract();
        }
    });
    worker.result(outer, false, b"outer", &[]);
    run_all(&mut worker);
    run_all(&mut spare);
    let outcomes = driver.fetch(&[outer, inner, more]);
    assert_eq!(outcomes, [value(b"outer"), value(b"inner"), value(b"more")]);
    end(&runtime, [driver, worker, spare]);
}

#[test]
fn a_dead_worker_fails_what_it_had_begun_and_gives_the_rest_back() {
    let (runtime, mut driver, mut worker) = pair(1, 2);
    let tasks = [(); 4].map(|()| driver.submit(F, b"x", &[], &[]));
    let after = driver.submit(F, b"after", &tasks[..1], &[]);
    let token = driver.get(&tasks);
    let records = worker.next();
    assert_eq!(records.len(), 4);
    assert!(worker.begin(0));
    // It submits one more and dies before the flush: what it wrote counts.
    let orphan = worker.submit(F, b"orphan", &[], &[]);
    worker.close(Some(7), "bye");
    let crashed = Outcome::Crashed {
        exit_code: Some(7),
        text: "bye".to_owned(),
    };
    assert_eq!(driver.drain(), [(token, status::FAILED)]);
    assert_eq!(driver.wanted, 1);
    assert_eq!(
        driver.fetch(&[orphan]),
        [Outcome::Pending],
        "it runs, though nobody holds it"
    );
    let mut next = Isolate::worker(&runtime);
    assert_eq!(run_all(&mut next).len(), 4);
    for record in &records {
        let expected = if record.k == 0 {
            crashed.clone()
        } else {
            value(b"x")
        };
        assert_eq!(driver.fetch(&[record.key]), [expected]);
    }
    let begun = records[0].key == tasks[0];
    let expected = if begun { crashed } else { value(b"after") };
    assert_eq!(driver.fetch(&[after]), [expected]);
    end(&runtime, [driver, next]);
}

#[test]
fn a_dying_worker_passes_its_wake_on() {
    let (runtime, mut driver, mut first) = pair(2, 2);
    let mut second = Isolate::worker(&runtime);
    for worker in [&mut first, &mut second] {
        assert_eq!(worker.port.forage(), Forage::Nothing);
        assert!(worker.port.announce());
    }
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    let (called, mut other) = if first.bell.take() {
        (first, second)
    } else {
        (second, first)
    };
    assert!(!other.bell.take());
    called.close(Some(1), "");
    assert!(other.bell.take());
    other.port.retract();
    assert_eq!(run_all(&mut other).len(), 1);
    assert_eq!(driver.fetch(&[task]), [value(b"x")]);
    end(&runtime, [driver, other]);
}

#[test]
fn a_worker_that_dies_while_it_searches_or_blocks_leaves_no_trace() {
    let (runtime, mut driver, mut worker) = pair(1, 3);
    let idle = runtime.words();
    worker.port.start_search();
    worker.close(None, "");
    assert_eq!(idle.idle().load(std::sync::atomic::Ordering::SeqCst), 0);
    let mut worker = Isolate::worker(&runtime);
    let outer = driver.submit(F, b"outer", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    let inner = worker.submit(F, b"inner", &[], &[]);
    worker.get(&[inner]);
    worker.park(0);
    worker.close(Some(2), "");
    let mut next = Isolate::worker(&runtime);
    assert_eq!(run_all(&mut next).len(), 1);
    let crashed = Outcome::Crashed {
        exit_code: Some(2),
        text: String::new(),
    };
    assert_eq!(driver.fetch(&[outer, inner]), [crashed, Outcome::Gone]);
    assert_eq!(runtime.stats().workers, 1);
    end(&runtime, [driver, next]);
}

#[test]
fn a_stopped_runtime_lets_everyone_sleep_though_work_is_queued() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let task = driver.submit(F, &[0; 5000], &[], &[]);
    driver.get(&[task]);
    runtime.stop();
    assert!(worker.port.has_mail());
    worker.drain();
    assert_eq!(worker.header(header::STOPPED), 1);
    assert_eq!(worker.port.forage(), Forage::Nothing);
    assert!(worker.next().is_empty());
    assert!(worker.port.announce(), "its loop would turn for ever");
    worker.port.retract();
    driver.close(None, "");
    worker.close(None, "");
    // What was never run goes with the runtime.
    let store = runtime.store().clone();
    assert_eq!(store.stats().objects, 1);
    drop(runtime);
    assert_eq!(store.stats().objects, 0);
}

#[test]
fn threads_that_cannot_be_started_fail_the_work_only_if_nobody_else_can_do_it() {
    let (runtime, mut driver, mut worker) = pair(2, 2);
    let blocked = driver.submit(F, b"blocked", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    let tasks = [(); 2].map(|()| worker.submit(F, b"x", &[], &[]));
    worker.flush();
    (0..3).for_each(|_| runtime.thread_ended(u32::MAX, "no memory".to_owned()));
    worker.result(blocked, false, b"", &[]);
    assert_eq!(worker.fetch(&tasks), [Outcome::Pending, Outcome::Pending]);
    assert_eq!(
        run_all(&mut worker).len(),
        2,
        "a worker lives: it does them"
    );
    // What it queues for itself can still be taken by others.
    worker.submit(F, b"own", &[], &[]);
    worker.flush();
    assert_eq!(runtime.stats().queued, 1);
    // It blocks on what only another thread could do: there will be none.
    let outer = driver.submit(F, b"outer", &[], &[]);
    driver.flush();
    while !worker
        .next()
        .iter()
        .any(|record| worker.begin(record.k) && record.key == outer)
    {}
    let inner = worker.submit(F, b"inner", &[], &[]);
    let token = worker.get(&[inner]);
    worker.park(0);
    assert_eq!(worker.drain(), [(token, status::FAILED)]);
    assert_eq!(
        worker.fetch(&[inner]),
        [Outcome::Setup {
            text: "no memory".to_owned()
        }]
    );
    assert_eq!(worker.resume(), Reason::Resumed as u32);
    // With its end there is room for another thread, which may well come up.
    driver.drain();
    driver.wanted = 0;
    let last = driver.submit(F, b"last", &[outer], &[]);
    driver.flush();
    worker.result(outer, false, b"", &[]);
    worker.close(Some(0), "");
    driver.drain();
    assert_eq!(driver.wanted, 1);
    let mut worker = Isolate::worker(&runtime);
    run_all(&mut worker);
    assert_eq!(driver.fetch(&[last]), [value(b"last")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn after_three_failed_starts_all_work_fails_and_a_worker_that_comes_up_ends_that() {
    let runtime = runtime(1, 1);
    let mut driver = Isolate::driver(&runtime);
    let early = driver.submit(F, b"early", &[], &[]);
    driver.flush();
    for left in (0..3).rev() {
        assert_eq!(std::mem::take(&mut driver.wanted), 1);
        runtime.thread_ended(u32::MAX, "no memory".to_owned());
        driver.drain();
        assert_eq!(driver.wanted, u32::from(left > 0));
    }
    let late = driver.submit(F, b"late", &[early], &[]);
    let alone = driver.submit(F, b"alone", &[], &[]);
    driver.flush();
    let setup = || Outcome::Setup {
        text: "no memory".to_owned(),
    };
    assert_eq!(
        driver.fetch(&[early, late, alone]),
        [setup(), setup(), setup()]
    );
    let mut worker = Isolate::worker(&runtime);
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    run_all(&mut worker);
    assert_eq!(driver.fetch(&[task]), [value(b"x")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_closed_isolate_gives_back_handles_stock_and_waits() {
    let (runtime, mut driver, worker) = pair(1, 1);
    let object = driver.put(&[1; 5000], &[]);
    let task = driver.submit(F, b"x", &[object], &[object]);
    driver.get(&[task]);
    let before = record::header(&driver.area, header::OUTSTANDING);
    assert_eq!((before, driver.port.outstanding()), (1, 1));
    driver.close(None, "");
    // The task runs on: it holds what it needs.
    let mut worker = worker;
    let done = run_all(&mut worker);
    assert_eq!(done.len(), 1);
    assert_eq!(runtime.store().stats().objects, 0);
    end(&runtime, [worker]);
}

#[test]
fn a_thread_that_took_part_and_died_was_no_failed_start() {
    let runtime = runtime(1, 1);
    let mut driver = Isolate::driver(&runtime);
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    for start in 0..5 {
        assert_eq!(std::mem::take(&mut driver.wanted), 1);
        let mut worker = Isolate::new(&runtime, Role::Worker { start }).unwrap();
        assert_eq!(worker.next().len(), 1);
        worker.close(Some(1), "exit");
        // The driver hears of it late, or never: it may be blocked.
        driver.drain();
        if start > 2 {
            runtime.thread_ended(start, "exit".to_owned());
        }
    }
    assert_eq!(driver.fetch(&[task]), [Outcome::Pending]);
    let mut worker = Isolate::worker(&runtime);
    run_all(&mut worker);
    assert_eq!(driver.fetch(&[task]), [value(b"x")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_driver_that_does_not_look_up_is_told_in_its_own_crossing_that_more_threads_are_wanted() {
    let (runtime, mut driver, mut worker) = pair(2, 2);
    // The thread that was wanted before does not come up.
    runtime.thread_ended(u32::MAX, "no memory".to_owned());
    while !worker.port.announce() {
        assert_eq!(worker.port.forage(), Forage::Nothing);
    }
    let tasks = [(); 2].map(|()| {
        let task = driver.submit(F, b"x", &[], &[]);
        driver.flush();
        task
    });
    assert!(worker.bell.take());
    assert_eq!(driver.wanted, 1, "one sleeper, two tasks");
    worker.port.retract();
    run_all(&mut worker);
    assert_eq!(driver.fetch(&tasks), [value(b"x"), value(b"x")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn large_bytes_that_no_record_names_go_with_their_isolate() {
    let (runtime, driver, mut worker) = pair(1, 1);
    let store = runtime.store().clone();
    let before = store.stats().objects;
    for _ in 0..3 {
        let object = store.create(100_000).unwrap().seal();
        worker.port.keep(object, 100_000);
    }
    assert_eq!(store.stats().objects, before + 3);
    worker.close(Some(1), "terminated");
    assert_eq!(store.stats().objects, before);
    end(&runtime, [driver]);
}

#[test]
fn a_port_that_is_dropped_instead_of_closed_leaves_nothing_behind() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    drop(worker);
    assert_eq!(runtime.stats().workers, 0);
    assert!(matches!(
        driver.fetch(&[task])[..],
        [Outcome::Crashed {
            exit_code: None,
            ..
        }]
    ));
    drop(driver);
    assert_empty(&runtime);
}

#[test]
fn a_text_longer_than_the_area_is_cut_and_not_asked_for_again_and_again() {
    let (runtime, mut driver, _) = pair(1, 1);
    let tasks = [(); 3].map(|()| driver.submit(F, b"x", &[], &[]));
    driver.flush();
    let reason = "\u{e9}".repeat(layout::HEAP_BYTES);
    (0..3).for_each(|_| runtime.thread_ended(u32::MAX, reason.clone()));
    for outcome in driver.fetch(&tasks) {
        let Outcome::Setup { text } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(text.len() > 4096 && reason.starts_with(&text));
    }
    end(&runtime, [driver]);
}

#[test]
fn a_freed_object_fails_all_that_want_it_and_takes_what_lay_in_it_along() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let inner = driver.put(b"inner", &[]);
    let outer = driver.put(b"outer", &[inner]);
    let pending = driver.submit(F, b"pending", &[], &[]);
    let dependant = driver.submit(F, b"dependant", &[pending], &[]);
    driver.release(inner);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    for key in [outer, pending, outer] {
        driver.free(key);
    }
    let late = driver.submit(F, b"late", &[outer], &[]);
    driver.flush();
    let freed = || Outcome::Freed;
    assert_eq!(
        driver.fetch(&[outer, inner, pending, dependant, late]),
        [freed(), Outcome::Gone, freed(), freed(), freed()]
    );
    worker.result(pending, false, b"too late", &[]);
    worker.flush();
    assert_eq!(driver.fetch(&[pending]), [freed()]);
    end(&runtime, [driver, worker]);
}

#[test]
fn threads_that_end_as_soon_as_they_are_up_are_not_started_for_ever() {
    let runtime = runtime(1, 1);
    let mut driver = Isolate::driver(&runtime);
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    for start in 0..3 {
        assert_eq!(std::mem::take(&mut driver.wanted), 1);
        let worker = Isolate::new(&runtime, Role::Worker { start }).unwrap();
        worker.close(Some(7), "boom");
        driver.drain();
    }
    assert_eq!(driver.wanted, 0);
    assert_eq!(
        driver.fetch(&[task]),
        [Outcome::Setup {
            text: "threads end as soon as they are up: boom".to_owned()
        }]
    );
    end(&runtime, [driver]);
}

#[test]
fn a_newcomer_uses_the_runtime_and_is_handed_nothing_until_it_takes_its_seat() {
    let runtime = runtime(1, 1);
    let mut driver = Isolate::driver(&runtime);
    let mut newcomer = Isolate::new(&runtime, Role::Newcomer { start: 0 }).unwrap();
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert_eq!(driver.wanted, 1);
    let object = newcomer.put(b"own", &[]);
    newcomer.flush();
    assert_eq!(newcomer.fetch(&[object]), [value(b"own")]);
    assert_eq!(newcomer.port.forage(), Forage::Nothing);
    assert!(newcomer.port.announce(), "nothing keeps its loop awake");
    assert!(newcomer.next().is_empty());
    // It sleeps, but not as one who could be called for this.
    assert_eq!(runtime.stats().workers, 0);
    newcomer.port.retract();
    assert_eq!(newcomer.port.take_seat(), Some(0));
    assert_eq!(runtime.stats().workers, 1);
    run_all(&mut newcomer);
    assert_eq!(driver.fetch(&[task]), [value(b"x")]);
    newcomer.release(object);
    end(&runtime, [driver, newcomer]);
}

#[test]
fn a_newcomer_that_ends_is_a_failed_start_which_the_driver_need_not_tell() {
    let runtime = runtime(1, 1);
    let mut driver = Isolate::driver(&runtime);
    let task = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    for start in 0..3 {
        assert_eq!(std::mem::take(&mut driver.wanted), 1);
        let newcomer = Isolate::new(&runtime, Role::Newcomer { start }).unwrap();
        newcomer.close(Some(9), if start == 2 { "" } else { "boom" });
        driver.drain();
        // Told all the same, it does not count twice.
        runtime.thread_ended(start, "late".to_owned());
    }
    assert_eq!(driver.wanted, 0);
    let text = "the thread ended with exit code 9 before it was ready".to_owned();
    assert_eq!(driver.fetch(&[task]), [Outcome::Setup { text }]);
    end(&runtime, [driver]);
}

#[test]
fn a_worker_with_as_many_unfinished_tasks_as_may_be_takes_none_and_nobody_counts_on_it() {
    let runtime = support::runtime_with(|config| {
        (config.totals.cpu, config.workers_max, config.async_max) = (2 * WHOLE, 2, 2);
    });
    let mut driver = Isolate::driver(&runtime);
    let mut worker = Isolate::worker(&runtime);
    let tasks = [(); 4].map(|()| driver.submit(F, b"x", &[], &[]));
    driver.flush();
    driver.wanted = 0;
    assert_eq!(
        worker.next().len(),
        1,
        "one at a time, before anything is known of them"
    );
    assert!(worker.begin(0));
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    assert!(worker.next().is_empty());
    assert_eq!(worker.port.forage(), Forage::Nothing);
    assert!(worker.port.announce());
    let late = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert!(!worker.bell.take(), "it sleeps, and nobody calls it");
    worker.port.retract();
    // One that waits for another is not counted: what it waits for may be the next in the queue.
    worker.get(&[tasks[2]]);
    assert_eq!(worker.port.forage(), Forage::Work);
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    worker.result(tasks[2], false, b"", &[]);
    worker.flush();
    worker.drain();
    assert_eq!(worker.port.forage(), Forage::Nothing);
    worker.result(tasks[0], false, b"", &[]);
    worker.flush();
    assert_eq!(worker.port.forage(), Forage::Work);
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    worker.result(tasks[1], false, b"", &[]);
    worker.result(tasks[3], false, b"", &[]);
    run_all(&mut worker);
    assert_eq!(driver.fetch(&[late]), [value(b"x")]);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_driver_that_blocks_learns_that_no_thread_comes_up() {
    let runtime = support::runtime_with(|config| config.start_patience = Duration::from_millis(60));
    let mut driver = Isolate::driver(&runtime);
    let task = driver.submit(F, b"x", &[], &[]);
    let token = driver.get(&[task]);
    assert_eq!(driver.wanted, 1);
    let reasons: Vec<u32> = (0..8).map(|_| driver.park(u32::MAX)).collect();
    assert_eq!(reasons[0], Reason::Slice as u32);
    assert_eq!(reasons[7], Reason::Stalled as u32);
    // One comes up after all.
    let mut worker = Isolate::worker(&runtime);
    assert_eq!(driver.park(u32::MAX), Reason::Slice as u32);
    run_all(&mut worker);
    assert_eq!(driver.park(u32::MAX), Reason::Mail as u32);
    assert_eq!(driver.drain(), [(token, status::READY)]);
    end(&runtime, [driver, worker]);
}

#[test]
fn copies_are_helped_by_as_many_threads_as_cores_are_idle() {
    let helpers = |isolate: &Isolate| isolate.port.copy_helpers();
    let (runtime, mut driver, mut worker) = pair(2, 2);
    // The worker was handed nothing in the end.
    assert_eq!((helpers(&driver), helpers(&worker)), (3, 3));
    driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    assert_eq!((helpers(&driver), helpers(&worker)), (2, 3));
    worker.next();
    end(&runtime, [driver, worker]);
    let runtime = support::runtime_with(|config| config.cores = 1);
    let driver = Isolate::driver(&runtime);
    assert_eq!(helpers(&driver), 0);
    end(&runtime, [driver]);
    let runtime = support::runtime_with(|config| config.copy_threads = 2);
    let driver = Isolate::driver(&runtime);
    assert_eq!(helpers(&driver), 1);
    end(&runtime, [driver]);
}

#[test]
fn a_worker_whose_javascript_runs_while_it_counts_as_asleep_passes_calls_on() {
    let (runtime, mut driver, mut sleeper) = pair(2, 3);
    let mut busy = Isolate::worker(&runtime);
    let unfinished = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert_eq!(busy.next().len(), 1);
    assert!(busy.begin(0));
    busy.next();
    for worker in [&mut sleeper, &mut busy] {
        while !worker.port.announce() {
            worker.port.forage();
        }
    }
    // Nobody knows that its loop runs code of the unfinished task: the other, which has nothing to do, is called first.
    let task = driver.submit(F, b"y", &[], &[]);
    driver.flush();
    assert!(sleeper.bell.take() && !busy.bell.take());
    // Both were called; the one that runs code hands the call on as soon as it crosses.
    let second = driver.submit(F, b"z", &[], &[]);
    driver.flush();
    assert!(busy.bell.take());
    sleeper.port.retract();
    while !sleeper.port.announce() {
        let done = run_round(&mut sleeper);
        if done.is_empty() {
            sleeper.port.forage();
        }
    }
    driver.drain();
    let third = driver.submit(F, b"z", &[], &[]);
    driver.flush();
    sleeper.bell.take();
    busy.flush();
    busy.result(unfinished, false, b"x", &[]);
    busy.flush();
    sleeper.port.retract();
    run_all(&mut sleeper);
    run_all(&mut busy);
    assert_eq!(
        driver.fetch(&[unfinished, task, second, third]),
        [value(b"x"), value(b"y"), value(b"z"), value(b"z")]
    );
    end(&runtime, [driver, sleeper, busy]);
}

#[test]
fn a_worker_that_blocks_is_no_sleeper_any_more() {
    let (runtime, mut driver, mut worker) = pair(1, 3);
    let unfinished = driver.submit(F, b"x", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    worker.next();
    while !worker.port.announce() {
        worker.port.forage();
    }
    // What follows its I/O blocks, inside of what counts as sleep, for a task that it submits.
    let task = worker.submit(F, b"y", &[], &[]);
    worker.get(&[task]);
    worker.park(0);
    driver.drain();
    assert!(!worker.bell.take(), "it does not call itself");
    assert_eq!(std::mem::take(&mut driver.wanted), 1, "it asks for a spare");
    let mut spare = Isolate::worker(&runtime);
    assert_eq!(run_all(&mut spare).len(), 1);
    worker.drain();
    while !spare.port.announce() {
        spare.port.forage();
    }
    assert_eq!(worker.resume(), Reason::Resumed as u32);
    worker.result(unfinished, false, b"x", &[]);
    end(&runtime, [driver, worker, spare]);
}

/// Two CPUs, a GPU and a piece of `db`; with a driver and two workers.
fn with_db() -> (Arc<Runtime>, Isolate, [Isolate; 2]) {
    let runtime = runtime_with(|config| {
        config.workers_max = 8;
        config.totals.cpu = 2 * WHOLE;
        config.totals.gpus = 1;
        config.totals.named = vec![("db".to_owned(), WHOLE)];
    });
    let driver = Isolate::driver(&runtime);
    let workers = [Isolate::worker(&runtime), Isolate::worker(&runtime)];
    (runtime, driver, workers)
}

fn define(runtime: &Runtime, terms: Terms) -> u32 {
    let function = Function {
        name: format!("{terms:?}"),
        source: String::new(),
    };
    runtime.define_on(function, terms).id
}

/// A function whose calls need all of `db`.
fn db(runtime: &Runtime) -> u32 {
    let demand = Demand {
        named: vec![("db".to_owned(), WHOLE)],
        ..Demand::default()
    };
    let terms = Terms {
        demand,
        returns: 1,
        ..Terms::default()
    };
    define(runtime, terms)
}

fn left(runtime: &Runtime, of: &str) -> u64 {
    let all = runtime.resources();
    let found = all.iter().find(|(name, ..)| name == of);
    found.map_or(0, |(_, _, left)| *left)
}

#[test]
fn a_resource_that_comes_back_in_the_middle_of_other_code_calls_a_sleeper() {
    let (runtime, mut driver, [mut first, mut second]) = with_db();
    let db = db(&runtime);
    let (holds, next) = (
        driver.submit(db, b"holds", &[], &[]),
        driver.submit(db, b"next", &[], &[]),
    );
    driver.flush();
    let held = first.next();
    assert!(held.len() == 1 && first.begin(0), "one of them has it");
    assert_eq!(first.header(header::IN_FLIGHT), 0);
    assert_eq!((left(&runtime, "CPU"), left(&runtime, "db")), (WHOLE, 0));
    // It awaits, and other code runs on its thread.
    let other = driver.submit(F, b"other", &[], &[]);
    driver.flush();
    assert!(first.next().len() == 1 && first.begin(0));
    assert_eq!(second.port.forage(), Forage::Nothing);
    assert!(second.port.announce(), "there is CPU for it, and no db");
    // The first fails while the other goes on: what it held is free, and somebody must hear of it.
    first.result(held[0].key, true, b"failed", &[]);
    first.flush();
    assert!(second.bell.take(), "a sleeper is called");
    second.port.retract();
    let records = second.next();
    assert_eq!(records[0].key, next);
    assert!(second.begin(0));
    second.result(next, false, b"done", &[]);
    first.result(other, false, b"done", &[]);
    assert_eq!(run_all(&mut first).len() + run_all(&mut second).len(), 0);
    assert_eq!(left(&runtime, "db"), WHOLE);
    assert_eq!(driver.fetch(&[holds]), [thrown(b"failed")]);
    end(&runtime, [driver, first, second]);
}

#[test]
fn who_waits_for_a_task_that_needs_what_he_holds_himself_is_told() {
    let (runtime, mut driver, [mut first, second]) = with_db();
    let db = db(&runtime);
    let outer = driver.submit(db, b"outer", &[], &[]);
    driver.flush();
    assert!(first.next().len() == 1 && first.begin(0));
    let inner = first.submit(db, b"inner", &[], &[]);
    assert!(first.take(inner).is_none(), "it cannot have what it needs");
    let token = first.get(&[inner]);
    let mut reason = first.park(layout::NO_TIMEOUT);
    while reason == Reason::Slice as u32 {
        reason = first.park(layout::NO_TIMEOUT);
    }
    assert_eq!(reason, Reason::Cycle as u32);
    first.end_wait(token);
    first.drain();
    while first.resume() != Reason::Resumed as u32 {}
    first.release(inner);
    first.result(outer, false, b"", &[]);
    assert_eq!(run_all(&mut first)[0].key, inner);
    end(&runtime, [driver, first, second]);
}

/// A function that is declared async, beside `F`.
fn async_function(runtime: &Runtime) -> u32 {
    define_f(runtime);
    let id = define(runtime, Terms::default());
    runtime.is_async(id);
    id
}

/// `F` under its number.
fn define_f(runtime: &Runtime) {
    let f = runtime.define(Function {
        name: "f".to_owned(),
        source: String::new(),
    });
    assert_eq!(f, F);
}

/// Begins a task on this worker that goes on after an `await`.
fn encumber(driver: &mut Isolate, worker: &mut Isolate, function: u32) -> Key {
    let task = driver.submit(function, b"async", &[], &[]);
    driver.flush();
    assert_eq!(worker.next().len(), 1);
    assert!(worker.begin(0));
    worker.hold(1);
    worker.flush();
    task
}

fn sleep(worker: &mut Isolate) {
    while !worker.port.announce() {
        worker.port.forage();
    }
}

#[test]
fn with_unfinished_async_tasks_a_worker_leaves_what_may_block_it_to_one_that_has_none() {
    let runtime = runtime(2, 2);
    let mut driver = Isolate::driver(&runtime);
    let [mut first, mut second] = [(); 2].map(|()| Isolate::worker(&runtime));
    let later = async_function(&runtime);
    let task = encumber(&mut driver, &mut first, later);
    sleep(&mut second);
    sleep(&mut first);
    let plain = driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    assert!(second.bell.take(), "it has nothing else to do");
    assert!(!first.bell.take());
    first.port.retract();
    assert!(
        matches!(first.port.forage(), Forage::Later(_)),
        "if the other does not come"
    );
    assert!(!first.port.has_work());
    // Calls of async functions it takes, from behind the other.
    let more = driver.submit(later, b"more", &[], &[]);
    driver.flush();
    assert_eq!(first.port.forage(), Forage::Work);
    assert_eq!(run_round(&mut first)[0].key, more);
    assert!(first.next().is_empty());
    second.port.retract();
    assert_eq!(second.port.forage(), Forage::Work);
    assert_eq!(run_round(&mut second)[0].key, plain);
    first.result(task, false, b"", &[]);
    first.hold(0);
    first.flush();
    // Now it takes everything.
    driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    assert_eq!(first.port.forage(), Forage::Work);
    assert_eq!(run_all(&mut first).len(), 1);
    end(&runtime, [driver, first, second]);
}

#[test]
fn if_there_is_nobody_else_a_worker_with_unfinished_async_tasks_takes_everything() {
    let (runtime, mut driver, mut worker) = pair(1, 1);
    let later = async_function(&runtime);
    let task = encumber(&mut driver, &mut worker, later);
    sleep(&mut worker);
    driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    assert!(worker.bell.take());
    worker.port.retract();
    assert_eq!(run_all(&mut worker).len(), 1);
    worker.result(task, false, b"", &[]);
    worker.hold(0);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_thread_is_started_for_what_is_passed_by_and_if_none_comes_up_it_is_done_all_the_same() {
    let (runtime, mut driver, mut worker) = pair(1, 2);
    let later = async_function(&runtime);
    let task = encumber(&mut driver, &mut worker, later);
    sleep(&mut worker);
    driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    assert_eq!(
        (worker.bell.take(), driver.wanted),
        (true, 1),
        "it is to see that it waits"
    );
    worker.port.retract();
    assert!(matches!(worker.port.forage(), Forage::Later(_)));
    assert!(worker.port.announce(), "its loop would turn for ever");
    for _ in 0..3 {
        runtime.thread_ended(7, "no".to_owned());
    }
    assert!(worker.bell.take(), "it is the only one left");
    worker.port.retract();
    assert_eq!(worker.port.forage(), Forage::Work);
    assert_eq!(run_all(&mut worker).len(), 1);
    worker.result(task, false, b"", &[]);
    worker.hold(0);
    end(&runtime, [driver, worker]);
}

#[test]
fn a_thread_that_is_coming_up_for_what_is_passed_by_may_take_longer_than_a_second() {
    let (runtime, mut driver, mut worker) = pair(1, 2);
    let later = async_function(&runtime);
    let task = encumber(&mut driver, &mut worker, later);
    sleep(&mut worker);
    let plain = driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    assert_eq!(driver.wanted, 1, "and the driver starts it");
    worker.port.retract();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1200) {
        assert!(matches!(worker.port.forage(), Forage::Later(left) if !left.is_zero()));
        assert!(worker.next().is_empty());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut spare = Isolate::worker(&runtime);
    assert_eq!(run_round(&mut spare)[0].key, plain);
    spare.next();
    worker.result(task, false, b"", &[]);
    worker.hold(0);
    end(&runtime, [driver, worker, spare]);
}

#[test]
fn queued_calls_of_a_function_that_turns_out_async_are_taken_beside_others() {
    for terms in [
        Terms::default(),
        Terms {
            priority: 1,
            ..Terms::default()
        },
    ] {
        let (runtime, mut driver, mut worker) = pair(1, 2);
        define_f(&runtime);
        let function = define(&runtime, terms);
        let task = encumber(&mut driver, &mut worker, function);
        let queued = [(); 20].map(|()| driver.submit(function, b"queued", &[], &[]));
        let plain = driver.submit(F, b"plain", &[], &[]);
        driver.flush();
        assert!(worker.next().is_empty());
        runtime.turns_out_async(function);
        // In between it may leave its CPU to a thread that could take the other, for a millisecond.
        let (mut done, began) = (Vec::new(), Instant::now());
        while done.len() < queued.len() && began.elapsed() < Duration::from_millis(900) {
            done.extend(run_round(&mut worker));
        }
        assert_eq!(done.len(), 20);
        assert_eq!(
            done[0].key, queued[0],
            "in the order in which they were submitted"
        );
        let mut spare = Isolate::worker(&runtime);
        sleep(&mut worker);
        assert_eq!(run_round(&mut spare)[0].key, plain);
        spare.next();
        worker.result(task, false, b"", &[]);
        worker.hold(0);
        end(&runtime, [driver, worker, spare]);
    }
}

#[test]
fn a_stream_of_async_tasks_leaves_its_cpu_to_what_it_passes_by() {
    let (runtime, mut driver, mut worker) = pair(1, 2);
    let later = async_function(&runtime);
    let task = encumber(&mut driver, &mut worker, later);
    let mut spare = Isolate::worker(&runtime);
    sleep(&mut spare);
    let plain = driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    // It always has something to take, and holds the only CPU.
    let mut is_called = spare.bell.take();
    for _ in 0..3 {
        driver.submit(later, b"more", &[], &[]);
        driver.flush();
        run_round(&mut worker);
        is_called |= spare.bell.take();
        if matches!(worker.port.forage(), Forage::Later(_)) {
            break;
        }
    }
    assert!(is_called);
    spare.port.retract();
    assert_eq!(spare.port.forage(), Forage::Work);
    // Either kind in turn, since it has none under way.
    let done = run_all(&mut spare);
    assert!(done.iter().any(|record| record.key == plain));
    sleep(&mut spare);
    run_all(&mut worker);
    worker.result(task, false, b"", &[]);
    worker.hold(0);
    worker.flush();
    while runtime.stats().queued > 0 {
        run_all(&mut worker);
    }
    end(&runtime, [driver, worker, spare]);
}

/// Wakes as its loop does when its bell rang without anything to do: true if it ends.
fn hears(worker: &mut Isolate) -> bool {
    worker.port.retract();
    assert_eq!(worker.port.forage(), Forage::Nothing);
    assert!(
        worker.port.hears_to_leave() && !worker.port.hears_to_leave(),
        "once"
    );
    assert!(!worker.port.announce(), "it has mail");
    worker.drain();
    assert_eq!(worker.header(header::LEAVE), 1);
    worker.drain();
    assert_eq!(worker.header(header::LEAVE), 0, "told once");
    worker.port.leave_if_idle()
}

#[test]
fn workers_beyond_the_cpus_end_when_they_have_been_idle_for_long() {
    let runtime = runtime(1, 4);
    let mut driver = Isolate::driver(&runtime);
    let mut workers = [(); 3].map(|()| Isolate::worker(&runtime));
    workers.iter_mut().for_each(sleep);
    runtime.retire(Instant::now(), Duration::from_secs(60));
    assert!(
        workers.iter().all(|worker| !worker.bell.is_rung()),
        "too early"
    );
    runtime.retire(Instant::now(), Duration::ZERO);
    let [first, second, third] = &mut workers;
    assert!(
        first.bell.take() && second.bell.take(),
        "who would be called last"
    );
    assert!(!third.bell.is_rung(), "one for each CPU stays");
    for worker in [first, second] {
        assert!(hears(worker));
    }
    runtime.retire(Instant::now(), Duration::ZERO);
    assert!(
        !third.bell.is_rung(),
        "those who are about to go are not counted"
    );
    // Who goes takes nothing more; the other is called.
    let task = driver.submit(F, b"a", &[], &[]);
    driver.flush();
    let [first, second, mut third] = workers;
    let mut leaving = [first, second];
    assert!(leaving.iter_mut().all(|worker| worker.next().is_empty()));
    assert!(third.bell.take());
    third.port.retract();
    assert_eq!(run_all(&mut third).len(), 1);
    assert_eq!(driver.fetch(&[task]), [value(b"a")]);
    end(&runtime, leaving.into_iter().chain([third, driver]));
}

#[test]
fn a_worker_that_was_asked_to_end_stays_if_it_has_work_or_holds_anything() {
    let runtime = runtime(1, 4);
    let mut driver = Isolate::driver(&runtime);
    let mut workers = [(); 2].map(|()| Isolate::worker(&runtime));
    workers.iter_mut().for_each(sleep);
    let [first, second] = &mut workers;
    runtime.retire(Instant::now(), Duration::ZERO);
    assert!(first.bell.take());
    // Work comes before it has heard.
    second.port.retract();
    driver.submit(F, b"a", &[], &[]);
    driver.flush();
    first.port.retract();
    assert_eq!(run_all(first).len(), 1);
    assert_eq!(first.port.forage(), Forage::Nothing);
    assert!(!first.port.hears_to_leave(), "that was before its work");
    // It holds a handle.
    let kept = driver.put(b"kept", &[]);
    driver.flush();
    first.retain(kept);
    first.flush();
    second.next();
    sleep(first);
    runtime.retire(Instant::now(), Duration::ZERO);
    assert!(first.bell.take());
    assert!(!hears(first));
    end(&runtime, workers.into_iter().chain([driver]));
}

#[test]
fn work_that_counted_on_a_worker_that_ends_is_done_by_a_new_one() {
    let runtime = runtime(1, 4);
    let mut driver = Isolate::driver(&runtime);
    let [mut leaving, mut dying] = [(); 2].map(|()| Isolate::worker(&runtime));
    sleep(&mut leaving);
    sleep(&mut dying);
    runtime.retire(Instant::now(), Duration::ZERO);
    assert!(hears(&mut leaving));
    dying.close(Some(1), "");
    let task = driver.submit(F, b"a", &[], &[]);
    driver.flush();
    leaving.close(Some(0), "");
    driver.drain();
    assert!(driver.wanted > 0);
    let mut new = Isolate::worker(&runtime);
    assert_eq!(run_all(&mut new).len(), 1);
    assert_eq!(driver.fetch(&[task]), [value(b"a")]);
    end(&runtime, [new, driver]);
}

#[test]
fn what_is_passed_by_for_a_second_is_taken_whoever_else_could() {
    let runtime = runtime(2, 2);
    let mut driver = Isolate::driver(&runtime);
    let [mut first, mut second] = [(); 2].map(|()| Isolate::worker(&runtime));
    let later = async_function(&runtime);
    let task = encumber(&mut driver, &mut first, later);
    // It seems to have nothing to do, and does not come.
    sleep(&mut second);
    sleep(&mut first);
    driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    assert!(second.bell.take());
    first.port.retract();
    let Forage::Later(time) = first.port.forage() else {
        panic!("it would sleep beside work");
    };
    assert!(time <= Duration::from_secs(1));
    assert!(first.next().is_empty());
    std::thread::sleep(time + Duration::from_millis(5));
    assert_eq!(first.port.forage(), Forage::Work);
    assert_eq!(run_round(&mut first).len(), 1);
    // From then on it is as it was.
    driver.submit(F, b"plain", &[], &[]);
    driver.flush();
    assert!(first.next().is_empty());
    second.port.retract();
    assert_eq!(run_all(&mut second).len(), 1);
    first.result(task, false, b"", &[]);
    first.hold(0);
    end(&runtime, [driver, first, second]);
}

#[test]
fn what_nobody_refers_to_is_there_for_nobody() {
    let (runtime, mut driver, worker) = pair(1, 1);
    let object = driver.put(b"object", &[]);
    driver.flush();
    assert!(worker.port.exists(object));
    driver.release(object);
    driver.flush();
    assert!(!worker.port.exists(object));
    end(&runtime, [driver, worker]);
}
