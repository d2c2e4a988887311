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
//! `SIM_SEED=7 cargo test -p mobula-runtime --test sim` runs one seed again, nearly as it was: how many records a worker takes at
//! once also depends on the clock.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mobula_runtime::layout::{header, status};
use mobula_runtime::{Demand, Forage, Function, Reason, Runtime, Terms, WHOLE};
use mobula_sched::Key;
use support::isolate::Isolate;
use support::record::{Outcome, TaskRecord};
use support::rng::Rng;
use support::{assert_empty, runtime_with};

const SEEDS: u64 = 200;
/// The ways to call a function, and the same for functions that are known to be async.
const WAYS: usize = 8;
/// A function of which that turns out when a call of it goes on after an `await`.
const TURNS_OUT: usize = 2 * WAYS;
/// What has to happen in some run, or the simulation shows less than it says.
const MUST_BE_SEEN: [&str; 8] = [
    "a worker retires",
    "a task that died with its worker is run again",
    "a task that threw is run again",
    "a task is cancelled that was not begun",
    "a task is cancelled that was begun",
    "a task is cancelled with the one that started it",
    "a task is cancelled as soon as it is handed in",
    "code ends since it is told that nobody wants it",
];
const SIZES: [usize; 6] = [4, 200, 1024, 1025, 5000, 20_000];

/// What a task does when it runs, decided when it is submitted.
#[derive(Debug, Clone)]
struct Plan {
    children: usize,
    waits: bool,
    helps: bool,
    is_async: bool,
    throws: bool,
    /// So many of its runs throw what may be tried again.
    throws_again: u32,
    returns_refs: bool,
    size: usize,
    /// Its terms, by number.
    terms: usize,
}

#[derive(Debug)]
struct Task {
    key: Key,
    plan: Plan,
    deps: Vec<usize>,
    /// The task whose code submitted it, and which run of that it was.
    parent: Option<(usize, u32)>,
    /// Where it was written.
    written: Option<Written>,
    /// Times that it was begun.
    runs: u32,
    /// Runs that were in vain, and others followed or will.
    attempt: u32,
    /// Where the end of the last of these was written.
    tried_again: Option<Written>,
    has_result: bool,
    threw: bool,
    crashed: bool,
    /// It was cancelled, and all that it starts or not.
    cancelled: Option<bool>,
    /// It was not handed in when its parent was cancelled with all that it starts: it will be cancelled when it is.
    is_doomed: bool,
    is_object: bool,
}

/// A worker that wrote something, and how often it had crossed by then.
#[derive(Debug, Clone, Copy)]
struct Written {
    by: usize,
    crossings: u64,
}

/// Bytes that name a task, of some size.
fn bytes_of(task: usize, size: usize) -> Vec<u8> {
    let mut bytes = (task as u32).to_le_bytes().to_vec();
    bytes.resize(size, task as u8);
    bytes
}

fn task_of(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
}

/// A task that was begun and has not ended.
#[derive(Debug)]
struct Frame {
    task: usize,
    key: Key,
    /// Handles of this isolate that the task's code has.
    held: Vec<Key>,
    children: Vec<Key>,
    helped: usize,
    left: usize,
    waiting: Waiting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    NotYet,
    For(u32),
    /// The wait is over; code that blocked needs a slot to go on.
    Over(u32),
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Awake,
    Searching,
    /// It has looked and found nothing; others move before it says so.
    Leaving,
    Parked,
}

#[derive(Debug)]
struct Worker {
    isolate: Isolate,
    stack: Vec<Frame>,
    round: VecDeque<TaskRecord>,
    /// It had no unfinished async tasks when the round began.
    was_free: bool,
    /// What it left of the last round goes back at once.
    is_cut_short: bool,
    asyncs: Vec<Frame>,
    done: HashMap<u32, u32>,
    mode: Mode,
    timer: bool,
    /// It was one too many: its thread is about to end.
    is_leaving: bool,
    /// CPU that it holds for running code; `None`: it may run none.
    cpu: Option<u64>,
    /// What code that blocked on it, and lost its CPU by that, needs to go on.
    resumes: u64,
    is_blocked: bool,
    /// Tasks that were cancelled while it ran them.
    should_hear: Vec<Key>,
}

#[derive(Debug)]
struct Wait {
    on: Vec<usize>,
    count: Option<u32>,
    ended: bool,
}

struct Sim {
    runtime: Arc<Runtime>,
    rng: Rng,
    cpu: u64,
    gpus: u64,
    db: u64,
    /// Ways to call a function, with the function's number.
    terms: Vec<(u32, Terms)>,
    tasks: Vec<Task>,
    ids: HashMap<Key, usize>,
    has_turned_out: bool,
    budget: usize,
    deaths: usize,
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
        let cpu = WHOLE + WHOLE / 2 * rng.below(6) as u64;
        let (gpus, db) = (rng.below(3) as u64, WHOLE * rng.below(3) as u64 + 1000);
        let async_max = [1, 2, 1000][rng.below(3)];
        let runtime = runtime_with(|config| {
            (config.workers_max, config.async_max) = (400, async_max);
            config.totals.cpu = cpu;
            config.totals.gpus = gpus as u32;
            config.totals.named = vec![("db".to_owned(), db)];
        });
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
            terms,
            budget: 20 + rng.below(200),
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

