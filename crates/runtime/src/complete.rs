//! A task ends: its object is settled, and all that waited for it learns of it.

use std::sync::Arc;

use mobula_sched::{Key, Lane, Local, Phase};
use mobula_sync::atomic::{Ordering, fence};

use crate::actor::Bound;
use crate::cell::{Body, Task};
use crate::failure::{Failure, Kind};
use crate::functions::is_stream;
use crate::history::{Outcome, Run, Stamp};
use crate::layout::status;
use crate::runtime::Runtime;
use crate::value::Value;

/// How a failure found a task.
#[derive(Debug)]
pub(crate) struct Struck {
    pub(crate) function: u32,
    /// What it had submitted.
    pub(crate) children: Vec<Key>,
    /// The phase that it was in.
    pub(crate) before: Phase,
    /// The place of the worker that it was last handed to, if it was handed out.
    pub(crate) place: usize,
    /// Whose call it is.
    pub(crate) bound: Option<Box<Bound>>,
}

impl Runtime {
    /// The task returned a value. Dropped if it was settled before, as when its worker had been given up for dead. What there is to
    /// tell of its run goes to `tell` before anybody hears of it.
    pub(crate) fn complete(
        &self,
        key: Key,
        mut value: Value,
        mut local: Option<&mut Local>,
        now: Stamp,
        tell: impl FnOnce(Run),
    ) {
        self.retain_all(&value.refs);
        let mut ready = Vec::new();
        let before = {
            let mut body = self.cell(key).body.lock();
            // Only an unsettled task of this generation may be replaced; the lock keeps two results apart.
            match &*body {
                Body::Task(task) if !self.table.phase(key).is_none_or(Phase::is_settled) => {
                    if self.config.faults.lose(&value) {
                        drop(body);
                        self.release(crate::refs::keys_of(&value).collect::<Vec<_>>());
                        return self.fail_run(key, Kind::Lost, tell);
                    }
                    value.function = task.function;
                    tell(self.run_of(key, task, Outcome::Returned));
                }
                _ => {
                    drop(body);
                    self.release(crate::refs::keys_of(&value).collect::<Vec<_>>());
                    return;
                }
            }
            let before = std::mem::replace(&mut *body, Body::Value(value));
            if let Body::Task(task) = &before {
                self.no_longer_pending(task);
            }
            self.table.resolve(key, Phase::Done, &mut ready);
            before
        };
        for waiter in ready {
            self.arrived(waiter, status::READY, local.as_deref_mut(), now);
        }
        if let Body::Task(mut task) = before {
            if let Some(returns) = task.returns.take() {
                self.settle_returns(*returns, task.function, local, now);
            }
            if is_stream(task.function) {
                self.finish_stream(key);
            }
            self.release_task(&task, key);
        }
    }

    /// The task threw, or its worker died.
    pub(crate) fn fail_with(&self, key: Key, kind: Kind) {
        self.strike(key, kind, false);
    }

    /// The same; the caller knows more of the run than the history would.
    pub(crate) fn fail_run(&self, key: Key, kind: Kind, tell: impl FnOnce(Run)) {
        self.strike_by(key, kind, false, tell);
    }

    /// Fails a task whoever may run it: what it was given lingers, if it was handed out. `None` if it was settled before.
    pub(crate) fn strike(&self, key: Key, kind: Kind, lingers: bool) -> Option<Struck> {
        self.strike_by(key, kind, lingers, |run| self.note_end(key, run))
    }

    fn strike_by(
        &self,
        key: Key,
        kind: Kind,
        lingers: bool,
        tell: impl FnOnce(Run),
    ) -> Option<Struck> {
        if let Some(value) = kind.thrown() {
            self.retain_all(&value.refs);
        }
        let (function, attempt) = match &*self.cell(key).body.lock() {
            Body::Task(task) => (task.function, task.attempt),
            _ => (u32::MAX, 0),
        };
        let failure = Failure {
            function,
            attempt,
            kind,
        };
        self.spread(key, Arc::new(failure), lingers, tell)
    }

    /// Fails a task and all that depend on it, with the same failure.
    pub(crate) fn fail(&self, key: Key, failure: Arc<Failure>) {
        self.spread(key, failure, false, |run| self.note_end(key, run));
    }

    /// The same for a task that is submitted too late: what it depends on has failed.
    pub(crate) fn fail_upstream(&self, key: Key, failure: Arc<Failure>) {
        self.spread(key, failure, false, |run| {
            let outcome = Outcome::Upstream;
            self.note_end(key, Run { outcome, ..run });
        });
    }

