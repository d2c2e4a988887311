//! Tasks that were begun in vain and are run again: their worker died, or they threw what may be tried again.

use std::sync::Arc;

use mobula_sched::{Key, Phase};
use mobula_sync::atomic::Ordering;

use crate::actor::Actor;
use crate::cell::Body;
use crate::functions::is_stream;
use crate::history::{Outcome, Run};
use crate::refs::keys_of;
use crate::runtime::Runtime;
use crate::submit::NOBODY;

impl Runtime {
    /// The constructor of an actor runs once more.
    pub(crate) fn count_restart(&self, key: Key) {
        let mut body = self.cell(key).body.lock();
        // Asked under the lock: a slot that is somebody else's by now was emptied under it before.
        let is_open = !self.table.phase(key).is_none_or(Phase::is_settled);
        if let (true, Body::Task(task)) = (is_open, &mut *body) {
            task.attempt += 1;
            task.children = None;
            self.cell(key).place.store(NOBODY, Ordering::Relaxed);
        }
    }

    /// Queues a task again that had been begun, as often as its terms allow; a call of this actor, which is nobody else's meanwhile, has
    /// its turn again. Its arguments have been kept for this. False: it has to fail. What there is to tell of the run that was in vain
    /// goes to `tell`, before another can begin.
    pub(crate) fn run_again(
        &self,
        (key, actor): (Key, Option<&Arc<Actor>>),
        outcome: Outcome,
        tell: impl FnOnce(Run),
    ) -> bool {
        let returned = {
            let mut body = self.cell(key).body.lock();
            let Body::Task(task) = &mut *body else {
                return false;
            };
            let run = self.run_of(key, task, outcome);
            let definition = self.functions.get(task.function);
            let retries = definition.map_or(0, |definition| definition.terms.retries);
            let is_begun = matches!(self.table.phase(key), Some(Phase::Offered | Phase::Running));
            if task.attempt >= retries || !is_begun {
                return false;
            }
            tell(run);
            task.attempt += 1;
            // What that run started is no longer anybody's.
            task.children = None;
            // Before it is ready, and may be another's.
            self.cell(key).place.store(NOBODY, Ordering::Relaxed);
            let now = self.history.now();
            self.cell(key).ready.store(now, Ordering::Relaxed);
            let returns = task.returns.iter_mut();
            returns
                .flat_map(|returns| std::mem::take(&mut returns.values))
                .collect::<Vec<_>>()
        };
        self.release(returned.iter().flat_map(keys_of));
        if is_stream(self.cell(key).function.load(Ordering::Relaxed)) {
            self.restart_stream(key);
        }
        if let Some(actor) = actor {
            return self.has_turn_again(actor, key);
        }
        let is_ready = self.is_ready_again(key);
        if is_ready {
            self.enqueue(key, None);
        }
        is_ready
    }

    /// One that was begun, or handed out, is ready. False: it was settled meanwhile.
    pub(crate) fn is_ready_again(&self, key: Key) -> bool {
        [Phase::Offered, Phase::Running]
            .into_iter()
            .any(|begun| self.table.advance(key, begun, Phase::Ready))
    }
}