    fn plan(&mut self, is_child: bool) -> Plan {
        let rng = &mut self.rng;
        let children = if rng.chance(30) { rng.below(5) } else { 0 };
        let waits = rng.chance(60);
        let mut terms = if rng.chance(50) { 0 } else { rng.below(WAYS) };
        // What waits for others holds nothing that they may need, and nobody waits for what can never run: that never ends.
        let demand = &self.terms[terms].1.demand;
        let holds = demand.gpu + Self::db_of(demand) > 0;
        if (children > 0 && waits && holds) || (is_child && !self.exists(demand)) {
            terms = 0;
        }
        let rng = &mut self.rng;
        let is_async = rng.chance(30);
        // One that returned a promise once need not do so again.
        if rng.chance(if is_async { 60 } else { 10 }) {
            terms += WAYS;
        } else if terms == 0 && rng.chance(20) {
            terms = TURNS_OUT;
        }
        Plan {
            children,
            waits,
            terms,
            helps: rng.chance(50),
            is_async,
            throws: rng.chance(8),
            throws_again: if rng.chance(15) {
                1 + rng.below(3) as u32
            } else {
                0
            },
            returns_refs: rng.chance(30),
            size: SIZES[rng.below(SIZES.len())],
        }
    }

    /// Calls of its function may begin beside other async tasks.
    fn is_known(&self, task: usize) -> bool {
        match self.tasks[task].plan.terms {
            TURNS_OUT => self.has_turned_out,
            terms => terms >= WAYS,
        }
    }

    fn retries(&self, task: usize) -> u32 {
        self.terms[self.tasks[task].plan.terms].1.retries
    }

    fn demand(&self, task: usize) -> &Demand {
        &self.terms[self.tasks[task].plan.terms].1.demand
    }

    fn db_of(demand: &Demand) -> u64 {
        demand.named.iter().map(|(_, parts)| parts).sum()
    }

    /// It needs more than there is: nobody may wait for it.
    fn is_for_ever_pending(&self, key: Key) -> bool {
        let task = self.ids[&key];
        !self.tasks[task].is_object && !self.exists(self.demand(task))
    }

    /// True if so much exists in total.
    fn exists(&self, demand: &Demand) -> bool {
        demand.cpu <= self.cpu && demand.gpu <= self.gpus * WHOLE && Self::db_of(demand) <= self.db
    }

    /// Submits a task, in the code of another or on a driver.
    fn submit(
        &mut self,
        isolate: &mut Isolate,
        known: &[Key],
        parent: Option<(usize, &Frame)>,
    ) -> Option<Key> {
        self.budget = self.budget.checked_sub(1)?;
        let (task, plan) = (self.tasks.len(), self.plan(parent.is_some()));
        let mut some = |most: usize, percent| -> Vec<Key> {
            let picks = (0..most).filter_map(|_| self.rng.pick(known));
            let picks: Vec<Key> = picks.collect();
            picks
                .into_iter()
                .filter(|_| self.rng.chance(percent))
                .collect()
        };
        let (deps, refs) = (some(4, 40), some(3, 20));
        let size = SIZES[self.rng.below(SIZES.len())];
        let is_object = self.rng.chance(10);
        let key = if is_object {
            isolate.put(&bytes_of(task, size), &refs)
        } else {
            let (function, _) = self.terms[plan.terms];
            let bytes = bytes_of(task, size);
            match parent {
                Some((_, frame)) => isolate.submit_in(frame.key, function, &bytes, (&deps, &refs)),
                None => isolate.submit(function, &bytes, &deps, &refs),
            }
        };
        let deps: Vec<usize> = deps.iter().map(|key| self.ids[key]).collect();
        self.tasks.push(Task {
            key,
            plan: Plan { size, ..plan },
            deps: if is_object { Vec::new() } else { deps },
            parent: parent.map(|(_, frame)| (frame.task, self.tasks[frame.task].runs)),
            written: parent.map(|(by, _)| Written {
                by,
                crossings: isolate.crossings,
            }),
            runs: 0,
            attempt: 0,
            tried_again: None,
            has_result: is_object,
            threw: false,
            crashed: false,
            cancelled: None,
            is_doomed: false,
            is_object,
        });
        self.ids.insert(key, task);
        if let Some((_, frame)) = parent {
            self.submitted_late(isolate, frame, key);
        }
        Some(key)
    }

    /// What a task starts after it was cancelled with all that it starts is cancelled as soon as it is handed in.
    fn submitted_late(&mut self, isolate: &mut Isolate, parent: &Frame, key: Key) {
        let task = self.ids[&key];
        if self.tasks[parent.task].cancelled != Some(true) || self.tasks[task].is_object {
            return;
        }
        isolate.flush();
        assert!(isolate.port.is_over(key), "nobody wants it");
        self.tasks[task].cancelled = Some(true);
        self.seen
            .insert("a task is cancelled as soon as it is handed in");
    }

