//! A task or an object enters: from the record of an isolate into the table, and into a queue when nothing is missing.

use std::sync::Arc;

use mobula_sched::{Key, Local, Phase};
use mobula_sync::atomic::Ordering;

use crate::actor::{Actor, Bound, Call};
use crate::cell::{Body, Task};
use crate::failure::{Failure, Kind};
use crate::functions::is_stream;
use crate::history::Stamp;
use crate::holders::{ACTOR, STREAM};
use crate::lines::{OF_ACTOR, lane_of};
use crate::refs::keys_of;
use crate::runtime::Runtime;
use crate::value::Value;

/// Instead of a worker's place.
pub(crate) const NOBODY: u32 = u32::MAX;

impl Runtime {
    /// A task under a reserved key. The refs in it are held from now on; the caller's isolate is one more holder. A call is one of `callee`'s.
    pub(crate) fn submit(
        &self,
        key: Key,
        task: Task,
        callee: Option<&Arc<Actor>>,
        local: Option<&mut Local>,
    ) {
        let mut holders = 2;
        match task.bound.as_deref() {
            // It may last for long.
            Some(Bound::Constructor(actor)) => {
                holders |= ACTOR;
                actor.enters(task.submitted);
            }
            _ => self.began_pending(),
        }
        if is_stream(task.function) {
            holders |= STREAM;
            self.open_stream(key, task.function);
        }
        // The submitting isolate, and the task itself until it is settled.
        self.cell(key).holders.store(holders, Ordering::Relaxed);
        self.cell(key)
            .function
            .store(task.function, Ordering::Relaxed);
        let now = task.submitted;
        self.cell(key).ready.store(now, Ordering::Relaxed);
        self.cell(key).handed.store(0, Ordering::Relaxed);
        self.cell(key).place.store(NOBODY, Ordering::Relaxed);
        self.retain_all(&task.arguments.refs);
        self.retain_all(&task.deps);
        let on: Vec<Key> = task.deps.iter().map(|entry| entry.key).collect();
        let call = match task.bound.as_deref() {
            Some(&Bound::Call { caller, group, .. }) => Some(Call { key, caller, group }),
            _ => None,
        };
        *self.cell(key).body.lock() = Body::Task(task);
        let phase = match on.is_empty() {
            true => Phase::Ready,
            false => Phase::Waiting,
        };
        self.table.advance(key, Phase::New, phase);
        if let (Some(call), Some(actor)) = (call, callee) {
            if let Err(failure) = self.arrive(actor, call, on.is_empty()) {
                return self.fail(key, failure);
            }
            if on.is_empty() {
                return;
            }
        }
        if on.is_empty() {
            self.enqueue(key, local);
        } else {
            let ready = self.table.wait_for(key, &on, on.len() as u32);
            // Those that had failed before the edges were drawn told nobody.
            let failed = on
                .iter()
                .find(|dep| self.table.phase(**dep) == Some(Phase::Failed));
            match failed.and_then(|dep| self.failure_of(*dep)) {
                Some(failure) => self.fail_upstream(key, failure),
                None if ready => self.make_ready(key, local, now),
                None => {}
            }
        }
    }

    /// An object with its value, under a reserved key.
    pub(crate) fn put(&self, key: Key, value: Value) {
        self.cell(key).holders.store(1, Ordering::Relaxed);
        if self.config.faults.lose(&value) {
            let failure = Failure::shared(u32::MAX, Kind::Lost);
            *self.cell(key).body.lock() = Body::Failed(failure);
            self.table.resolve_failed(key, &mut Vec::new());
            return;
        }
        self.retain_all(&value.refs);
        *self.cell(key).body.lock() = Body::Value(value);
        self.table.resolve(key, Phase::Done, &mut Vec::new());
    }

    /// The last dependency is there.
    pub(crate) fn make_ready(&self, key: Key, local: Option<&mut Local>, now: Stamp) {
        // Before anybody can be handed it; if it failed meanwhile its slot may be another's, who has more to tell later.
        if self.table.phase(key) == Some(Phase::Waiting) {
            self.cell(key).ready.store(now, Ordering::Relaxed);
        }
        if self.table.advance(key, Phase::Waiting, Phase::Ready) {
            self.enqueue(key, local);
        }
    }

    /// Into a queue: the worker's own, or the one for all; its line, if it is no common task.
    pub(crate) fn enqueue(&self, key: Key, local: Option<&mut Local>) {
        let line = self.line_of(key);
        match (lane_of(line), local) {
            (None, _) if line == OF_ACTOR => self.post(key),
            (None, _) => self.lines.push(line, key, false),
            (Some(lane), Some(local)) => local.push(key, lane),
            (Some(lane), None) => self.queues.inject(key, lane),
        }
    }

    /// A worker was handed these and did not begin them: they are ready again.
    pub(crate) fn hand_back(&self, keys: &[Key], mut local: Option<&mut Local>) {
        for key in keys {
            // First of all: once it is ready others may be granted what it needs.
            self.pool.withdraw(*key);
            self.is_nowhere(*key);
            if !self.table.advance(*key, Phase::Offered, Phase::Ready) {
                self.let_settled_linger_no_more(*key);
            } else {
                match self.line_of(*key) {
                    OF_ACTOR => self.post(*key),
                    line if lane_of(line).is_none() => self.lines.push(line, *key, true),
                    _ => self.enqueue(*key, local.as_deref_mut()),
                }
            }
        }
    }

    /// A task that was handed out is with no worker from now on: before it is ready, and may be another's. A slot that stands for
    /// something else by now is left alone: it is settled, and emptied, under the lock before.
    pub(crate) fn is_nowhere(&self, key: Key) {
        let body = self.cell(key).body.lock();
        let is_handed_out = matches!(self.table.phase(key), Some(Phase::Offered | Phase::Running));
        if is_handed_out && matches!(*body, Body::Task(_)) {
            self.cell(key).place.store(NOBODY, Ordering::Relaxed);
        }
    }

    /// Where a task waits that is ready. It changes when its function is seen to be async.
    pub(crate) fn line_of(&self, key: Key) -> u32 {
        self.functions
            .line(self.cell(key).function.load(Ordering::Relaxed))
    }

    /// What a settled task held.
    pub(crate) fn release_task(&self, task: &Task, key: Key) {
        let deps = task.deps.iter().chain(&task.brought).map(|entry| entry.key);
        self.no_longer_streams(key, task.function);
        // Handed in and not settled: the task failed after that.
        let values = task.returns.iter().flat_map(|returns| &returns.values);
        let refs = values.flat_map(keys_of);
        self.release(
            keys_of(&task.arguments)
                .chain(deps)
                .chain(refs)
                .chain([key]),
        );
    }
}
