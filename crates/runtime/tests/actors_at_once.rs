//! Threads that make, call and kill the same actors at the same time, while others run them: whatever comes first, every call ends, each
//! begins as often as it may and no more, of a name there is one, and nothing is left.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mobula_runtime::layout::NO_TIMEOUT;
use mobula_runtime::{ActorTerms, Function, Role, Runtime, Terms, WHOLE};
use mobula_sched::{Bell, Key};
use support::bell::TestBell;
use support::hand::Hand;
use support::isolate::{Isolate, Method};
use support::record::Outcome;
use support::rng::Rng;
use support::{assert_empty, runtime_with};

/// Whoever waits for longer waits for ever.
const WATCHDOG: Duration = Duration::from_secs(120);

/// How often each call was begun, by its bytes.
type Runs = Arc<Mutex<HashMap<Vec<u8>, u32>>>;

/// A thread that runs actors.
struct Host {
    thread: JoinHandle<()>,
    bell: Arc<TestBell>,
}

/// It ends when it has nothing to do and is told that `is_over`, by its bell.
fn host(runtime: &Arc<Runtime>, start: u32, runs: &Runs, is_over: &Arc<AtomicBool>) -> Host {
    let (runtime, runs, is_over) = (runtime.clone(), runs.clone(), is_over.clone());
    let (tell, hear) = channel();
    let thread = std::thread::spawn(move || {
        let mut hand = Hand::new(&runtime, start);
        tell.send(hand.isolate.bell.clone()).unwrap();
        loop {
            hand.turn();
            let mut runs = runs.lock().unwrap();
            for begun in hand.begun.drain(..).filter(|begun| !begun.is_constructor) {
                *runs.entry(begun.bytes).or_default() += 1;
            }
            drop(runs);
            if hand.is_asleep && is_over.load(Ordering::Acquire) {
                return hand.isolate.close(Some(0), "");
            }
            if hand.is_asleep {
                hand.isolate.bell.wait(None);
                hand.wake();
            }
        }
    });
    Host {
        thread,
        bell: hear.recv().unwrap(),
    }
}

fn define(runtime: &Runtime, source: &str, terms: Terms) -> u32 {
    let function = Function {
        name: "A".to_owned(),
        source: source.to_owned(),
    };
    runtime.define_on(function, terms).id
}

#[test]
fn of_those_who_create_a_name_at_once_one_makes_it() {
    const CREATORS: usize = 8;
    let runtime = runtime_with(|_| ());
    let class = define(
        &runtime,
        "class",
        Terms {
            actor: Some(ActorTerms::default()),
            ..Terms::default()
        },
    );
    let barrier = Arc::new(Barrier::new(CREATORS));
    let creators = [(); CREATORS].map(|()| {
        let (runtime, barrier) = (runtime.clone(), barrier.clone());
        std::thread::spawn(move || {
            let mut isolate = Isolate::driver(&runtime);
            let mut made = Vec::new();
            for round in 0..200 {
                barrier.wait();
                let (key, is_new) = isolate.create_named(class, &format!("{round}"), b"new");
                barrier.wait();
                made.push((key, is_new));
                // All have a handle; the last who lets go ends it, and the name is free.
                isolate.release(key);
                isolate.flush();
            }
            isolate.close(None, "");
            made
        })
    });
    let made = creators.map(|thread| thread.join().unwrap());
    for round in 0..200 {
        let of_round = made.iter().map(|made| made[round]);
        assert_eq!(of_round.clone().filter(|(_, is_new)| *is_new).count(), 1);
        assert!(of_round.clone().all(|(key, _)| key == made[0][round].0));
    }
    assert_empty(&runtime);
}

/// Waits until all of them have ended.
fn end_of(isolate: &mut Isolate, keys: &[Key]) {
    let began = Instant::now();
    let token = isolate.wait_for(keys, Some(keys.len() as u32));
    while !isolate.drain().iter().any(|(done, _)| *done == token) {
        let open = keys.iter().filter(|key| !isolate.port.is_over(**key));
        assert!(began.elapsed() < WATCHDOG, "{} never end", open.count());
        isolate.park(NO_TIMEOUT);
    }
    isolate.forget(token);
}

