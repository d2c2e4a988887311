//! What holds of all together, after each step and in the end.

use std::collections::HashSet;

use crate::Sim;
use crate::driver::Wait;
use crate::support::assert_empty;
use crate::support::record::{Outcome, TaskRecord};
use crate::worker::{Mode, Worker};
use mobula_runtime::{Outcome as Open, Run, WHOLE};
use mobula_sched::Key;

impl Sim {
    /// What is left of GPUs and of the named resource is what those tasks do not hold that were handed out and have not ended.
    pub(crate) fn check_resources(&self) {
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
    pub(crate) fn has_unflushed_ends(&self) -> bool {
        self.workers
            .iter()
            .flatten()
            .any(|worker| worker.isolate.has_unflushed())
    }

    /// Nobody sleeps beside work, however busy others are: if something has what it needs, and a sleeper could take it, then
    /// somebody is on his way to it. Who runs code of a task is not, since that may take long.
    pub(crate) fn check_sleep(&self) {
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

    /// There is a record for every run, and one for each task that ended without; what has not ended is among what nobody can run.
    fn check_history(&self) {
        let driver = self.driver.as_ref().unwrap();
        let runs = self.runtime.runs();
        let is_open =
            |run: &&Run| matches!(run.outcome, Open::Waiting | Open::Queued | Open::Running);
        let (open, ended): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(is_open);
        let tasks = self.tasks.iter().filter(|task| !task.is_object);
        let (mut least, mut most, mut endless) = (0, 0, 0);
        for task in tasks {
            if driver.port.is_over(task.key) {
                // Of one that was cancelled it is not known here which of its last runs came to be told.
                let is_cancelled = task.cancelled.is_some() || task.is_doomed;
                least += if is_cancelled { 1 } else { 1 + task.attempt };
                most += 1 + task.attempt;
            } else {
                endless += 1;
            }
        }
        assert!(
            (least..=most).contains(&(ended.len() as u32)),
            "{} records, {least} to {most} runs",
            ended.len()
        );
        assert_eq!(open.len(), endless, "{open:?}");
        let returned = |run: &&&Run| run.outcome == Open::Returned;
        let values = self.tasks.iter().filter(|task| {
            let is_cancelled = task.cancelled.is_some() || task.is_doomed;
            !task.is_object && task.has_result && !task.threw && !is_cancelled
        });
        assert!(ended.iter().filter(returned).count() >= values.count());
        for run in ended {
            let moments = [run.submitted, run.ready, run.started, run.finished];
            let told: Vec<u64> = moments.into_iter().filter(|moment| *moment > 0).collect();
            assert!(told.is_sorted() && run.finished > 0, "{run:?}");
            assert_eq!(run.started > 0, run.worker.is_some(), "{run:?}");
        }
    }

    pub(crate) fn check_end(mut self) -> HashSet<&'static str> {
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
        self.check_history();
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
                let of = &self.tasks[self.ids[key]];
                of.cancelled.is_some() && (of.is_late || !is_timeout)
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
