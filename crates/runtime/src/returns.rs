//! Tasks that return several objects: all but the first have slots of their own, which settle with the task.

use mobula_sched::{Key, Local, Phase};
use mobula_sync::atomic::Ordering;

use crate::cell::Body;
use crate::history::Stamp;
use crate::layout::status;
use crate::refs::keys_of;
use crate::runtime::Runtime;
use crate::value::Value;

/// What a task returns beside its first object.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    pub(crate) keys: Box<[Key]>,
    /// The first of them, which its worker has handed in. They count when the task has ended well.
    pub(crate) values: Vec<Value>,
}

impl Runtime {
    /// The further returns of a task that is being submitted. The submitting isolate holds each, and so does the task.
    pub(crate) fn submit_returns(&self, task: Key, keys: &[Key]) {
        for key in keys {
            self.cell(*key).holders.store(2, Ordering::Relaxed);
            *self.cell(*key).body.lock() = Body::Return(task);
            self.table.advance(*key, Phase::New, Phase::Waiting);
        }
    }

    /// The task whose end settles a key: its own, unless the key is a further return.
    pub(crate) fn task_of(&self, key: Key) -> Key {
        if self.table.phase(key).is_none() {
            // It may name a slot that there never was.
            return key;
        }
        let body = self.cell(key).body.lock();
        match &*body {
            // Asked under the lock: a slot that is somebody else's by now was emptied under it before.
            Body::Return(task) if self.table.phase(key) == Some(Phase::Waiting) => *task,
            _ => key,
        }
    }

    /// A value for the next of a task's further returns. Dropped if the task has ended already.
    pub(crate) fn hand_in(&self, task: Key, value: Value) {
        self.retain_all(&value.refs);
        let refused = {
            let mut body = self.cell(task).body.lock();
            let is_open = !self.table.phase(task).is_none_or(Phase::is_settled);
            match &mut *body {
                Body::Task(task) if is_open => match &mut task.returns {
                    Some(returns) if returns.values.len() < returns.keys.len() => {
                        returns.values.push(value);
                        None
                    }
                    _ => Some(value),
                },
                _ => Some(value),
            }
        };
        if let Some(value) = refused {
            self.drop_value(&value);
        }
    }

    /// The further return of this number, while its task goes on.
    pub(crate) fn further_return(&self, task: Key, number: u64) -> Option<Key> {
        let body = self.cell(task).body.lock();
        let is_open = !self.table.phase(task).is_none_or(Phase::is_settled);
        match &*body {
            Body::Task(task) if is_open => {
                let returns = task.returns.as_ref()?;
                returns.keys.get(usize::try_from(number).ok()?).copied()
            }
            _ => None,
        }
    }

    /// The task ended well: each return gets its value, unless it was settled before as a generator's are.
    pub(crate) fn settle_returns(
        &self,
        returns: Returns,
        function: u32,
        mut local: Option<&mut Local>,
        now: Stamp,
    ) {
        for (key, mut value) in returns.keys.into_iter().zip(returns.values) {
            value.function = function;
            self.settle_return(key, Body::Value(value), local.as_deref_mut(), now);
        }
    }

    /// One return is there, or the end of a stream in its place.
    pub(crate) fn settle_return(
        &self,
        key: Key,
        with: Body,
        mut local: Option<&mut Local>,
        now: Stamp,
    ) {
        let mut ready = Vec::new();
        let refused = {
            let mut body = self.cell(key).body.lock();
            let is_open = !self.table.phase(key).is_none_or(Phase::is_settled);
            if is_open && matches!(*body, Body::Return(_)) {
                *body = with;
                self.table.resolve(key, Phase::Done, &mut ready);
                None
            } else {
                // Freed meanwhile.
                Some(with)
            }
        };
        match refused {
            Some(Body::Value(value)) => self.drop_value(&value),
            Some(_) => {}
            None => self.release([key]),
        }
        for waiter in ready {
            self.arrived(waiter, status::READY, local.as_deref_mut(), now);
        }
    }

    fn drop_value(&self, value: &Value) {
        self.release(keys_of(value));
    }
}
