//! Time limits, and threads that are given up, by a clock that is moved by hand.
//!
//! A run that has a limit and has begun is settled once the limit has passed since it was handed out, and no other: time in queues
//! does not count, nor that of a hand-out that came to nothing. A thread is given up only if it has not been in its loop since
//! somebody wanted the end of a task, which it still ran when its time was over; and all that the task holds is held until the thread has ended.

use std::time::Duration;

use mobula_sched::Key;

use crate::Sim;
use crate::support::isolate::Isolate;
use crate::task::Written;
use crate::worker::Worker;

/// In minutes; so that what the simulation takes itself makes no difference, it is no multiple of a step.
const LIMIT: u64 = 90;
const STEP: u64 = 60;
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn limit() -> Duration {
    LIMIT as u32 * MINUTE
}

/// A run under a limit.
#[derive(Debug)]
pub(crate) struct Timed {
    due: u64,
    /// Where its end was written, which counts once it is handed in.
    pub(crate) end: Option<Written>,
}

/// Somebody wants the end of a task so much that its thread may go with it.
#[derive(Debug)]
pub(crate) struct Watch {
    start: u32,
    key: Key,
    /// How often the thread had been in its loop.
    turns: u64,
    /// It still ran the task when its time was over.
    is_condemned: bool,
}

impl Sim {
    /// A task was handed out.
    pub(crate) fn start_time(&mut self, task: usize) {
        let terms = &self.terms[self.tasks[task].plan.terms].1;
        if terms.limit.is_some() {
            let due = self.minutes + LIMIT;
            self.timed.insert(task, Timed { due, end: None });
        }
    }

    /// Threads that run these are given up unless they come back.
    pub(crate) fn watch(&mut self, struck: &[Key], moving: Option<&Worker>) {
        for worker in self.workers.iter().flatten().chain(moving) {
            // What has ended, and was not handed in, may be one of them, too.
            let is_unsure = worker.isolate.has_unflushed();
            let runs = |key: &&Key| is_unsure || worker.keys().any(|other| other == **key);
            let keys = struck.iter().copied().filter(|key| runs(&key));
            self.watches.extend(keys.map(|key| Watch {
                start: worker.start,
                key,
                turns: worker.turns,
                is_condemned: false,
            }));
        }
    }

    /// An hour passes.
    pub(crate) fn skip_time(&mut self, driver: &mut Isolate) {
        driver.flush();
        self.minutes += STEP;
        let mut timed = std::mem::take(&mut self.timed);
        timed.retain(|_, timed| timed.end.is_none() || !self.is_handed_in(timed.end));
        let mut due: Vec<usize> = Vec::new();
        for (task, timed) in &mut timed {
            let of = &self.tasks[*task];
            if timed.due > self.minutes {
                continue;
            }
            if timed.end.is_some() || of.runs > of.attempt {
                due.push(*task);
            } else {
                timed.due = self.minutes + LIMIT;
            }
        }
        timed.retain(|task, _| !due.contains(task));
        self.timed = timed;
        let mut struck = Vec::new();
        let mut open: Vec<(usize, bool)> = due.iter().map(|task| (*task, true)).collect();
        let mut forced = Vec::new();
        while let Some((task, is_due)) = open.pop() {
            let of = &self.tasks[task];
            if is_due {
                forced.push(of.key);
            }
            if driver.port.is_over(of.key) || struck.contains(&task) {
                continue;
            }
            if !self.is_handed_in(of.written) {
                self.tasks[task].is_doomed = true;
                continue;
            }
            struck.push(task);
            forced.push(of.key);
            open.extend(
                self.children_of(task)
                    .into_iter()
                    .map(|child| (child, false)),
            );
        }
        // What is struck now is watched from now on.
        for worker in self.workers.iter().flatten() {
            let runs = |key: Key| {
                // Or it has ended, and its end was not handed in.
                worker.isolate.has_unflushed() || worker.keys().any(|other| other == key)
            };
            let of_this =
                |watch: &&mut Watch| (watch.start, watch.turns) == (worker.start, worker.turns);
            for watch in self.watches.iter_mut().filter(of_this) {
                watch.is_condemned |= runs(watch.key);
            }
        }
        self.runtime.skip_time(STEP as u32 * MINUTE);
        for task in &struck {
            let is_due = due.contains(task);
            let of = &mut self.tasks[*task];
            assert!(driver.port.is_over(of.key), "task {task} takes too long");
            of.cancelled = Some(true);
            of.is_late = is_due;
            if is_due {
                self.seen.insert("a run takes too long");
            }
        }
        let keys: Vec<Key> = struck.iter().map(|task| self.tasks[*task].key).collect();
        let workers = self.workers.iter_mut().flatten();
        workers.for_each(|worker| worker.notes(&keys, None));
        self.watch(&forced, None);
    }

    /// The driver ends threads that should be given up.
    pub(crate) fn give_up(&mut self, driver: &mut Isolate) {
        for start in std::mem::take(&mut driver.doomed) {
            let is_it = |worker: &&mut Worker| worker.start == start;
            let worker = self.workers.iter_mut().flatten().find(is_it);
            if !self.runtime.execute(start) {
                self.seen
                    .insert("a thread comes back before it is given up");
                continue;
            }
            let worker = worker.expect("it has not ended");
            let is_why = |watch: &Watch| {
                (watch.start, watch.turns) == (start, worker.turns) && watch.is_condemned
            };
            assert!(self.watches.iter().any(is_why), "it has come back since");
            assert!(self.runtime.stats().abandoned > 0);
            worker.is_dying = true;
            self.seen.insert("a thread is given up");
        }
    }
}
