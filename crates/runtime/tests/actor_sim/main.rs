//! A seeded simulation of actors: a driver and threads, all on one thread, each moved a small step at a time in random order. Actors are
//! made, with slow arguments or others' handles, and called by several callers; threads die, are given up, and are told late; actors are
//! killed, for good or not, and exit; handles are dropped, passed on and kept in instances; calls throw, go on, are cancelled, time out,
//! and are made again. Code of instances that were lost reports as if it had not heard of that, and what was begun comes back unbegun, late.
//!
//! Calls of one caller to one actor begin in the order in which they were made: none begins before an earlier one that has not ended, unless
//! that one has begun in the same instance. Each begins at most once, and once more for each time that it may be made again; never once it
//! has ended. An actor that was killed for good has no call that has not ended. What actors hold and what is left adds up. In the end, when
//! nobody has a handle, every call has ended, truthfully, everybody who had to be woken was, and nothing is left of anything.
//!
//! `ACTOR_SIM_SEED=7 cargo test -p mobula-runtime --test actor_sim` runs one seed again.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod check;
mod steps;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mobula_runtime::{ActorTerms, Demand, WHOLE};
use mobula_sched::Key;

use support::isolate::{Method, Run};
use support::record::TaskRecord;
use support::rng::Rng;
use support::stage::{Stage, cpus};

const SEEDS: u64 = 250;
const SEEDS_LONG: u64 = 4000;
/// What has to happen in some run, or the simulation shows less than it says.
const MUST_BE_SEEN: [&str; 16] = [
    "an actor is killed for good",
    "an actor is killed and made anew",
    "an actor exits",
    "an actor is lost with its thread",
    "a call is made again",
    "a call is refused while its actor is made anew",
    "a call is cancelled that was not begun",
    "a call takes too long",
    "a thread is given up",
    "an instance calls another actor",
    "an instance keeps a handle",
    "two actors share a thread",
    "a run of an instance that was lost reports late",
    "it does beside a run of the same call on the same thread",
    "what waited for a module comes back",
    "a call is run inside of a wait of a neighbour",
];