    /// What was written has been handed in. Whoever moves now hands everything in first.
    fn is_handed_in(&self, written: Option<Written>) -> bool {
        written.is_none_or(|Written { by, crossings }| {
            let worker = self.workers[by].as_ref();
            worker.is_none_or(|worker| worker.isolate.crossings > crossings)
        })
    }

    /// What a task has started that goes with it.
    fn children_of(&self, parent: usize) -> Vec<usize> {
        let of = &self.tasks[parent];
        if of.attempt == of.runs && self.is_handed_in(of.tried_again) {
            // A run that was in vain, which is over.
            return Vec::new();
        }
        let is_child = |task: &Task| task.parent == Some((parent, of.runs)) && !task.is_object;
        let tasks = self.tasks.iter().enumerate();
        let children = tasks.filter(|(_, task)| is_child(task));
        children.map(|(child, _)| child).collect()
    }

    /// Cancels a task. Tells which were struck by it.
    fn cancel(&mut self, isolate: &mut Isolate, key: Key) -> Vec<Key> {
        isolate.flush();
        let is_recursive = self.rng.chance(60);
        let mut struck = Vec::new();
        let mut open = vec![self.ids[&key]];
        while let Some(task) = open.pop() {
            let of = &self.tasks[task];
            if isolate.port.is_over(of.key) {
                continue;
            }
            if !self.is_handed_in(of.written) {
                self.tasks[task].is_doomed = true;
                continue;
            }
            struck.push(task);
            if is_recursive {
                open.extend(self.children_of(task));
            }
        }
        isolate.cancel(key, false, is_recursive);
        for (k, task) in struck.iter().enumerate() {
            let of = &mut self.tasks[*task];
            of.cancelled = Some(is_recursive);
            self.seen.insert(match of.runs > of.attempt {
                true => "a task is cancelled that was begun",
                false => "a task is cancelled that was not begun",
            });
            if k > 0 {
                self.seen
                    .insert("a task is cancelled with the one that started it");
            }
            assert!(isolate.port.is_over(of.key), "it is cancelled at once");
        }
        if !struck.is_empty() {
            assert_eq!(isolate.fetch(&[key]), [Outcome::Cancelled]);
        }
        struck.iter().map(|task| self.tasks[*task].key).collect()
    }

    /// True if this outcome is one that the task may have.
    fn check_outcome(&self, task: usize, outcome: &Outcome) -> bool {
        let of = &self.tasks[task];
        let own = match outcome {
            // Its result may be written and not handed in.
            Outcome::Pending => !of.crashed && of.cancelled.is_none(),
            Outcome::Cancelled => of.cancelled.is_some() || of.is_doomed,
            // What comes late is dropped.
            _ if of.cancelled.is_some() => false,
            Outcome::Value { bytes, .. } => {
                of.has_result && !of.threw && *bytes == bytes_of(task, of.plan.size)
            }
            Outcome::Thrown { bytes, .. } => {
                of.has_result && of.threw && *bytes == bytes_of(task, of.plan.size)
            }
            Outcome::Crashed { exit_code, text } => {
                of.crashed && *exit_code == Some(7) && text == "died"
            }
            _ => false,
        };
        // A failure of what it depends on, whichever came first.
        own || (is_failure(outcome) && of.deps.iter().any(|dep| self.check_outcome(*dep, outcome)))
    }

    /// Looks at some objects through an isolate that holds them; returns the handles that their values brought.
    fn fetch(&self, isolate: &mut Isolate, keys: &[Key]) -> (Vec<Outcome>, Vec<Key>) {
        let outcomes = isolate.fetch(keys);
        let mut fresh = Vec::new();
        for (key, outcome) in keys.iter().zip(&outcomes) {
            let task = self.ids[key];
            assert!(
                self.check_outcome(task, outcome),
                "task {task} {:?} came out as {outcome:?}",
                self.tasks[task]
            );
            if let Outcome::Value { refs, .. } | Outcome::Thrown { refs, .. } = outcome {
                fresh.extend_from_slice(refs);
            }
        }
        (outcomes, fresh)
    }

    fn check_wait(&self, outcomes: &[Outcome], count: Option<u32>, how: u32) {
        let settled = outcomes
            .iter()
            .filter(|outcome| **outcome != Outcome::Pending)
            .count();
        let failed = outcomes.iter().any(is_failure);
        match (how, count) {
            (status::READY, None) => assert!(settled == outcomes.len() && !failed, "{outcomes:?}"),
            (status::READY, Some(count)) => assert!(settled as u32 >= count, "{outcomes:?}"),
            (status::FAILED, None) => assert!(failed, "{outcomes:?}"),
            other => panic!("a wait ended with {other:?}"),
        }
    }

    // ---- the driver ----

