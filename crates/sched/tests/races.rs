//! Workers that hand plain memory to each other by nothing but the scheduler, for ThreadSanitizer (`npm run test:long --
//! --only sanitizers`): whoever runs a task sees what its submitter and all whom it waited for have written.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../sync/tests/support/acquiring.rs"]
mod acquiring;

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mobula_sched::{Bell, Claims, Idle, Key, Lane, Local, Phase, Queues, Sleeper, Table, Words};
use mobula_sync::{Condvar, Mutex};

#[global_allocator]
static ALLOCATOR: acquiring::Acquiring = acquiring::Acquiring;

const WORKERS: usize = 3;
const ROUNDS: u64 = 60;
const TASKS: usize = 150;
const DEPS_MAX: u64 = 3;
/// More than a round has tasks, since slots are used again.
const CELLS: usize = 4096;
/// What workers take at once, so that others find something to take back.
const BATCH: usize = 8;

/// What a task is and what it came to, in memory that nothing guards. By the index of its slot.
#[derive(Default)]
struct Task {
    number: u64,
    deps: Vec<Key>,
    sum: u64,
}

struct Shared {
    table: Table,
    queues: Queues,
    idle: Idle,
    claims: Vec<Claims>,
    tasks: Vec<UnsafeCell<Task>>,
    /// Relaxed, as is `stop`: they must order nothing.
    done: AtomicU32,
    stop: AtomicBool,
}

// SAFETY: who may touch a cell is what this test is about. The submitter does before it hands the task in, then the one
// worker that runs it, then whoever was told that it is done.
unsafe impl Sync for Shared {}

fn lane_of(number: u64) -> Lane {
    Lane::ALL[(number % 2) as usize]
}

fn next(local: &mut Local, queues: &Queues) -> Option<Key> {
    Lane::ALL
        .into_iter()
        .find_map(|lane| local.next(queues, lane))
}

#[derive(Debug, Default)]
struct TestBell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell for TestBell {
    fn ring(&self) {
        *self.rung.lock() = true;
        self.ringing.notify_one();
    }
}

impl TestBell {
    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !*rung {
            rung = self.ringing.wait(rung);
        }
        *rung = false;
    }
}

impl Shared {
    fn new() -> Arc<Self> {
        let words = Arc::new(Words::new(WORKERS));
        Arc::new(Self {
            table: Table::new(),
            queues: Queues::new(),
            idle: Idle::new(words.clone()),
            claims: (0..WORKERS)
                .map(|at| Claims::new(words.clone(), at))
                .collect(),
            tasks: (0..CELLS).map(|_| UnsafeCell::default()).collect(),
            done: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        })
    }

    /// What a task that is done came to.
    fn sum(&self, key: Key) -> u64 {
        assert_eq!(self.table.phase(key), Some(Phase::Done));
        // SAFETY: it is done, so nobody writes any more.
        unsafe { (*self.tasks[key.index as usize].get()).sum }
    }

    /// A task is handed in: it may run from now on, also while the next are written.
    fn submit(&self, key: Key, number: u64, deps: Vec<Key>) {
        // SAFETY: nobody else knows the key yet.
        let task = unsafe { &mut *self.tasks[key.index as usize].get() };
        *task = Task {
            number,
            deps,
            sum: 0,
        };
        let deps = task.deps.clone();
        if self.table.wait_for(key, &deps, deps.len() as u32) {
            self.queues.inject(key, lane_of(number));
            self.idle.notify();
        }
    }

    /// Runs a task; what it made ready is the worker's.
    fn execute(&self, key: Key, ready: &mut Vec<Key>) {
        // SAFETY: a task is run by one.
        let task = unsafe { &mut *self.tasks[key.index as usize].get() };
        let of_deps: u64 = task.deps.iter().map(|dep| self.sum(*dep)).sum();
        task.sum = task.number + of_deps % 1000;
        assert!(self.table.resolve(key, Phase::Done, ready));
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn work(&self, me: usize) {
        let mut local = self.queues.join(me);
        let bell = Arc::new(TestBell::default());
        let mut ready = Vec::new();
        let mut others = Vec::new();
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                let Some(key) = next(&mut local, &self.queues) else {
                    break;
                };
                batch.push(key);
            }
            if batch.is_empty() {
                for victim in (0..WORKERS).filter(|victim| *victim != me) {
                    self.claims[victim].take_back(Duration::ZERO, false, &mut others);
                }
            }
            let found = !batch.is_empty() || !others.is_empty();
            if found && self.queues.has_work() {
                self.idle.notify();
            }
            let round = self.claims[me].start_round(&batch, Instant::now());
            for (k, key) in batch.iter().enumerate() {
                if self.claims[me].begin(k, round) {
                    self.execute(*key, &mut ready);
                }
            }
            self.claims[me].end_round(|_| {}, &mut others);
            for key in others.drain(..) {
                self.execute(key, &mut ready);
            }
            ready.drain(..).for_each(|key| local.push(key, Lane::Plain));
            if found {
                continue;
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.idle.announce(me, bell.clone(), Sleeper::Free);
            if self.queues.has_work() || self.stop.load(Ordering::Relaxed) {
                self.idle.retract(me);
                continue;
            }
            bell.wait();
            self.idle.retract(me);
        }
        self.queues.leave(local);
    }
}

/// A small generator, so that a failure can be repeated.
fn below(state: &mut u64, limit: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % limit
}

fn main() {
    let shared = Shared::new();
    let start = |me| {
        let shared = shared.clone();
        thread::spawn(move || shared.work(me))
    };
    let workers: Vec<_> = (0..WORKERS).map(start).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..ROUNDS {
        let mut keys: Vec<Key> = Vec::new();
        let mut expected: Vec<u64> = Vec::new();
        for number in 0..TASKS {
            let deps: Vec<usize> = (0..below(&mut random, DEPS_MAX + 1))
                .filter(|_| number > 0)
                .map(|_| below(&mut random, number as u64) as usize)
                .collect();
            let of_deps: u64 = deps.iter().map(|dep| expected[*dep]).sum();
            expected.push(number as u64 + of_deps % 1000);
            let key = shared.table.reserve();
            shared.submit(
                key,
                number as u64,
                deps.iter().map(|dep| keys[*dep]).collect(),
            );
            keys.push(key);
        }
        while shared.done.load(Ordering::Relaxed) < TASKS as u32 {
            thread::yield_now();
        }
        shared.done.store(0, Ordering::Relaxed);
        let sums: Vec<u64> = keys.iter().map(|key| shared.sum(*key)).collect();
        assert_eq!(sums, expected);
        shared.table.free_many(&keys);
    }
    shared.stop.store(true, Ordering::Relaxed);
    while shared.idle.wake_one() || workers.iter().any(|worker| !worker.is_finished()) {
        thread::yield_now();
    }
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
    assert_eq!((shared.table.sizes(), shared.queues.len()), ((0, 0), 0));
}
