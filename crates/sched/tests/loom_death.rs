//! Every interleaving of a worker's end with what others do to the task that it has: hand in a result of it, cancel it, or take it
//! back unbegun. It is settled once, and those who wait for it hear of it once; it is run again at most as often as it may, and
//! never once it is settled; and what it was given is released once, when no code has it any more.
//!
//! Drives the `Table` and the `Claims` that ship; the rest are the steps of the runtime's `complete`, `spread`, `cancel`,
//! `run_again`, `hand_back` and `Port::leave`, and the mutants, which must fail, leave out one of them each.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mobula-sched --release --test loom_death`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread;
use mobula_sched::{Claims, Key, Phase, Table, Words};
use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicU32, Ordering, fence};

/// What may be left out.
#[derive(Clone, Copy)]
struct Steps {
    /// A result looks whether the task is settled under the lock under which it settles it.
    looks_under_lock: bool,
    /// A dying worker counts as begun what its claims say, not all that it was handed.
    asks_claims: bool,
    /// Who sees a settled task waits until whoever settled it has kept what it was given.
    waits_for_keeper: bool,
    /// A task that is run again is queued by the one whose exchange made it ready.
    exchanges: bool,
}

const ALL: Steps = Steps {
    looks_under_lock: true,
    asks_claims: true,
    waits_for_keeper: true,
    exchanges: true,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Task { attempt: u32 },
    Value,
    Crashed,
    Cancelled,
}

/// One task that worker 0 was handed, and one who waits for it.
struct Fixture {
    steps: Steps,
    table: Table,
    key: Key,
    waiter: Key,
    claims: [Claims; 2],
    place: AtomicU32,
    body: Mutex<Body>,
    /// What it was given, of a task that was settled before its code had ended.
    lingers: Mutex<bool>,
    released: AtomicU32,
    told: AtomicU32,
    queue: Mutex<Vec<Key>>,
    retries: u32,
    round: u32,
}

impl Fixture {
    fn new(steps: Steps, retries: u32) -> Arc<Self> {
        let table = Table::new();
        let (key, waiter) = (table.reserve(), table.reserve());
        assert!(!table.wait_for(waiter, &[key], 1));
        assert!(table.advance(key, Phase::New, Phase::Ready));
        assert!(table.advance(key, Phase::Ready, Phase::Offered));
        let words = Arc::new(Words::new(2));
        let claims = [0, 1].map(|place| Claims::new(words.clone(), place));
        let round = claims[0].start_round(&[key], Instant::now());
        Arc::new(Self {
            steps,
            table,
            key,
            waiter,
            claims,
            place: AtomicU32::new(0),
            body: Mutex::new(Body::Task { attempt: 0 }),
            lingers: Mutex::new(false),
            released: AtomicU32::new(0),
            told: AtomicU32::new(0),
            queue: Mutex::new(Vec::new()),
            retries,
            round,
        })
    }

