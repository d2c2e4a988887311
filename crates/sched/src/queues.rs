//! What is ready to run: a deque per worker that others may steal from, and one injector for all that come from outside.

use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use mobula_sync::{RwLock, RwLockReadGuard};

use crate::key::Key;

/// What is known of queued tasks. Each queue has a lane of either kind, since some workers take of one only.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Nothing: they may block the thread that runs them.
    Plain = 0,
    /// They go on after an `await`.
    Async = 1,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Async];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Plain => Self::Async,
            Self::Async => Self::Plain,
        }
    }
}

/// A worker's own end of its deque: newest first for itself, oldest first for thieves.
pub struct Local {
    worker: usize,
    deques: [Worker<Key>; 2],
    /// Where the last theft succeeded: who had much may have more.
    victim: usize,
    /// By lane: whose eldest is next.
    turns: [usize; 2],
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local")
            .field("worker", &self.worker)
            .field("len", &Lane::ALL.map(|lane| self.deque(lane).len()))
            .finish()
    }
}

/// The injector and everybody's stealers.
#[derive(Debug, Default)]
pub struct Queues {
    injectors: [Injector<Key>; 2],
    /// By worker; `None` where no worker lives. Written when workers come and go, read by thieves.
    stealers: RwLock<Vec<Option<[Stealer<Key>; 2]>>>,
}

impl Queues {
    /// Empty queues.
    pub fn new() -> Self {
        Self::default()
    }

    fn stealers(&self) -> RwLockReadGuard<'_, Vec<Option<[Stealer<Key>; 2]>>> {
        self.stealers
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The deque of a new worker.
    pub fn join(&self, worker: usize) -> Local {
        let deques = [Worker::new_lifo(), Worker::new_lifo()];
        let mut stealers = self
            .stealers
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if stealers.len() <= worker {
            stealers.resize_with(worker + 1, || None);
        }
        stealers[worker] = Some([deques[0].stealer(), deques[1].stealer()]);
        Local {
            worker,
            deques,
            victim: 0,
            turns: [0; 2],
        }
    }

    /// A worker is gone: what its deque still held goes to the injector.
    pub fn leave(&self, local: Local) {
        for lane in Lane::ALL {
            while let Some(key) = local.deque(lane).pop() {
                self.inject(key, lane);
            }
        }
        let mut stealers = self
            .stealers
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        stealers[local.worker] = None;
    }

    /// Work from outside of the workers, first in first out.
    pub fn inject(&self, key: Key, lane: Lane) {
        self.injectors[lane as usize].push(key);
    }

    /// Takes one piece from anywhere, for one who has no deque.
    pub fn take_any(&self, lane: Lane) -> Option<Key> {
        let stealers = self.stealers();
        retry(|| self.injectors[lane as usize].steal()).or_else(|| {
            stealers
                .iter()
                .flatten()
                .find_map(|stealers| retry(|| stealers[lane as usize].steal()))
        })
    }

    /// True if some queue may hold work.
    pub fn has_work(&self) -> bool {
        self.injectors.iter().any(|injector| !injector.is_empty())
            || self
                .stealers()
                .iter()
                .flatten()
                .flatten()
                .any(|stealer| !stealer.is_empty())
    }

    /// True if some queue may hold work of this kind.
    pub fn has_work_in(&self, lane: Lane) -> bool {
        !self.injectors[lane as usize].is_empty()
            || self
                .stealers()
                .iter()
                .flatten()
                .any(|stealers| !stealers[lane as usize].is_empty())
    }

    /// How much is queued, roughly.
    pub fn len(&self) -> usize {
        Lane::ALL.map(|lane| self.len_of(lane)).iter().sum()
    }

    /// How much of this kind is queued, roughly.
    pub fn len_of(&self, lane: Lane) -> usize {
        let stealers = self.stealers();
        let stealers = stealers.iter().flatten();
        let in_deques: usize = stealers.map(|stealers| stealers[lane as usize].len()).sum();
        self.injectors[lane as usize].len() + in_deques
    }

    /// True if nothing is queued, roughly.
    pub fn is_empty(&self) -> bool {
        !self.has_work()
    }
}

impl Local {
    /// Work made by this worker itself.
    pub fn push(&mut self, key: Key, lane: Lane) {
        self.deque(lane).push(key);
    }

    fn deque(&self, lane: Lane) -> &Worker<Key> {
        &self.deques[lane as usize]
    }

    /// The next piece of work of this kind: own deque, injector, then the others' deques.
    pub fn next(&mut self, queues: &Queues, lane: Lane) -> Option<Key> {
        self.deque(lane)
            .pop()
            .or_else(|| self.take_injected(queues, lane))
            .or_else(|| self.steal(queues, lane))
    }

    /// What has waited longest in one of the queues of this kind, which take turns: the injector, and each deque, also its own.
    /// `next` alone starves the far ends of all of them as long as what it takes makes more work. What is not ready any more is
    /// dropped on the way.
    pub fn eldest(
        &mut self,
        queues: &Queues,
        lane: Lane,
        is_ready: impl Fn(Key) -> bool,
    ) -> Option<Key> {
        let stealers = queues.stealers();
        let count = 1 + stealers.len();
        let turn = &mut self.turns[lane as usize];
        for at in (*turn..*turn + count).map(|at| at % count) {
            let take = || match at.checked_sub(1) {
                None => retry(|| queues.injectors[lane as usize].steal()),
                Some(worker) => stealers[worker]
                    .as_ref()
                    .and_then(|stealers| retry(|| stealers[lane as usize].steal())),
            };
            let key = std::iter::from_fn(take).find(|key| is_ready(*key));
            if key.is_some() {
                *turn = at + 1;
                return key;
            }
        }
        None
    }

    fn take_injected(&self, queues: &Queues, lane: Lane) -> Option<Key> {
        retry(|| queues.injectors[lane as usize].steal_batch_and_pop(self.deque(lane)))
    }

    fn steal(&mut self, queues: &Queues, lane: Lane) -> Option<Key> {
        let stealers = queues.stealers();
        let count = stealers.len();
        for step in 0..count {
            let victim = (self.victim + step) % count;
            if victim == self.worker {
                continue;
            }
            let Some(stealers) = &stealers[victim] else {
                continue;
            };
            let stealer = &stealers[lane as usize];
            if let Some(key) = retry(|| stealer.steal_batch_and_pop(self.deque(lane))) {
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
