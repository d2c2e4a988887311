//! A seeded simulation: a driver and workers on one thread, each moved a small step at a time in random order, with random
//! graphs, nested tasks, blocking and async waits, help, failures, retries, large values, deaths, and tasks that are cancelled, alone
//! or with all that they started.
//!
//! Tasks need CPUs, parts of them and none, GPUs and named resources, and have priorities. Some functions are known to be async,
//! and some turn out to be.
//!
//! Every task settles once. It runs once, and once more for each time that it threw what may be tried again or was lost with its
//! worker, as often as its terms allow; never if what it depends on failed, if it needs more than there is, or once it is
//! cancelled. What is cancelled is so at once, with what depends on it; whoever runs it is told, a late result is dropped, and what
//! it holds is held until its code has ended. Nothing is ever used twice, and what is left adds up after every step; every wait
//! ends once and truthfully; after no step does anybody sleep beside work that has what it needs, unless somebody is on his way to
//! it; what may block a thread begins on none with unfinished async tasks, since there are others; and in the end nothing is left.
//! Nobody starves (`queue`): some seeds are stormy, where tasks start others for ever. Time limits end the runs that they should, and
//! threads that do not come back are given up (`time`).
//!
//! `SIM_SEED=7 cargo test -p mobula-runtime --test sim` runs one seed again, nearly as it was: how long claims last, and when records
//! may be taken from others, goes by the clock.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod driver;
mod frame;
mod outcome;
mod plan;
mod queue;
#[path = "../support/mod.rs"]
mod support;
mod task;
mod time;
mod whole;
mod worker;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_runtime::{Demand, Function, Runtime, Terms, WHOLE};
use mobula_sched::Key;

use driver::Wait;
use queue::Queue;
use support::isolate::Isolate;
use support::rng::Rng;
use support::runtime_with;
use task::Task;
use time::{Timed, Watch};
use worker::Worker;

const SEEDS: u64 = 200;
/// One seed of so many is stormy: its tasks start others for ever, which is so many.
const STORMY: u64 = 10;
const STORM: usize = 2500;
/// The ways to call a function, and the same for functions that are known to be async.
const WAYS: usize = 8;
/// A function of which that turns out when a call of it goes on after an `await`.
const TURNS_OUT: usize = 2 * WAYS;
/// What has to happen in some run, or the simulation shows less than it says.
const MUST_BE_SEEN: [&str; 14] = [
    "a worker retires",
    "a task that died with its worker is run again",
    "a task that threw is run again",
    "a task brings along what the one before did",
    "a task is cancelled that was not begun",
    "a task is cancelled that was begun",
    "a task is cancelled with the one that started it",
    "a task is cancelled as soon as it is handed in",
    "code ends since it is told that nobody wants it",
    "a run takes too long",
    "a thread is given up",
    "a thread comes back before it is given up",
    "a line has its turn that was passed over for long",
    "a task is begun that was passed over for long",
];

