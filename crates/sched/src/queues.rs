//! What is ready to run: a deque per worker that others may steal from, and one injector for all that come from outside.

use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use mobula_sync::{RwLock, RwLockReadGuard};

use crate::key::Key;

/// A worker's own end of its deque: newest first for itself, oldest first for thieves.
pub struct Local {
    worker: usize,
    deque: Worker<Key>,
    /// Where the last theft succeeded: who had much may have more.
    victim: usize,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local")
            .field("worker", &self.worker)
            .field("len", &self.deque.len())
            .finish()
    }
}

/// The injector and everybody's stealers.
#[derive(Debug, Default)]
pub struct Queues {
    injector: Injector<Key>,
    /// By worker; `None` where no worker lives. Written when workers come and go, read by thieves.
    stealers: RwLock<Vec<Option<Stealer<Key>>>>,
}

impl Queues {
    /// Empty queues.
    pub fn new() -> Self {
        Self::default()
    }

    fn stealers(&self) -> RwLockReadGuard<'_, Vec<Option<Stealer<Key>>>> {
        self.stealers
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The deque of a new worker.
    pub fn join(&self, worker: usize) -> Local {
        let deque = Worker::new_lifo();
        let mut stealers = self
            .stealers
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if stealers.len() <= worker {
            stealers.resize_with(worker + 1, || None);
        }
        stealers[worker] = Some(deque.stealer());
        Local {
            worker,
            deque,
            victim: 0,
        }
    }

    /// A worker is gone: what its deque still held goes to the injector.
    pub fn leave(&self, local: Local) {
        while let Some(key) = local.deque.pop() {
            self.injector.push(key);
        }
        let mut stealers = self
            .stealers
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        stealers[local.worker] = None;
    }

    /// Work from outside of the workers, first in first out.
    pub fn inject(&self, key: Key) {
        self.injector.push(key);
    }

    /// Takes one piece from anywhere, for one who has no deque.
    pub fn take_any(&self) -> Option<Key> {
        let stealers = self.stealers();
        retry(|| self.injector.steal()).or_else(|| {
            stealers
                .iter()
                .flatten()
                .find_map(|stealer| retry(|| stealer.steal()))
        })
    }

    /// True if some queue may hold work.
    pub fn has_work(&self) -> bool {
        !self.injector.is_empty()
            || self
                .stealers()
                .iter()
                .flatten()
                .any(|stealer| !stealer.is_empty())
    }

    /// How much is queued, roughly.
    pub fn len(&self) -> usize {
        self.injector.len()
            + self
                .stealers()
                .iter()
                .flatten()
                .map(Stealer::len)
                .sum::<usize>()
    }

    /// True if nothing is queued, roughly.
    pub fn is_empty(&self) -> bool {
        !self.has_work()
    }
}

impl Local {
    /// Work made by this worker itself.
    pub fn push(&mut self, key: Key) {
        self.deque.push(key);
    }

    /// The next piece of work: own deque, injector, then the others' deques.
    pub fn next(&mut self, queues: &Queues) -> Option<Key> {
        self.deque
            .pop()
            .or_else(|| self.take_injected(queues))
            .or_else(|| self.steal(queues))
    }

    fn take_injected(&self, queues: &Queues) -> Option<Key> {
        retry(|| queues.injector.steal_batch_and_pop(&self.deque))
    }

    fn steal(&mut self, queues: &Queues) -> Option<Key> {
        let stealers = queues.stealers();
        let count = stealers.len();
        for step in 0..count {
            let victim = (self.victim + step) % count;
            if victim == self.worker {
                continue;
            }
            let Some(stealer) = &stealers[victim] else {
                continue;
            };
            if let Some(key) = retry(|| stealer.steal_batch_and_pop(&self.deque)) {
                self.victim = victim;
                return Some(key);
            }
        }
        None
    }
}

/// A steal that lost a race is tried again: another made progress.
fn retry(mut steal: impl FnMut() -> Steal<Key>) -> Option<Key> {
    loop {
        match steal() {
            Steal::Success(key) => return Some(key),
            Steal::Empty => return None,
            Steal::Retry => mobula_sync::hint::spin_loop(),
        }
    }
}