    fn step_driver(&mut self, only_listens: bool) -> bool {
        let mut driver = self.driver.take().unwrap();
        let moved = self.step_driver_with(&mut driver, only_listens);
        self.driver = Some(driver);
        moved
    }

    fn step_driver_with(&mut self, driver: &mut Isolate, only_listens: bool) -> bool {
        let mut moved = false;
        if driver.port.has_mail() {
            moved = true;
            for (token, how) in driver.drain() {
                let wait = self.waits.remove(&token).expect("a wait completes once");
                driver.forget(token);
                if how == status::ENDED {
                    assert!(wait.ended, "nobody ended it");
                    continue;
                }
                let of_wait = |key: &&Key| wait.on.contains(&self.ids[*key]);
                let keys: Vec<Key> = self.handles.iter().filter(of_wait).copied().collect();
                let (outcomes, fresh) = self.fetch(driver, &keys);
                self.check_wait(&outcomes, wait.count, how);
                self.handles.extend(fresh);
            }
        }
        if only_listens {
            driver.flush();
        } else {
            self.act(driver);
        }
        for _ in 0..std::mem::take(&mut driver.wanted) {
            moved = true;
            self.workers.push(Some(Worker {
                isolate: Isolate::worker(&self.runtime),
                stack: Vec::new(),
                round: VecDeque::new(),
                was_free: true,
                is_cut_short: false,
                asyncs: Vec::new(),
                done: HashMap::new(),
                mode: Mode::Awake,
                timer: false,
                is_leaving: false,
                cpu: None,
                resumes: 0,
                is_blocked: false,
                should_hear: Vec::new(),
            }));
        }
        moved
    }

    fn act(&mut self, driver: &mut Isolate) {
        match self.rng.below(13) {
            0..=4 => {
                let known = self.handles.clone();
                let key = self.submit(driver, &known, None);
                match key {
                    Some(key) if self.is_for_ever_pending(key) => self.pending.push(key),
                    key => self.handles.extend(key),
                }
            }
            5 => driver.flush(),
            6 | 7 if !self.handles.is_empty() => {
                let keys: Vec<Key> = (0..1 + self.rng.below(5))
                    .filter_map(|_| self.rng.pick(&self.handles))
                    .collect();
                let mut keys: Vec<Key> = keys;
                keys.sort_by_key(|key| self.ids[key]);
                keys.dedup();
                let count = self
                    .rng
                    .chance(50)
                    .then(|| self.rng.below(keys.len() + 1) as u32);
                let token = driver.wait_for(&keys, count);
                let on = keys.iter().map(|key| self.ids[key]).collect();
                self.waits.insert(
                    token,
                    Wait {
                        on,
                        count,
                        ended: false,
                    },
                );
            }
            8 => {
                let mut tokens: Vec<u32> = self.waits.keys().copied().collect();
                tokens.sort_unstable();
                if let Some(token) = self.rng.pick(&tokens) {
                    self.waits.get_mut(&token).unwrap().ended = true;
                    driver.end_wait(token);
                }
            }
            9 => {
                let open = |key: &Key| {
                    self.waits
                        .values()
                        .any(|wait| wait.on.contains(&self.ids[key]))
                };
                if let Some(key) = self.rng.pick(&self.handles)
                    && !open(&key)
                {
                    let at = self.handles.iter().position(|held| *held == key).unwrap();
                    self.handles.swap_remove(at);
                    driver.release(key);
                }
            }
            10 if !self.handles.is_empty() => {
                let key = self.rng.pick(&self.handles).unwrap();
                let (_, fresh) = self.fetch(driver, &[key]);
                self.handles.extend(fresh);
            }
            11 => {
                let mut all = [&self.handles[..], &self.pending[..]].concat();
                if self.rng.chance(50) {
                    // Most have started none.
                    let parents = self.tasks.iter().filter_map(|task| task.parent);
                    let parents: HashSet<usize> = parents.map(|(parent, _)| parent).collect();
                    let goes_on = |key: &Key| !driver.port.is_over(*key);
                    all.retain(|key| parents.contains(&self.ids[key]) && goes_on(key));
                }
                if let Some(key) = self.rng.pick(&all) {
                    let struck = self.cancel(driver, key);
                    let workers = self.workers.iter_mut().flatten();
                    workers.for_each(|worker| worker.notes(&struck, None));
                }
            }
            _ => {}
        }
    }

    // ---- the workers ----

    fn step_worker(&mut self, place: usize, only_what_must: bool) -> bool {
        let Some(mut worker) = self.workers[place].take() else {
            return false;
        };
        if !only_what_must && self.deaths > 0 && self.rng.chance(1) {
            self.deaths -= 1;
            self.die(worker);
            return true;
        }
        if worker.is_leaving {
            if only_what_must || self.rng.chance(30) {
                self.seen.insert("a worker retires");
                worker.isolate.close(Some(0), "");
            } else {
                self.workers[place] = Some(worker);
            }
            return true;
        }
        let moved = self.move_worker(place, &mut worker, only_what_must);
        self.workers[place] = Some(worker);
        moved
    }