/// What a caller does, and what it called: key, bytes, and how often each may be begun.
fn calls_and_kills(
    isolate: &mut Isolate,
    seed: u64,
    class: u32,
    methods: [(Method, u32); 2],
) -> Vec<(Key, Vec<u8>, u32)> {
    let mut rng = Rng(seed);
    let mut calls = Vec::new();
    for number in 0..600 {
        let name = format!("{}", rng.below(3));
        let (actor, _) = isolate.create_named(class, &name, b"new");
        for part in 0..3 {
            let (method, retries) = methods[rng.below(2)];
            let kind = ["", "!", "?"][rng.below(3)];
            let bytes = format!("{kind}{seed}.{number}.{part}").into_bytes();
            let key = isolate.call(actor, method, &bytes);
            calls.push((key, bytes, retries + 1));
        }
        match rng.below(12) {
            0 => isolate.kill(actor, false),
            1 => isolate.kill(actor, true),
            2 => isolate.cancel(calls[rng.below(calls.len())].0, false, false),
            _ => isolate.flush(),
        }
        isolate.release(actor);
        if number % 10 == 0 {
            // Those who run them keep up.
            let (last, ..) = calls[calls.len() - 1];
            end_of(isolate, &[last]);
        }
    }
    isolate.flush();
    calls
}

#[test]
fn actors_that_are_called_and_killed_at_once_lose_no_call() {
    let runtime = runtime_with(|config| {
        (config.workers_max, config.hosts_max) = (3, 2);
        config.totals.cpu = 2 * WHOLE;
    });
    let actor = ActorTerms {
        restarts: u32::MAX,
        in_order: true,
        ..ActorTerms::default()
    };
    let terms = Terms {
        actor: Some(actor),
        ..Terms::default()
    };
    let class = define(&runtime, "class", terms);
    let methods = [0, 2].map(|retries| {
        let terms = Terms {
            is_method: true,
            retries,
            ..Terms::default()
        };
        let function = define(&runtime, &format!("method {retries}"), terms);
        (Method { function, group: 0 }, retries)
    });
    let runs = Runs::default();
    let mut driver = Isolate::driver(&runtime);
    let callers = [1, 2].map(|seed| {
        let runtime = runtime.clone();
        std::thread::spawn(move || {
            let role = Role::Newcomer { start: 1000 + seed };
            let mut isolate = Isolate::new(&runtime, role).unwrap();
            let calls = calls_and_kills(&mut isolate, u64::from(seed), class, methods);
            let keys: Vec<Key> = calls.iter().map(|(key, ..)| *key).collect();
            end_of(&mut isolate, &keys);
            (isolate.fetch(&keys), calls, isolate)
        })
    });
    let is_over = Arc::new(AtomicBool::new(false));
    let mut hosts = Vec::new();
    while !callers.iter().all(JoinHandle::is_finished) {
        driver.drain();
        driver.flush();
        for _ in 0..std::mem::take(&mut driver.wanted) {
            hosts.push(host(&runtime, hosts.len() as u32, &runs, &is_over));
        }
        driver.park(1);
    }
    for caller in callers {
        let (outcomes, calls, isolate) = caller.join().unwrap();
        let runs = runs.lock().unwrap();
        for ((_, bytes, most), outcome) in calls.iter().zip(outcomes) {
            let count = runs.get(bytes).copied().unwrap_or(0);
            assert!(count <= *most, "{count} runs of at most {most}");
            match outcome {
                Outcome::Value { bytes: of_it, .. } | Outcome::Thrown { bytes: of_it, .. } => {
                    assert_eq!((of_it == *bytes, count > 0), (true, true));
                }
                Outcome::Cancelled | Outcome::ActorDied { .. } | Outcome::ActorUnavailable => {}
                other => panic!("{other:?}"),
            }
        }
        drop(runs);
        isolate.close(None, "");
    }
    is_over.store(true, Ordering::Release);
    for host in hosts {
        host.bell.ring();
        host.thread.join().unwrap();
    }
    driver.close(None, "");
    assert_empty(&runtime);
}
