//! Nobody starves: how often each task that could begin, and each line of such tasks, is passed over.
//!
//! What is counted is a round that is handed to a worker that might have begun the task: it has taken at least as much of
//! everything as the task needs, and the worker may begin such tasks. So no claim and no lack of anything excuses it.
//!
//! - A *line* (equal needs and priority, known to be async or not) is due after `PATIENCE` hand-outs to others, and then goes
//!   before all but those that were due earlier, each of which goes once. A claim of it that was too short begins its count
//!   anew: claims last twice as long each time, so the time that has passed bounds their number. Where only common tasks wait
//!   nobody counts, and each worker sees to the lane that it does not take from once in `PATIENCE` rounds.
//! - *Within a line* it is first in first out. What is given back goes to the front in whatever order: not more than were handed
//!   out together.
//! - *A common task* has no more before it than are queued beside it, in one queue. A worker takes the eldest of some queue of its
//!   lane once in `PATIENCE` rounds, and those that are not empty take turns: the injector, and as many deques as there are workers
//!   or tasks.
//!
//! What lies in the round of a worker is not counted: rounds are short here. `fairness.rs` has that it is taken over.
//!
//! When a worker ends, and when a function turns out to be async, queues are mixed: what concerns them is counted anew.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use mobula_runtime::{Demand, Terms};
use mobula_sched::{BATCH_MAX, Key};

use crate::support::record::TaskRecord;
use crate::task::task_of;
use crate::worker::Worker;
use crate::{Sim, WAYS};

const PATIENCE: u32 = 64;
/// Rounds after which it counts as seen that something was passed over: fewer, since what happens depends on the clock, too.
const LONG: u32 = PATIENCE / 2;
/// Every line that there can be.
const LINES: u32 = 2 * WAYS as u32;
/// A line's first claim lasts so long.
const CLAIM_AT_FIRST: Duration = Duration::from_millis(5);

/// The first terms of these needs and this priority, and whether its calls are known to be async.
type Line = (usize, bool);

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Submitted, or to be run again, and not begun.
    pub(crate) unbegun: Vec<usize>,
    /// Those of them that could begin.
    tasks: HashMap<usize, Queued>,
    lines: HashMap<Line, Passed>,
    steps: u64,
}

#[derive(Debug)]
struct Queued {
    /// The step after which it could begin.
    since: u64,
    /// At most so many were queued in its line at once.
    beside: usize,
    /// Rounds of others, by worker.
    rounds: HashMap<usize, u32>,
    /// Tasks of its line that came later and were handed out before.
    younger: u32,
}

#[derive(Debug)]
struct Passed {
    since: Instant,
    times: u32,
}

impl Passed {
    fn times_max(&self, workers: u32) -> u32 {
        let claims =
            (self.since.elapsed().as_secs_f64() / CLAIM_AT_FIRST.as_secs_f64() + 1.0).log2();
        (PATIENCE + LINES) * (2 + claims as u32) + workers * (PATIENCE + 2)
    }
}

impl Queue {
    /// The queues were mixed.
    pub(crate) fn count_anew(&mut self) {
        self.tasks.clear();
        self.lines.clear();
    }

    /// A worker has retired, and its deque, with nothing but common tasks in it, was mixed with others.
    pub(crate) fn count_rounds_anew(&mut self) {
        let queued = self.tasks.values_mut();
        queued.for_each(|queued| queued.rounds.clear());
    }

    pub(crate) fn len(&self) -> usize {
        self.unbegun.len()
    }
}

/// Who has the one has no less than the other of anything.
fn covers(one: &Demand, other: &Demand) -> bool {
    one.cpu >= other.cpu && one.gpu >= other.gpu && Sim::db_of(one) >= Sim::db_of(other)
}

/// By terms: the first that mean the same line.
pub(crate) fn lines(terms: &[(u32, Terms)]) -> Vec<usize> {
    let of = |terms: &Terms| {
        let demand = &terms.demand;
        let db = Sim::db_of(demand);
        (demand.cpu, demand.gpu, db, terms.priority)
    };
    let first = |(_, one): &(u32, Terms)| terms.iter().position(|(_, other)| of(other) == of(one));
    terms.iter().filter_map(first).collect()
}

impl Sim {
    fn line_of(&self, task: usize) -> Line {
        let line = self.lines[self.tasks[task].plan.terms];
        (line, self.is_known(task))
    }