    fn die(&mut self, worker: Worker) {
        for frame in worker.stack.iter().chain(&worker.asyncs) {
            let retries = self.retries(frame.task);
            let of = &mut self.tasks[frame.task];
            if of.cancelled.is_some() {
                continue;
            }
            if of.attempt < retries {
                of.attempt += 1;
                of.tried_again = None;
                self.seen
                    .insert("a task that died with its worker is run again");
            } else {
                of.crashed = true;
            }
        }
        worker.isolate.close(Some(7), "died");
    }

    fn move_worker(&mut self, place: usize, worker: &mut Worker, only_what_must: bool) -> bool {
        if worker.mode == Mode::Parked {
            let whim = !only_what_must && self.rng.chance(3);
            // An async task's own timer or I/O wakes the loop too.
            let own = !worker.asyncs.is_empty()
                && worker.asyncs.iter().any(|frame| runnable(worker, frame));
            if !(worker.isolate.bell.take() || worker.timer || own || whim) {
                return false;
            }
            worker.timer = false;
            worker.isolate.port.retract();
            worker.mode = Mode::Awake;
            return true;
        }
        if worker.mode == Mode::Searching {
            let found = worker.isolate.port.has_mail() || worker.isolate.port.has_work();
            worker.isolate.port.end_search();
            worker.mode = if found { Mode::Awake } else { Mode::Leaving };
            return true;
        }
        if worker.mode == Mode::Leaving {
            worker.mode = Mode::Awake;
            self.park(worker);
            return true;
        }
        if let Some(frame) = worker.stack.pop() {
            return self.move_frame(place, worker, frame, true);
        }
        if let Some(record) = worker.round.pop_front() {
            let is_beside_others = !worker.asyncs.is_empty();
            let is_known = self.is_known(task_of(&record.bytes));
            if worker.was_free && is_beside_others && !is_known {
                worker.round.clear();
                worker.is_cut_short = true;
                return true;
            }
            if worker.isolate.begin(record.k) {
                assert!(
                    is_known || !is_beside_others,
                    "it may block those beside it, and others can be had"
                );
                let frame = self.begin(&mut worker.isolate, &record);
                let Plan {
                    is_async, terms, ..
                } = self.tasks[frame.task].plan;
                if !is_async {
                    worker.stack.push(frame);
                    return true;
                }
                worker.asyncs.push(frame);
                worker.isolate.hold(worker.asyncs.len());
                worker.isolate.flush();
                if terms == TURNS_OUT && !std::mem::replace(&mut self.has_turned_out, true) {
                    self.runtime.turns_out_async(record.function);
                }
            }
            return true;
        }
        if std::mem::take(&mut worker.is_cut_short) {
            self.next_round(worker);
            return true;
        }
        let ready: Vec<usize> = (0..worker.asyncs.len())
            .filter(|k| runnable(worker, &worker.asyncs[*k]))
            .collect();
        if let Some(k) = self.rng.pick(&ready)
            && self.rng.chance(50)
        {
            let frame = worker.asyncs.swap_remove(k);
            let held = worker.asyncs.len();
            let moved = self.move_frame(place, worker, frame, false);
            if worker.asyncs.len() == held {
                worker.isolate.hold(held);
                worker.isolate.flush();
            }
            return moved;
        }
        self.turn(worker)
    }

    /// One turn of the loop, as the hook of the binding makes it.
    fn turn(&mut self, worker: &mut Worker) -> bool {
        if worker.isolate.port.has_mail() {
            worker.done.extend(worker.isolate.drain());
            worker.is_leaving =
                worker.isolate.header(header::LEAVE) != 0 && worker.isolate.port.leave_if_idle();
            return true;
        }
        match worker.isolate.port.forage() {
            Forage::Work => {
                self.next_round(worker);
                return true;
            }
            Forage::Later(_) => worker.timer = true,
            Forage::Nothing => worker.timer = false,
        }
        // With unfinished async tasks it holds CPU only while it has something to run.
        worker.cpu = worker.cpu.filter(|_| worker.asyncs.is_empty());
        if self.rng.chance(50) {
            worker.isolate.port.start_search();
            worker.mode = Mode::Searching;
        } else {
            worker.mode = Mode::Leaving;
        }
        true
    }

    fn next_round(&mut self, worker: &mut Worker) {
        worker.was_free = worker.asyncs.is_empty();
        worker.round = worker.isolate.next().into();
        let Some(first) = worker.round.front() else {
            worker.cpu = None;
            return;
        };
        let cpu = self.demand(task_of(&first.bytes)).cpu;
        let others = self.cpu_in_use();
        assert!(others + cpu <= self.cpu, "more CPU is used than there is");
        worker.cpu = Some(cpu);
        for record in &worker.round {
            let cpu = self.demand(task_of(&record.bytes)).cpu;
            assert_eq!(
                Some(cpu),
                worker.cpu,
                "all of a round have the CPU they need"
            );
        }
    }