    /// A work list, not recursion: chains are long. Tells how the failure found the first.
    pub(crate) fn spread(
        &self,
        key: Key,
        failure: Arc<Failure>,
        lingers: bool,
        tell: impl FnOnce(Run),
    ) -> Option<Struck> {
        let mut struck = None;
        let mut tell = Some(tell);
        let mut open = vec![key];
        let mut dependents = Vec::new();
        while let Some(key) = open.pop() {
            let mut bound = None;
            let mut is_streaming = false;
            let before = {
                let mut body = self.cell(key).body.lock();
                if !matches!(*body, Body::Task(_) | Body::Return(_))
                    || self.table.phase(key).is_none_or(Phase::is_settled)
                {
                    continue;
                }
                let mut before = std::mem::replace(&mut *body, Body::Failed(failure.clone()));
                if let Body::Task(task) = &before {
                    self.no_longer_pending(task);
                    bound = task.bound.clone();
                    is_streaming = is_stream(task.function);
                }
                match (&before, tell.take()) {
                    (Body::Task(task), Some(tell)) => {
                        tell(self.run_of(key, task, Outcome::of(&failure.kind)));
                    }
                    (Body::Task(task), None) => {
                        self.note_end(key, self.run_of(key, task, Outcome::Upstream));
                    }
                    _ => {}
                }
                let phase = self.table.resolve_failed(key, &mut dependents);
                if let (None, Some(phase)) = (&struck, phase) {
                    // Before its slot can be another's.
                    struck = Some(self.struck(key, phase, &mut before));
                    if lingers && matches!(phase, Phase::Offered | Phase::Running) {
                        // Whoever ends its code finds it.
                        self.let_linger(key, &mut before);
                    }
                }
                before
            };
            match bound.as_deref() {
                Some(Bound::Call { actor, caller, .. }) => self.call_settled(actor, key, *caller),
                Some(Bound::Constructor(actor)) => self.not_constructed(actor, &failure),
                None => {}
            }
            for dependent in dependents.drain(..) {
                if self.is_task(dependent) {
                    open.push(dependent);
                } else {
                    self.heard_failure(dependent);
                }
            }
            if is_streaming {
                open.extend(self.fail_stream(key, &failure));
            }
            match before {
                Body::Task(task) => {
                    if let Some(returns) = &task.returns {
                        open.extend(&returns.keys);
                    }
                    self.release_task(&task, key);
                }
                Body::Struck(returned) => open.extend(returned),
                Body::Return(_) => self.release([key]),
                _ => {}
            }
        }
        self.let_go(failure);
        struck
    }

    /// Before anybody can hear of its end: who does may submit the next at once.
    fn no_longer_pending(&self, task: &Task) {
        match task.bound.as_deref() {
            None => self.ended_pending(),
            Some(Bound::Call { actor, .. }) => {
                self.ended_pending();
                actor.ended_pending();
            }
            Some(Bound::Constructor(_)) => {}
        }
    }

    fn struck(&self, key: Key, before: Phase, body: &mut Body) -> Struck {
        let (function, children, bound) = match body {
            Body::Task(task) => (task.function, task.children.take(), task.bound.clone()),
            _ => (u32::MAX, None, None),
        };
        // With the one in `start_round`: whoever is handed the task sees that it is settled, or is seen here.
        fence(Ordering::SeqCst);
        Struck {
            function,
            children: children.map_or_else(Vec::new, |all| all.into_keys()),
            before,
            place: self.cell(key).place.load(Ordering::Relaxed) as usize,
            bound,
        }
    }

    /// Takes the task out of what is about to be let go of; its further returns are not its to keep.
    fn let_linger(&self, key: Key, body: &mut Body) {
        let Body::Task(task) = std::mem::take(body) else {
            return;
        };
        let mut returned = Vec::new();
        if let Some(returns) = &task.returns {
            returned.extend(returns.keys.iter().copied());
        }
        self.lingering.keep(key, task);
        *body = Body::Struck(returned);
    }

    /// Deletes the value of an object now, whoever refers to it. A task that has not settled fails; what it still comes to is
    /// dropped.
    pub(crate) fn free(&self, key: Key) {
        let before = {
            let mut body = self.cell(key).body.lock();
            match (self.table.phase(key), &*body) {
                (Some(Phase::Done), Body::Value(_)) => {
                    let failure = Failure::shared(u32::MAX, Kind::Freed);
                    let value = std::mem::replace(&mut *body, Body::Failed(failure));
                    self.table.advance(key, Phase::Done, Phase::Failed);
                    value
                }
                (Some(phase), Body::Task(_) | Body::Return(_)) if !phase.is_settled() => {
                    drop(body);
                    self.fail_with(key, Kind::Freed);
                    return;
                }
                _ => return,
            }
        };
        if let Body::Value(value) = before {
            self.release(crate::refs::keys_of(&value).collect::<Vec<_>>());
        }
    }

    /// Fails all that is queued: no worker will ever take it.
    pub(crate) fn fail_queued(&self) {
        let Some(failure) = self.setup_failure() else {
            return;
        };
        let special = self.lines.drain().into_iter();
        let common = Lane::ALL
            .into_iter()
            .flat_map(|lane| std::iter::from_fn(move || self.queues.take_any(lane)));
        for key in special.chain(common) {
            // As if it began: an entry whose task was taken since is left alone.
            if self.table.advance(key, Phase::Ready, Phase::Running) {
                self.fail(key, failure.clone());
            }
        }
    }

    pub(crate) fn failure_of(&self, key: Key) -> Option<Arc<Failure>> {
        match &*self.cell(key).body.lock() {
            Body::Failed(failure) => Some(failure.clone()),
            _ => None,
        }
    }

    fn is_task(&self, key: Key) -> bool {
        self.table.phase(key).is_some() && matches!(*self.cell(key).body.lock(), Body::Task(_))
    }

    /// One share of a failure less; its refs go with the last.
    pub(crate) fn let_go(&self, failure: Arc<Failure>) {
        let thrown = Arc::into_inner(failure).and_then(|failure| failure.kind.into_thrown());
        if let Some(value) = thrown {
            self.release(crate::refs::keys_of(&value).collect::<Vec<_>>());
        }
    }
}