struct Sim {
    runtime: Arc<Runtime>,
    rng: Rng,
    cpu: u64,
    gpus: u64,
    db: u64,
    /// Ways to call a function, with the function's number.
    terms: Vec<(u32, Terms)>,
    lines: Vec<usize>,
    tasks: Vec<Task>,
    ids: HashMap<Key, usize>,
    has_turned_out: bool,
    budget: usize,
    deaths: usize,
    /// Tasks start others for ever, as far as the budget goes.
    is_stormy: bool,
    queue: Queue,
    /// That have passed.
    minutes: u64,
    timed: HashMap<usize, Timed>,
    watches: Vec<Watch>,
    seen: HashSet<&'static str>,
    /// Out while it moves.
    driver: Option<Isolate>,
    /// The driver's handles, one each.
    handles: Vec<Key>,
    /// Of tasks that can never run.
    pending: Vec<Key>,
    waits: HashMap<u32, Wait>,
    workers: Vec<Option<Worker>>,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let is_stormy = seed.is_multiple_of(STORMY);
        // The fewer tasks run at once, the more of them does each worker.
        let cpu = WHOLE + WHOLE / 2 * rng.below(if is_stormy { 3 } else { 6 }) as u64;
        let (gpus, db) = (rng.below(3) as u64, WHOLE * rng.below(3) as u64 + 1000);
        let async_max = [1, 2, 1000][rng.below(3)];
        // Records one by one, or as many as there are.
        let crossing = Duration::from_secs([0, 3600][rng.below(2)]);
        let runtime = runtime_with(|config| {
            (config.workers_max, config.async_max) = (400, async_max);
            config.crossing = crossing;
            config.totals.cpu = cpu;
            config.totals.gpus = gpus as u32;
            config.totals.named = vec![("db".to_owned(), db)];
        });
        // From now on by hand.
        runtime.skip_time(Duration::ZERO);
        let define = |number: usize, terms: Terms| {
            let function = Function {
                name: number.to_string(),
                source: String::new(),
            };
            (runtime.define_on(function, terms.clone()).id, terms)
        };
        let retries = |rng: &mut Rng| [0, 0, 1, 2][rng.below(4)];
        let common = Terms {
            retries: retries(&mut rng),
            ..Terms::default()
        };
        let mut terms = vec![define(0, common.clone())];
        for number in 1..WAYS {
            let part = |rng: &mut Rng, of: &[u64]| of[rng.below(of.len())];
            let demand = Demand {
                cpu: part(&mut rng, &[0, WHOLE / 2, WHOLE, WHOLE, 2 * WHOLE]),
                gpu: part(&mut rng, &[0, 0, 0, WHOLE / 4, WHOLE, 2 * WHOLE]),
                named: vec![("db".to_owned(), part(&mut rng, &[0, 0, 1, 500, WHOLE]))],
            };
            let priority = rng.below(3) as i8 - 1;
            terms.push(define(
                number,
                Terms {
                    demand,
                    priority,
                    returns: 1,
                    retries: retries(&mut rng),
                    limit: rng.chance(40).then(time::limit),
                    ..Terms::default()
                },
            ));
        }
        for number in 0..WAYS {
            let known = define(number + WAYS, terms[number].1.clone());
            runtime.is_async(known.0);
            terms.push(known);
        }
        terms.push(define(TURNS_OUT, common));
        Self {
            driver: Some(Isolate::driver(&runtime)),
            runtime,
            cpu,
            gpus,
            db,
            lines: queue::lines(&terms),
            terms,
            budget: match is_stormy {
                true => STORM,
                false => 20 + rng.below(200),
            },
            is_stormy,
            queue: Queue::default(),
            minutes: 0,
            timed: HashMap::new(),
            watches: Vec::new(),
            deaths: rng.below(8),
            seen: HashSet::new(),
            rng,
            tasks: Vec::new(),
            ids: HashMap::new(),
            has_turned_out: false,
            handles: Vec::new(),
            pending: Vec::new(),
            waits: HashMap::new(),
            workers: Vec::new(),
        }
    }

    /// What was seen.
    fn run(mut self) -> HashSet<&'static str> {
        let steps = if self.is_stormy { 10 } else { 40 } * self.budget;
        for _ in 0..steps {
            match self.rng.below(self.workers.len() + 2) {
                0 | 1 if self.rng.chance(2) => self.runtime.retire(Instant::now(), Duration::ZERO),
                0 | 1 => drop(self.step_driver(false)),
                place => drop(self.step_worker(place - 2, false)),
            }
            self.check_sleep();
            self.check_resources();
            if self.is_stormy {
                self.note_queue();
            }
        }
        // From here on only what must happen happens: until nobody moves.
        self.deaths = 0;
        loop {
            let mut moved = self.step_driver(true);
            for place in 0..self.workers.len() {
                moved |= self.step_worker(place, true);
                if self.is_stormy {
                    self.note_queue();
                }
            }
            self.check_resources();
            if !moved {
                break;
            }
        }
        self.check_end()
    }
}

#[test]
fn random_runs_lose_nothing_and_leave_nothing() {
    let seeds = match std::env::var("SIM_SEED") {
        Ok(seed) => seed.parse().unwrap()..=seed.parse().unwrap(),
        Err(_) => 1..=SEEDS,
    };
    let is_one = seeds.start() == seeds.end();
    let mut seen = HashSet::new();
    for seed in seeds {
        let run = std::panic::AssertUnwindSafe(|| Sim::new(seed).run());
        match std::panic::catch_unwind(run) {
            Ok(of_this) => seen.extend(of_this),
            Err(panic) => {
                eprintln!("failed with SIM_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    for what in MUST_BE_SEEN {
        assert!(is_one || seen.contains(what), "not seen: {what}");
    }
}