/// A call, by its number.
#[derive(Debug)]
struct Call {
    key: Key,
    actor: usize,
    caller: Caller,
    group: u32,
    retries: u32,
    bytes: Vec<u8>,
    runs: u32,
    /// How often it waited for a module, and was begun as far as the runtime can tell.
    waits: u32,
    /// The instance that it was last begun in.
    begun_in: Option<Instance>,
    /// What it was to be given may fail.
    has_deps: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Caller {
    /// The driver, in the name of one of several tasks.
    Task(usize),
    Actor(usize),
}

/// A thread's start, and which of its instances.
type Instance = (usize, u64);

#[derive(Debug)]
struct Actor {
    key: Key,
    is_in_order: bool,
    /// The same of its constructor.
    has_deps: bool,
    class: usize,
}

/// A record that was begun on a thread and has not returned.
#[derive(Debug)]
struct Frame {
    record: TaskRecord,
}

struct Sim {
    stage: Stage,
    rng: Rng,
    classes: Vec<(u32, ActorTerms, Demand)>,
    workers_max: usize,
    /// By group and by how often they may be made again, the last with a time limit.
    methods: Vec<(Method, u32)>,
    actors: Vec<Actor>,
    calls: Vec<Call>,
    /// Actors to which the driver has handles.
    held: Vec<usize>,
    /// Objects that stand for tasks which call.
    tasks: Vec<Key>,
    /// By start: what runs on the thread and holds it up, inside of each other.
    frames: HashMap<usize, Vec<Frame>>,
    /// By start: what waits there for a module, until it is handed back.
    loading: Vec<(usize, Run)>,
    /// Threads that are between two rounds, and come back for the next without a look at their mail.
    in_rounds: HashSet<usize>,
    /// By start and actor: handles that the instance keeps.
    kept: HashMap<(usize, Key), Vec<Key>>,
    deaths: usize,
    budget: usize,
    seen: HashSet<&'static str>,
}

fn db(parts: u64) -> Demand {
    Demand {
        named: vec![("db".to_owned(), parts)],
        ..cpus(0)
    }
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let hosts_max = 1 + rng.below(3) as u32;
        let workers_max = hosts_max + rng.below(3) as u32;
        let crossing = Duration::from_secs([0, 3600][rng.below(2)]);
        let mut stage = Stage::new(|config| {
            (config.hosts_max, config.workers_max) = (hosts_max, workers_max);
            config.crossing = crossing;
            config.totals.cpu = 2 * WHOLE;
            config.totals.named = vec![("db".to_owned(), WHOLE)];
        });
        let mut classes = Vec::new();
        for _ in 0..4 {
            let terms = ActorTerms {
                restarts: [0, 1, 3, u32::MAX][rng.below(4)],
                concurrency: [0, 1, 2][rng.below(3)],
                groups: vec![1 + rng.below(2) as u32],
                in_order: rng.chance(80),
                pending_max: None,
                is_single: false,
                is_own: rng.chance(15),
                is_detached: rng.chance(10),
            };
            let demand = [cpus(0), cpus(0), cpus(1), db(WHOLE / 2), db(WHOLE)];
            let demand = demand[rng.below(5)].clone();
            let class = stage.class(terms.clone(), demand.clone());
            classes.push((class, terms, demand));
        }
        let mut methods = Vec::new();
        for group in 0..2 {
            for retries in [0, 0, 1, 4] {
                methods.push((stage.method_of(group, retries, None), retries));
            }
        }
        let limit = Some(Duration::from_secs(60));
        methods.push((stage.method_of(0, 1, limit), 1));
        let tasks = [(); 3].map(|()| stage.driver.put(b"a task", &[]));
        Self {
            stage,
            classes,
            workers_max: workers_max as usize,
            methods,
            actors: Vec::new(),
            calls: Vec::new(),
            held: Vec::new(),
            tasks: tasks.to_vec(),
            frames: HashMap::new(),
            loading: Vec::new(),
            in_rounds: HashSet::new(),
            kept: HashMap::new(),
            deaths: rng.below(6),
            budget: 20 + rng.below(100),
            seen: HashSet::new(),
            rng,
        }
    }

    /// What was seen.
    fn run(mut self) -> HashSet<&'static str> {
        for _ in 0..40 * self.budget {
            match self.rng.below(self.stage.hands.len() + 2) {
                0 | 1 => self.step_driver(),
                start => drop(self.step_hand(start - 2, true)),
            }
            self.check();
        }
        self.deaths = 0;
        self.let_all_go();
        self.finish_all();
        // Where a queued call holds whoever has what its actor waits for, nothing but an end helps.
        while let Some(actor) = self.hopeless() {
            self.kill(actor, true);
            self.finish_all();
        }
        self.check_end()
    }
}

fn run(seeds: std::ops::RangeInclusive<u64>) {
    let mut seen = HashSet::new();
    let is_one = seeds.start() == seeds.end();
    for seed in seeds {
        let run = std::panic::AssertUnwindSafe(|| Sim::new(seed).run());
        match std::panic::catch_unwind(run) {
            Ok(of_this) => seen.extend(of_this),
            Err(panic) => {
                eprintln!("failed with ACTOR_SIM_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    for what in MUST_BE_SEEN {
        assert!(is_one || seen.contains(what), "not seen: {what}");
    }
}

#[test]
fn random_lives_keep_order_count_right_and_leave_nothing() {
    match std::env::var("ACTOR_SIM_SEED") {
        Ok(seed) => run(seed.parse().unwrap()..=seed.parse().unwrap()),
        Err(_) => run(1..=SEEDS),
    }
}

#[test]
#[ignore = "for `npm run test:long`"]
fn many_random_lives_keep_order_count_right_and_leave_nothing() {
    run(SEEDS + 1..=SEEDS + SEEDS_LONG);
}
