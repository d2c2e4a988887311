//! A task ends: its object is settled, and all that waited for it learns of it.

use std::sync::Arc;

use mobula_sched::{Key, Lane, Local, Phase};

use crate::cell::Body;
use crate::failure::{Failure, Kind};
use crate::layout::status;
use crate::runtime::Runtime;
use crate::value::Value;

impl Runtime {
    /// The task returned a value. Dropped if it was settled before, as when its worker had been given up for dead.
    pub(crate) fn complete(&self, key: Key, mut value: Value, mut local: Option<&mut Local>) {
        self.retain_all(&value.refs);
        let mut ready = Vec::new();
        let before = {
            let mut body = self.cell(key).body.lock();
            // Only an unsettled task of this generation may be replaced; the lock keeps two results apart.
            match &*body {
                Body::Task(task) if !self.table.phase(key).is_none_or(Phase::is_settled) => {
                    value.function = task.function;
                }
                _ => {
                    drop(body);
                    self.release(crate::refs::keys_of(&value).collect::<Vec<_>>());
                    return;
                }
            }
            let before = std::mem::replace(&mut *body, Body::Value(value));
            // Before anybody can hear of it: who does may submit the next at once.
            self.ended_pending();
            self.table.resolve(key, Phase::Done, &mut ready);
            before
        };
        for waiter in ready {
            self.arrived(waiter, status::READY, local.as_deref_mut());
        }
        if let Body::Task(mut task) = before {
            if let Some(returns) = task.returns.take() {
                self.settle_returns(*returns, task.function, local);
            }
            self.release_task(&task, key);
        }
    }

    /// The task threw, or its worker died.
    pub(crate) fn fail_with(&self, key: Key, kind: Kind) {
        if let Kind::Thrown(value) = &kind {
            self.retain_all(&value.refs);
        }
        let function = match &*self.cell(key).body.lock() {
            Body::Task(task) => task.function,
            _ => u32::MAX,
        };
        self.fail(key, Failure::shared(function, kind));
    }

    /// Fails a task and all that depend on it, with the same failure. A work list, not recursion: chains are long.
    pub(crate) fn fail(&self, key: Key, failure: Arc<Failure>) {
        let mut open = vec![key];
        let mut dependents = Vec::new();
        while let Some(key) = open.pop() {
            let before = {
                let mut body = self.cell(key).body.lock();
                if !matches!(*body, Body::Task(_) | Body::Return(_))
                    || self.table.phase(key).is_none_or(Phase::is_settled)
                {
                    continue;
                }
                let before = std::mem::replace(&mut *body, Body::Failed(failure.clone()));
                if matches!(before, Body::Task(_)) {
                    self.ended_pending();
                }
                self.table.resolve_failed(key, &mut dependents);
                before
            };
            for dependent in dependents.drain(..) {
                if self.is_task(dependent) {
                    open.push(dependent);
                } else {
                    self.heard_failure(dependent);
                }
            }
            match before {
                Body::Task(task) => {
                    if let Some(returns) = &task.returns {
                        open.extend(&returns.keys);
                    }
                    self.release_task(&task, key);
                }
                Body::Return(_) => self.release([key]),
                _ => {}
            }
        }
        self.let_go(failure);
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
                    return self.fail_with(key, Kind::Freed);
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
        if let Some(Kind::Thrown(value)) = Arc::into_inner(failure).map(|failure| failure.kind) {
            self.release(crate::refs::keys_of(&value).collect::<Vec<_>>());
        }
    }
}
