//! Real threads, many tasks: nothing hangs, nothing is lost, nothing is left. `STRESS_SEED=7` runs with another seed.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use mobula_sched::Key;
use support::crew::{Crew, Ended};
use support::record::Outcome;
use support::rng::Rng;
use support::{assert_empty, runtime};

fn seed() -> u64 {
    std::env::var("STRESS_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// A hang ends the process with a word about it, since no thread of it can be ended.
fn watched(name: &'static str, test: impl FnOnce()) {
    watched_for(120, name, test);
}

fn watched_for(seconds: u64, name: &'static str, test: impl FnOnce()) {
    let (done, ended) = mpsc::channel::<()>();
    let limit = Duration::from_secs(seconds);
    let watchdog = std::thread::spawn(move || {
        if ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    });
    test();
    drop(done);
    watchdog.join().unwrap();
}

fn counters(len: usize) -> Arc<[AtomicU32]> {
    (0..len).map(|_| AtomicU32::new(0)).collect()
}

fn number(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
}

fn bytes(number: usize) -> [u8; 4] {
    (number as u32).to_le_bytes()
}

fn stop(crew: Crew) {
    let runtime = crew.runtime.clone();
    crew.stop();
    assert_empty(&runtime);
    assert_eq!(runtime.stats().workers, 0);
}

#[test]
fn four_threads_run_each_of_many_tasks_once() {
    watched("many tasks", || many_tasks(170_000));
}

#[test]
#[ignore = "for `npm run test:long`"]
fn four_threads_run_each_of_ten_million_tasks_once() {
    watched_for(900, "ten million tasks", || many_tasks(10_000_000));
}

/// Tasks in bursts that depend on some of the fifty before them. Each runs once, unless what it depends on failed, and its result
/// comes once.
fn many_tasks(count: usize) {
    let mut rng = Rng(seed());
    let mut crew = Crew::new(runtime(4, 4));
    let runs = counters(count);
    let task = crew.define("task", {
        let runs = runs.clone();
        move |_, record| {
            let k = number(&record.bytes);
            runs[k].fetch_add(1, Ordering::Relaxed);
            Ok(if k.is_multiple_of(1009) {
                Ended::Thrown(bytes(k).to_vec())
            } else {
                Ended::Value(bytes(k).to_vec())
            })
        }
    });
    let mut failed = vec![false; count];
    let mut all: Vec<Key> = Vec::with_capacity(count);
    let mut open = Vec::new();
    let mut released = 0;
    let mut burst = 1;
    for k in 0..count {
        let deps: Vec<usize> = if k > 50 && rng.chance(30) {
            (0..1 + rng.below(3))
                .map(|_| k - 1 - rng.below(50))
                .collect()
        } else {
            Vec::new()
        };
        failed[k] = deps.iter().any(|dep| failed[*dep]);
        let expected = u32::from(!failed[k]);
        failed[k] |= k % 1009 == 0;
        let keys: Vec<Key> = deps.iter().map(|dep| all[*dep]).collect();
        let key = crew.driver.submit(task, &bytes(k), &keys, &[]);
        all.push(key);
        open.push((k, key, expected));
        if open.len() == burst || k == count - 1 {
            // Short ones are mostly about sleep, long ones about who takes what.
            burst = 1 << rng.below(12);
            crew.driver.flush();
            crew.start_wanted();
            let keys: Vec<Key> = open.iter().map(|(_, key, _)| *key).collect();
            let token = crew.driver.wait_for(&keys, Some(keys.len() as u32));
            crew.run_until(token);
            for ((k, _, expected), outcome) in open.drain(..).zip(crew.driver.fetch(&keys)) {
                assert_eq!(
                    matches!(outcome, Outcome::Thrown { .. }),
                    failed[k],
                    "task {k}: {outcome:?}"
                );
                assert_eq!(
                    runs[k].load(Ordering::Relaxed),
                    expected,
                    "runs of task {k}"
                );
            }
            // Later ones depend on the last fifty at most.
            let kept = k.saturating_sub(50);
            let past = &all[std::mem::replace(&mut released, kept)..kept];
            past.iter().for_each(|key| crew.driver.release(*key));
        }
    }
    all[released..]
        .iter()
        .for_each(|key| crew.driver.release(*key));
    stop(crew);
}

#[test]
fn nested_blocking_waits_on_one_slot_come_to_their_end() {
    for helps in [true, false] {
        watched("nested waits", || {
            let mut crew = Crew::new(runtime(1, 64));
            let running = Arc::new(AtomicUsize::new(0));
            let fib = crew.define("fib", {
                let running = running.clone();
                move |context, record| {
                    assert_eq!(
                        running.fetch_add(1, Ordering::SeqCst),
                        context.depth(),
                        "one slot, and more run"
                    );
                    let n = number(&record.bytes);
                    let mut sum = n;
                    if n >= 2 {
                        let parts = [1, 2]
                            .map(|less| context.submit(record.function, &bytes(n - less), &[]));
                        if !helps {
                            running.fetch_sub(1, Ordering::SeqCst);
                        }
                        let outcomes = context.get(&parts, helps)?;
                        if !helps {
                            running.fetch_add(1, Ordering::SeqCst);
                        }
                        parts.into_iter().for_each(|part| context.release(part));
                        sum = outcomes.iter().map(value).sum();
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(Ended::Value(bytes(sum).to_vec()))
                }
            });
            // Without help each level of waiting takes a thread: 64 must do for all that block at once.
            let (n, expected) = if helps { (16, 987) } else { (8, 21) };
            let root = crew.driver.submit(fib, &bytes(n), &[], &[]);
            assert_eq!(value(&crew.get(&[root])[0]), expected);
            crew.driver.release(root);
            stop(crew);
        });
    }
}

fn value(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Value { bytes, .. } => number(bytes),
        other => panic!("a value was expected, not {other:?}"),
    }
}

#[test]
fn tasks_around_dying_threads_run_once_and_the_rest_crash() {
    const TASKS: usize = 30_000;
    watched("deaths", || {
        let mut rng = Rng(seed());
        // Every task that waits may block a thread of its own: fewer threads than that could all end up waiting.
        let mut crew = Crew::new(runtime(4, 300));
        let runs = counters(TASKS);
        let child = crew.define("child", |_, record| Ok(Ended::Value(record.bytes.clone())));
        let task = crew.define("task", {
            let runs = runs.clone();
            move |context, record| {
                let k = number(&record.bytes);
                runs[k].fetch_add(1, Ordering::Relaxed);
                if record.bytes[4] == 2 {
                    let part = context.submit(child, &bytes(k), &[]);
                    let outcomes = context.get(&[part], k.is_multiple_of(2))?;
                    context.release(part);
                    assert_eq!(value(&outcomes[0]), k);
                }
                Ok(if record.bytes[4] == 1 {
                    Ended::Exit(9)
                } else {
                    Ended::Value(bytes(k).to_vec())
                })
            }
        });
        let mut exits = 0;
        for start in (0..TASKS).step_by(1000) {
            let what: Vec<u8> = (0..1000)
                .map(|_| {
                    if rng.chance(1) {
                        1
                    } else {
                        2 * u8::from(rng.chance(10))
                    }
                })
                .collect();
            let tasks: Vec<Key> = (start..start + 1000)
                .map(|k| {
                    crew.driver.submit(
                        task,
                        &[&bytes(k)[..], &[what[k - start]]].concat(),
                        &[],
                        &[],
                    )
                })
                .collect();
            let token = crew.driver.wait_for(&tasks, Some(1000));
            crew.run_until(token);
            for ((k, what), outcome) in (start..).zip(&what).zip(crew.driver.fetch(&tasks)) {
                assert_eq!(runs[k].load(Ordering::Relaxed), 1, "runs of task {k}");
                let crashed = Outcome::Crashed {
                    exit_code: Some(9),
                    text: "exit".to_owned(),
                };
                assert_eq!(outcome == crashed, *what == 1, "task {k}: {outcome:?}");
                exits += usize::from(*what == 1);
            }
            tasks.into_iter().for_each(|key| crew.driver.release(key));
        }
        assert_eq!(crew.exits(), exits);
        stop(crew);
    });
}

#[test]
fn tasks_that_all_wait_for_others_are_not_stuck_for_ever() {
    watched("a wedge", || {
        let mut crew = Crew::new(runtime(2, 4));
        let inner = crew.define("inner", |_, _| Ok(Ended::Value(Vec::new())));
        let outer = crew.define("outer", move |context, _| {
            let part = context.submit(inner, &[], &[]);
            context.get(&[part], false)?;
            Ok(Ended::Value(Vec::new()))
        });
        let tasks: Vec<Key> = (0..40)
            .map(|_| crew.driver.submit(outer, &[], &[], &[]))
            .collect();
        let token = crew.driver.wait_for(&tasks, Some(40));
        crew.run_until(token);
        let thrown = |outcome: &Outcome| matches!(outcome, Outcome::Thrown { .. });
        let outcomes = crew.driver.fetch(&tasks);
        assert!(
            !outcomes.iter().all(thrown),
            "one gives up, so that the others go on"
        );
        tasks.into_iter().for_each(|key| crew.driver.release(key));
        crew.stop();
    });
}

#[test]
fn a_stop_in_the_middle_ends_all_threads() {
    for round in 0..50 {
        watched("stop", || {
            let mut crew = Crew::new(runtime(2, 32));
            let inner = crew.define("inner", |_, _| Ok(Ended::Value(Vec::new())));
            let outer = crew.define("outer", move |context, _| {
                let part = context.submit(inner, &[], &[]);
                context.get(&[part], false)?;
                Ok(Ended::Value(vec![0; 3000]))
            });
            let tasks: Vec<Key> = (0..24)
                .map(|_| crew.driver.submit(outer, &[0; 2000], &[], &[]))
                .collect();
            let token = crew.driver.wait_for(&tasks, Some(round % 24));
            crew.run_until(token);
            let (runtime, store) = (crew.runtime.clone(), crew.runtime.store().clone());
            crew.stop();
            // What was never run goes with the runtime.
            drop(runtime);
            assert_eq!((store.stats().objects, store.stats().bytes), (0, 0));
        });
    }
}