    fn park(&mut self, worker: &mut Worker) {
        // What was written is handed in before a thread sleeps: nobody else can.
        worker.isolate.flush();
        if worker.isolate.port.hears_to_leave() {
            return;
        }
        let had_mail = worker.isolate.port.has_mail();
        let parks = worker.isolate.port.announce();
        assert!(!(had_mail && parks), "it sleeps on its mail");
        // With mail it keeps its CPU: it did not go to sleep.
        worker.cpu = worker.cpu.filter(|_| had_mail);
        if parks {
            worker.mode = Mode::Parked;
        }
    }

    fn begin(&mut self, isolate: &mut Isolate, record: &TaskRecord) -> Frame {
        let task = task_of(&record.bytes);
        assert_eq!(
            (record.function, self.ids[&record.key]),
            (self.terms[self.tasks[task].plan.terms].0, task)
        );
        assert!(self.exists(self.demand(task)), "there is not so much");
        let held: Vec<Key> = record.deps.iter().chain(&record.refs).copied().collect();
        held.iter().for_each(|key| isolate.retain(*key));
        let of = &mut self.tasks[task];
        of.runs += 1;
        assert_eq!(of.runs, of.attempt + 1, "task {task} runs again");
        assert_eq!(of.cancelled, None, "nobody wants task {task}");
        assert!(!of.is_doomed, "nobody wants task {task}");
        assert_eq!(isolate.port.attempt(record.key), of.attempt);
        let deps: Vec<usize> = record.deps.iter().map(|key| self.ids[key]).collect();
        assert_eq!(deps, self.tasks[task].deps);
        let (outcomes, fresh) = self.fetch(isolate, &record.deps);
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Outcome::Value { .. })),
            "{outcomes:?}"
        );
        Frame {
            task,
            key: record.key,
            held: [held, fresh].concat(),
            children: Vec::new(),
            helped: 0,
            left: self.tasks[task].plan.children,
            waiting: Waiting::NotYet,
        }
    }

    /// One step of a task. On the stack it blocks the thread when it waits; off the stack it awaits.
    fn move_frame(
        &mut self,
        place: usize,
        worker: &mut Worker,
        mut frame: Frame,
        is_sync: bool,
    ) -> bool {
        let plan = self.tasks[frame.task].plan.clone();
        let waits = matches!(frame.waiting, Waiting::For(_) | Waiting::Over(_));
        if worker.has_heard(frame.key) && !waits && self.rng.chance(30) {
            // Code that is told need not listen.
            self.seen
                .insert("code ends since it is told that nobody wants it");
            self.finish(place, &mut worker.isolate, frame, &plan);
            // Before it looks for work: what it ran inside of a wait counts until it is handed in, and no wait follows that would.
            worker.isolate.flush();
            return true;
        }
        let isolate = &mut worker.isolate;
        let mut moved = true;
        // A thread that blocks while async tasks live on it may wait for one of them for ever: such code is at fault.
        let may_wait = !is_sync || worker.asyncs.is_empty();
        if frame.left > 0 {
            frame.left -= 1;
            let known = [&frame.held[..], &frame.children[..]].concat();
            let child = self.submit(isolate, &known, Some((place, &frame)));
            frame.children.extend(child);
            if self.rng.chance(50) {
                isolate.flush();
            }
            if let Some(child) = self.rng.pick(&frame.children)
                && self.rng.chance(10)
            {
                let struck = self.cancel(isolate, child);
                worker.notes(&struck, Some(&frame));
                let workers = self.workers.iter_mut().flatten();
                workers.for_each(|worker| worker.notes(&struck, None));
            }
        } else if frame.waiting == Waiting::NotYet
            && plan.waits
            && may_wait
            && !frame.children.is_empty()
        {
            if is_sync && plan.helps && frame.helped < frame.children.len() {
                let taken = isolate.take(frame.children[frame.helped]);
                frame.helped += 1;
                if let Some(record) = taken {
                    let inner = self.begin(isolate, &record);
                    if self.tasks[inner.task].plan.is_async && inner.task.is_multiple_of(2) {
                        // As for async functions: it is known only now that it cannot run here.
                        self.tasks[inner.task].runs -= 1;
                        inner.held.iter().for_each(|key| isolate.release(*key));
                        isolate.hand_back(record.key);
                    } else {
                        worker.stack.push(frame);
                        worker.stack.push(inner);
                        return true;
                    }
                }
            } else {
                frame.waiting = Waiting::For(isolate.get(&frame.children));
            }
        } else if let Waiting::For(token) = frame.waiting {
            if is_sync {
                match isolate.park(0) {
                    reason if reason == Reason::Mail as u32 => worker.done.extend(isolate.drain()),
                    _ => {
                        // Code that goes on after an `await` holds none, and needs one from now on.
                        let needs = worker.cpu.take().unwrap_or(WHOLE.min(self.cpu));
                        if !std::mem::replace(&mut worker.is_blocked, true) {
                            worker.resumes = needs;
                        }
                        moved = false;
                    }
                }
            }
            if let Some(how) = worker.done.remove(&token) {
                isolate.forget(token);
                frame.waiting = Waiting::Over(how);
            }
        } else if let Waiting::Over(how) = frame.waiting {
            // Whether it gave its CPU up is known by what `park` said; asking without need is harmless.
            if worker.is_blocked {
                moved = self.cpu_in_use() + worker.resumes <= self.cpu;
                if moved {
                    assert_eq!(isolate.resume(), Reason::Resumed as u32);
                    worker.cpu = Some(worker.resumes);
                    worker.is_blocked = false;
                }
            }
            if moved {
                frame.waiting = Waiting::No;
                let (outcomes, fresh) = self.fetch(isolate, &frame.children);
                self.check_wait(&outcomes, None, how);
                frame.held.extend(fresh);
            }
        } else {
            self.finish(place, isolate, frame, &plan);
            return true;
        }
        match is_sync {
            true => worker.stack.push(frame),
            false => worker.asyncs.push(frame),
        }
        moved
    }

    fn finish(&mut self, place: usize, isolate: &mut Isolate, frame: Frame, plan: &Plan) {
        let refs = if plan.returns_refs {
            &frame.children[..]
        } else {
            &[]
        };
        let bytes = bytes_of(frame.task, plan.size);
        let retries = self.retries(frame.task);
        let of = &mut self.tasks[frame.task];
        let is_tried_again = of.attempt < plan.throws_again;
        if is_tried_again {
            isolate.fail_again(frame.key, &bytes);
        } else {
            isolate.result(frame.key, plan.throws, &bytes, refs);
        }
        if is_tried_again && of.attempt < retries {
            of.attempt += 1;
            of.tried_again = Some(Written {
                by: place,
                crossings: isolate.crossings,
            });
            self.seen.insert("a task that threw is run again");
        } else {
            (of.has_result, of.threw) = (true, is_tried_again || plan.throws);
        }
        frame
            .held
            .iter()
            .chain(&frame.children)
            .for_each(|key| isolate.release(*key));
        if self.rng.chance(50) {
            isolate.flush();
        }
    }

    // ---- the whole ----

    /// CPU of the workers that may run code; the one that moves is not among them.
    fn cpu_in_use(&self) -> u64 {
        let workers = self.workers.iter().flatten();
        workers.filter_map(|worker| worker.cpu).sum()
    }

    /// What is left of GPUs and of the named resource is what those tasks do not hold that were handed out and have not ended.
    fn check_resources(&self) {
        let (mut gpu, mut db) = (0, 0);
        let mut whole = Vec::new();
        for worker in self.workers.iter().flatten() {
            let taken_back = |record: &&TaskRecord| !worker.isolate.is_open(record.k);
            let records = worker.round.iter().filter(|record| !taken_back(record));
            let frames = worker.stack.iter().chain(&worker.asyncs);
            let keys = frames.map(|frame| frame.key);
            for key in records.map(|record| record.key).chain(keys) {
                let demand = self.demand(self.ids[&key]);
                gpu += demand.gpu;
                db += Self::db_of(demand);
                let granted = self.runtime.granted(key);
                let gpus = granted.map_or_else(Default::default, |granted| granted.gpus);
                assert_eq!(
                    gpus.len() as u64,
                    demand.gpu.div_ceil(WHOLE),
                    "GPUs by number"
                );
                if demand.gpu >= WHOLE {
                    whole.extend(gpus);
                }
            }
        }
        let count = whole.len();
        whole.sort_unstable();
        whole.dedup();
        assert_eq!(whole.len(), count, "a whole GPU was given out twice");
        let unflushed = self.has_unflushed_ends();
        for (name, total, left) in self.runtime.resources() {
            let held = match &*name {
                "GPU" => gpu,
                "db" => db,
                _ => {
                    assert!(left <= total);
                    continue;
                }
            };
            // Ends that were not handed in yet still hold.
            assert!(
                left + held <= total,
                "{name}: {left} left of {total}, {held} held"
            );
            assert!(
                unflushed || left + held == total,
                "{name}: {left} left of {total}, {held} held"
            );
        }
    }

    /// Somebody has written the end of a task, and not handed it in.
    fn has_unflushed_ends(&self) -> bool {
        self.workers
            .iter()
            .flatten()
            .any(|worker| worker.isolate.has_unflushed())
    }

    /// What was seen.
    fn run(mut self) -> HashSet<&'static str> {
        let steps = 40 * self.budget;
        for _ in 0..steps {
            match self.rng.below(self.workers.len() + 2) {
                0 | 1 if self.rng.chance(2) => self.runtime.retire(Instant::now(), Duration::ZERO),
                0 | 1 => drop(self.step_driver(false)),
                place => drop(self.step_worker(place - 2, false)),
            }
            self.check_sleep();
            self.check_resources();
        }
        // From here on only what must happen happens: until nobody moves.
        self.deaths = 0;
        loop {
            let mut moved = self.step_driver(true);
            for place in 0..self.workers.len() {
                moved |= self.step_worker(place, true);
            }
            self.check_resources();
            if !moved {
                break;
            }
        }
        self.check_end()
    }

    /// Nobody sleeps beside work, however busy others are: if something has what it needs, and a sleeper could take it, then
    /// somebody is on his way to it. Who runs code of a task is not, since that may take long.
    fn check_sleep(&self) {
        let startable = self.runtime.stats().startable;
        let driver = self.driver.as_ref().unwrap();
        if startable == 0 || driver.port.has_mail() || driver.wanted > 0 {
            return;
        }
        let workers = || self.workers.iter().flatten();
        let is_coming = |worker: &Worker| match worker.mode {
            Mode::Parked => worker.timer || worker.isolate.bell.is_rung(),
            Mode::Searching | Mode::Leaving => true,
            Mode::Awake => worker.stack.is_empty() && worker.round.is_empty(),
        };
        // With as many unfinished tasks as it may have it takes none.
        let could = |worker: &Worker| worker.mode == Mode::Parked && worker.isolate.port.has_work();
        assert!(
            workers().any(is_coming) || !workers().any(could),
            "a worker sleeps, {startable} tasks have what they need, and nobody comes"
        );
    }

    fn fails(&self, task: usize) -> bool {
        let of = &self.tasks[task];
        of.crashed
            || of.threw
            || of.cancelled.is_some()
            || of.is_doomed
            || of.deps.iter().any(|dep| self.fails(*dep))
    }

    fn check_end(mut self) -> HashSet<&'static str> {
        for (k, task) in self.tasks.iter().enumerate() {
            let may_run = !task.is_object
                && !task.deps.iter().any(|dep| self.fails(*dep))
                && self.exists(self.demand(k));
            let most = if may_run { task.attempt + 1 } else { 0 };
            assert!(task.runs <= most, "task {k} ran too often: {task:?}");
            let is_cancelled = task.cancelled.is_some() || task.is_doomed;
            if !is_cancelled {
                assert_eq!(task.runs, most, "task {k} {task:?}");
                assert!(
                    !may_run || task.has_result != task.crashed,
                    "task {k} never ended: {task:?}"
                );
            }
            let retries = self.retries(k);
            assert!(task.attempt <= retries, "task {k} {task:?}");
            assert!(!task.crashed || task.attempt == retries, "{task:?}");
        }
        let satisfied = |wait: &Wait| {
            wait.count
                .is_none_or(|count| count as usize <= wait.on.len())
        };
        assert!(
            !self.waits.values().any(satisfied),
            "waits that never ended: {:?}",
            self.waits
        );
        let mut driver = self.driver.take().unwrap();
        let handles = std::mem::take(&mut self.handles);
        for outcome in driver.fetch(&handles) {
            assert!(
                !matches!(outcome, Outcome::Pending | Outcome::Gone),
                "{outcome:?}"
            );
        }
        for key in std::mem::take(&mut self.pending) {
            // It holds itself until it is settled.
            driver.free(key);
        }
        driver.close(None, "");
        for worker in self.workers.into_iter().flatten() {
            let has_heard = |key: &Key| worker.has_heard(*key);
            assert!(worker.should_hear.iter().all(has_heard), "it is told");
            let is_cancelled = |(key, is_timeout): &(Key, bool)| {
                !is_timeout && self.tasks[self.ids[key]].cancelled.is_some()
            };
            assert!(worker.isolate.unwanted.iter().all(is_cancelled));
            assert!(worker.stack.is_empty() && worker.asyncs.is_empty() && worker.round.is_empty());
            worker.isolate.close(Some(0), "");
        }
        assert_empty(&self.runtime);
        assert_eq!(self.runtime.stats().workers, 0);
        let idle = self.runtime.words();
        assert_eq!(
            idle.idle().load(std::sync::atomic::Ordering::SeqCst),
            0,
            "somebody still sleeps"
        );
        self.seen
    }
}

impl Worker {
    /// Some tasks were cancelled: of those that run here it should hear, the one that moves among them.
    fn notes(&mut self, struck: &[Key], moving: Option<&Frame>) {
        let frames = self.stack.iter().chain(&self.asyncs).chain(moving);
        let run_here = frames.map(|frame| frame.key);
        self.should_hear
            .extend(run_here.filter(|key| struck.contains(key)));
    }

    /// It was told that nobody wants this task any more.
    fn has_heard(&self, key: Key) -> bool {
        let mut unwanted = self.isolate.unwanted.iter();
        unwanted.any(|(other, _)| *other == key)
    }
}

fn is_failure(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Thrown { .. } | Outcome::Crashed { .. } | Outcome::Cancelled
    )
}

/// An async task can go on unless it waits for something that is not there yet.
fn runnable(worker: &Worker, frame: &Frame) -> bool {
    match frame.waiting {
        Waiting::For(token) => worker.done.contains_key(&token),
        _ => true,
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