    /// It has all that it waits for, and is queued, or lies in a round.
    fn could_begin(&self, task: usize) -> bool {
        let of = &self.tasks[task];
        let port = &self.driver.as_ref().unwrap().port;
        self.is_handed_in(of.written)
            && self.is_handed_in(of.tried_again)
            && of.deps.iter().all(|dep| port.is_over(self.tasks[*dep].key))
            && self.exists(self.demand(task))
    }

    /// Who could begin now, after each step.
    pub(crate) fn note_queue(&mut self) {
        let mut queue = std::mem::take(&mut self.queue);
        queue.steps += 1;
        let port = &self.driver.as_ref().unwrap().port;
        let is_unbegun = |task: usize| {
            let of = &self.tasks[task];
            of.runs == of.attempt && !port.is_over(of.key)
        };
        queue.unbegun.retain(|task| is_unbegun(*task));
        queue.tasks.retain(|task, _| is_unbegun(*task));
        let workers = self.workers.iter().flatten();
        let lying: HashSet<Key> = workers
            .flat_map(|worker| {
                worker
                    .round
                    .iter()
                    .filter(|record| worker.isolate.is_open(record.k))
            })
            .map(|record| record.key)
            .collect();
        let mut beside: HashMap<Line, usize> = HashMap::new();
        for task in &queue.unbegun {
            if lying.contains(&self.tasks[*task].key) {
                queue.tasks.remove(task);
            } else if self.could_begin(*task) {
                *beside.entry(self.line_of(*task)).or_default() += 1;
                let fresh = Queued {
                    since: queue.steps,
                    beside: 0,
                    rounds: HashMap::new(),
                    younger: 0,
                };
                queue.tasks.entry(*task).or_insert(fresh);
            }
        }
        for (task, queued) in &mut queue.tasks {
            queued.beside = queued.beside.max(beside[&self.line_of(*task)]);
        }
        queue.lines.retain(|line, _| beside.contains_key(line));
        self.queue = queue;
    }

    /// A worker was handed these: all others that could begin were passed over.
    pub(crate) fn note_round(&mut self, worker: &Worker, records: &[TaskRecord]) {
        let mut queue = std::mem::take(&mut self.queue);
        let handed: Vec<usize> = records
            .iter()
            .map(|record| task_of(&record.bytes))
            .collect();
        for task in &handed {
            self.note_patience(&queue, *task);
        }
        let (line, demand) = (self.line_of(handed[0]), self.demand(handed[0]));
        let ages: Vec<u64> = handed
            .iter()
            .map(|task| {
                queue
                    .tasks
                    .get(task)
                    .map_or(u64::MAX, |queued| queued.since)
            })
            .collect();
        let place = worker.isolate.port.place().unwrap();
        let workers = self.workers.iter().flatten().count() as u32 + 1;
        let mut passed = HashSet::new();
        for (task, queued) in &mut queue.tasks {
            let might =
                (worker.was_free || self.is_known(*task)) && covers(demand, self.demand(*task));
            if !might || handed.contains(task) {
                continue;
            }
            if self.line_of(*task) != line {
                passed.insert(self.line_of(*task));
            } else if line.0 == 0 {
                let queues = 1 + workers.min(queued.beside as u32);
                let rounds_max = PATIENCE * queues * (queued.beside as u32 + 1);
                let rounds = queued.rounds.entry(place).or_default();
                *rounds += 1;
                assert!(
                    *rounds <= rounds_max,
                    "task {task} is passed over for more than {rounds_max} rounds: {queued:?}"
                );
            } else {
                let younger = ages.iter().filter(|since| **since > queued.since);
                queued.younger += younger.count() as u32;
                assert!(
                    queued.younger < BATCH_MAX as u32,
                    "task {task} is passed over within its line: {queued:?}"
                );
            }
        }
        for other in passed {
            let fresh = Passed {
                since: Instant::now(),
                times: 0,
            };
            let passed = queue.lines.entry(other).or_insert(fresh);
            passed.times += 1;
            let times_max = passed.times_max(workers);
            assert!(
                passed.times <= times_max,
                "line {other:?} is passed over more than {times_max} times"
            );
        }
        queue.lines.remove(&line);
        self.queue = queue;
    }

    /// What is begun after it was passed over for long.
    fn note_patience(&mut self, queue: &Queue, task: usize) {
        let line = self.line_of(task);
        let passed = queue.lines.get(&line);
        if passed.is_some_and(|passed| passed.times >= LONG) {
            self.seen
                .insert("a line has its turn that was passed over for long");
        }
        let Some(queued) = queue.tasks.get(&task) else {
            return;
        };
        if queued.rounds.values().any(|rounds| *rounds >= LONG) {
            self.seen
                .insert("a task is begun that was passed over for long");
        }
    }
}