    fn spawn<T: 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&Self) -> T + 'static,
    ) -> thread::JoinHandle<T> {
        let fixture = self.clone();
        thread::spawn(move || act(&fixture))
    }

    /// Worker 0 begins it.
    fn begin(&self) -> bool {
        self.claims[0].begin(0, self.round)
    }

    fn is_open(&self, body: Body) -> bool {
        let phase = self.table.phase(self.key);
        matches!(body, Body::Task { .. }) && !phase.is_none_or(Phase::is_settled)
    }

    fn tell(&self, waiters: &[Key]) {
        assert!(waiters.iter().all(|waiter| *waiter == self.waiter));
        self.told.fetch_add(waiters.len() as u32, Ordering::Relaxed);
    }

    fn release(&self) {
        self.released.fetch_add(1, Ordering::Relaxed);
    }

    /// A result of it is handed in. False: it is dropped.
    fn complete(&self) -> bool {
        let is_open_before = !self.steps.looks_under_lock && self.is_open(self.body());
        let mut body = self.body.lock();
        if !is_open_before && !self.is_open(*body) {
            return false;
        }
        *body = Body::Value;
        let mut ready = Vec::new();
        self.table.resolve(self.key, Phase::Done, &mut ready);
        drop(body);
        self.tell(&ready);
        self.release();
        true
    }

    /// It fails, and what it was given lingers if its code may go on. The phase before, and its place.
    fn strike(&self, why: Body, lingers: bool) -> Option<(Phase, usize)> {
        let mut body = self.body.lock();
        if !self.is_open(*body) {
            return None;
        }
        *body = why;
        let mut waiters = Vec::new();
        let before = self.table.resolve_failed(self.key, &mut waiters)?;
        fence(Ordering::SeqCst);
        let place = self.place.load(Ordering::Relaxed) as usize;
        let keeps = lingers && matches!(before, Phase::Offered | Phase::Running);
        if keeps {
            *self.lingers.lock() = true;
        }
        drop(body);
        self.tell(&waiters);
        if !keeps {
            self.release();
        }
        Some((before, place))
    }

    fn cancel(&self) -> bool {
        let Some((before, place)) = self.strike(Body::Cancelled, true) else {
            return false;
        };
        let claims = self.claims.get(place);
        if before == Phase::Offered && claims.is_some_and(|claims| claims.take_one(self.key)) {
            self.let_linger_no_more();
        }
        true
    }

    fn let_linger_no_more(&self) {
        if std::mem::take(&mut *self.lingers.lock()) {
            self.release();
        }
    }

    /// The same by one who saw that somebody else has settled it.
    fn let_settled_linger_no_more(&self) {
        if self.steps.waits_for_keeper {
            drop(self.body.lock());
        }
        self.let_linger_no_more();
    }

    fn is_nowhere(&self) {
        self.place.store(u32::MAX, Ordering::Relaxed);
    }

    fn hand_back(&self) {
        self.is_nowhere();
        if self.table.advance(self.key, Phase::Offered, Phase::Ready) {
            self.queue.lock().push(self.key);
        } else {
            self.let_settled_linger_no_more();
        }
    }

    fn run_again(&self) -> bool {
        {
            let mut body = self.body.lock();
            let Body::Task { attempt } = &mut *body else {
                return false;
            };
            let is_begun = self.table.phase(self.key) == Some(Phase::Offered);
            if *attempt >= self.retries || !is_begun {
                return false;
            }
            *attempt += 1;
        }
        self.is_nowhere();
        let is_ready = self.table.advance(self.key, Phase::Offered, Phase::Ready);
        let is_queued = is_ready || !self.steps.exchanges;
        if is_queued {
            self.queue.lock().push(self.key);
        }
        is_queued
    }

    /// The thread of worker 0 ends.
    fn die(&self) {
        let (mut begun, mut unbegun) = (Vec::new(), Vec::new());
        self.claims[0].end_round(|key| begun.push(key), &mut unbegun);
        if !self.steps.asks_claims && unbegun.is_empty() {
            begun = vec![self.key];
        }
        unbegun.iter().for_each(|_| self.hand_back());
        for _ in begun {
            if !self.run_again() {
                self.strike(Body::Crashed, false);
                self.let_linger_no_more();
            }
        }
    }

    /// Worker 1 takes it from the queue. True if it has begun it.
    fn run_elsewhere(&self) -> bool {
        let queued = self.queue.lock().pop();
        if queued.is_none() || !self.table.advance(self.key, Phase::Ready, Phase::Offered) {
            return false;
        }
        self.place.store(1, Ordering::Relaxed);
        let round = self.claims[1].start_round(&[self.key], Instant::now());
        fence(Ordering::SeqCst);
        let is_wanted = self.table.phase(self.key) == Some(Phase::Offered);
        if !is_wanted && self.claims[1].take_one(self.key) {
            self.let_settled_linger_no_more();
        }
        self.claims[1].begin(0, round)
    }

    /// The code that worker 1 has begun ends.
    fn end_elsewhere(&self) {
        self.complete();
        self.let_linger_no_more();
    }

    fn body(&self) -> Body {
        *self.body.lock()
    }

    /// All has come to its end: whatever is queued is run.
    fn ends(&self) {
        while !self.queue.lock().is_empty() {
            if self.run_elsewhere() {
                self.end_elsewhere();
            }
        }
        let expected = match self.body() {
            Body::Task { .. } => panic!("it is never settled"),
            Body::Value => Phase::Done,
            Body::Crashed | Body::Cancelled => Phase::Failed,
        };
        assert_eq!(self.table.phase(self.key), Some(expected), "settled twice");
        assert_eq!(self.told.load(Ordering::Relaxed), 1, "told once");
        assert_eq!(self.released.load(Ordering::Relaxed), 1, "released once");
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

/// Its worker dies, who has begun it, while a result of it is handed in.
fn death_and_result(steps: Steps, retries: u32) {
    check(move || {
        let fixture = Fixture::new(steps, retries);
        assert!(fixture.begin());
        let result = fixture.spawn(Fixture::complete);
        fixture.die();
        let is_taken = result.join().unwrap();
        let body = fixture.body();
        assert_eq!(is_taken, body == Body::Value, "{body:?} is what it came to");
        fixture.ends();
    });
}

/// Its worker dies, who may have begun it, while it is cancelled.
fn death_and_cancel(steps: Steps, retries: u32, is_begun: bool) {
    check(move || {
        let fixture = Fixture::new(steps, retries);
        assert!(!is_begun || fixture.begin());
        let canceller = fixture.spawn(Fixture::cancel);
        fixture.die();
        let is_cancelled = canceller.join().unwrap();
        assert_eq!(is_cancelled, fixture.body() == Body::Cancelled);
        let waits = fixture.queue.lock().len();
        assert!(waits <= 1, "it is queued twice");
        assert!(
            !(is_cancelled && fixture.run_elsewhere()),
            "nobody wants it"
        );
        fixture.ends();
    });
}

/// Its worker may begin it and dies while another takes it back and runs it.
fn death_and_taking_back(steps: Steps) {
    check(move || {
        let fixture = Fixture::new(steps, 1);
        let thief = fixture.spawn(|fixture| {
            let mut taken = Vec::new();
            fixture.claims[0].take_back(Duration::ZERO, true, &mut taken);
            taken.iter().for_each(|_| fixture.hand_back());
            !taken.is_empty() && fixture.run_elsewhere()
        });
        let is_begun = fixture.begin();
        fixture.die();
        let is_begun_elsewhere = thief.join().unwrap();
        assert!(
            !(is_begun && is_begun_elsewhere),
            "the record is begun twice"
        );
        if is_begun_elsewhere {
            assert!(fixture.queue.lock().is_empty(), "it runs, and is queued");
            fixture.end_elsewhere();
        }
        fixture.ends();
    });
}

#[test]
fn a_result_of_a_task_whose_worker_dies_counts_or_is_dropped() {
    death_and_result(ALL, 0);
}

#[test]
fn a_task_that_is_run_again_while_a_result_of_it_comes_is_settled_once() {
    death_and_result(ALL, 1);
}

#[test]
fn a_task_whose_worker_dies_while_it_is_cancelled_is_settled_once_and_not_run_again() {
    death_and_cancel(ALL, 0, true);
    death_and_cancel(ALL, 1, true);
}

#[test]
fn an_unbegun_task_whose_worker_dies_while_it_is_cancelled_leaves_nothing_behind() {
    death_and_cancel(ALL, 0, false);
}

#[test]
fn a_task_that_is_taken_back_from_a_worker_that_dies_runs_once() {
    death_and_taking_back(ALL);
}

/// Whoever hands a result in has seen that the task is not settled, and settles it when it is.
#[test]
#[should_panic(expected = "settled twice")]
fn without_the_lock_around_look_and_change_a_failure_is_overwritten() {
    death_and_result(
        Steps {
            looks_under_lock: false,
            ..ALL
        },
        0,
    );
}

/// It is settled, and whoever settled it has not kept yet what it was given: nobody lets go of that.
#[test]
#[should_panic(expected = "released once")]
fn without_waiting_for_the_keeper_what_the_task_was_given_is_kept_for_ever() {
    death_and_cancel(
        Steps {
            waits_for_keeper: false,
            ..ALL
        },
        0,
        false,
    );
}

/// A dying worker that asks the phase alone takes a task from whom it was given to.
#[test]
#[should_panic(expected = "it runs, and is queued")]
fn without_asking_the_claims_a_task_is_run_again_that_runs_elsewhere() {
    death_and_taking_back(Steps {
        asks_claims: false,
        ..ALL
    });
}

/// It was cancelled between the look and the exchange, and counts as one that is run again: what it was given stays.
#[test]
#[should_panic(expected = "released once")]
fn without_the_exchange_a_cancelled_task_counts_as_run_again() {
    death_and_cancel(
        Steps {
            exchanges: false,
            ..ALL
        },
        1,
        true,
    );
}
