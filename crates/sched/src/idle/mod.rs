//! Who sleeps, who searches, whom to wake. The protocol and its proof are in the `README.md` beside this.

use std::sync::Arc;

use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicU32, Ordering, fence};

use crate::words::Words;

/// Wakes one sleeper: an event loop, or a thread in a test. Ringing is sticky and coalesces.
pub trait Bell: Send + Sync + std::fmt::Debug {
    /// Wakes the sleeper, now or when it next goes to sleep.
    fn ring(&self);
}

/// A parked worker counts 1 here, a searching one `SEARCHING`. JavaScript reads it as "not zero".
const PARKED: u32 = 1;
const SEARCHING: u32 = 1 << 16;

/// The parked workers and how many are searching.
#[derive(Debug)]
pub struct Idle {
    words: Arc<Words>,
    parked: Mutex<Vec<Parked>>,
}

/// What a worker that goes to sleep has begun and not ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sleeper {
    /// Nothing.
    Free,
    /// Something: it has other things to do in its loop and may be slow to answer. It is woken after all others.
    Reluctant,
    /// Async tasks, too: what may block its thread is not for it as long as others can be had.
    Encumbered,
}

#[derive(Debug)]
struct Parked {
    worker: usize,
    bell: Arc<dyn Bell>,
    sleeper: Sleeper,
}

impl Idle {
    /// Nobody parked, nobody searching.
    pub fn new(words: Arc<Words>) -> Self {
        Self {
            words,
            parked: Mutex::new(Vec::new()),
        }
    }

    fn word(&self) -> &AtomicU32 {
        self.words.idle()
    }

    /// A worker without work begins to look around. While one searches, producers wake nobody.
    pub fn start_search(&self) {
        self.word().fetch_add(SEARCHING, Ordering::SeqCst);
    }

    /// A searcher stops. If it found work it must wake the next when work is left; if not, it must look once more after
    /// `announce`: whoever published meanwhile relied on it.
    pub fn end_search(&self) {
        self.word().fetch_sub(SEARCHING, Ordering::SeqCst);
        // Pairs with the fence in `notify`: a producer that relied on this search has its work seen by the next look.
        fence(Ordering::SeqCst);
    }

    /// The worker says that it is about to sleep. After this, and not before, it must look for work once more; if it finds
    /// some it calls `retract`, else it sleeps until its bell rings.
    pub fn announce(&self, worker: usize, bell: Arc<dyn Bell>, sleeper: Sleeper) {
        let mut parked = self.parked.lock();
        let at = match sleeper {
            Sleeper::Free => parked.len(),
            Sleeper::Reluctant | Sleeper::Encumbered => 0,
        };
        parked.insert(
            at,
            Parked {
                worker,
                bell,
                sleeper,
            },
        );
        self.word().fetch_add(PARKED, Ordering::SeqCst);
        drop(parked);
        // Pairs with the fence in `notify`: either the producer sees the announcement or the worker sees the work.
        fence(Ordering::SeqCst);
    }

    /// The worker is awake. False if somebody had called it and taken it off the list.
    pub fn retract(&self, worker: usize) -> bool {
        let mut parked = self.parked.lock();
        let at = parked.iter().position(|parked| parked.worker == worker);
        if let Some(at) = at {
            parked.remove(at);
            self.word().fetch_sub(PARKED, Ordering::SeqCst);
        }
        at.is_some()
    }

    /// Work was published: wakes one sleeper, unless somebody searches and will find it. The woken one wakes the next.
    /// False if nobody sleeps or searches: all are busy, and look by themselves when they have done.
    pub fn notify(&self) -> bool {
        self.call(|_| true)
    }

    /// The same for work that is not for the encumbered. Those do not search either.
    pub fn notify_unencumbered(&self) -> bool {
        self.call(|sleeper| sleeper != Sleeper::Encumbered)
    }

    fn call(&self, whom: impl Fn(Sleeper) -> bool) -> bool {
        // Pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        let word = self.word().load(Ordering::Relaxed);
        word >> 16 != 0 || (word != 0 && self.wake(whom))
    }

    /// Wakes one sleeper, the one that went to sleep last: its caches are warm. False if nobody sleeps.
    pub fn wake_one(&self) -> bool {
        self.wake(|_| true)
    }

    fn wake(&self, whom: impl Fn(Sleeper) -> bool) -> bool {
        let woken = {
            let mut parked = self.parked.lock();
            let at = parked.iter().rposition(|parked| whom(parked.sleeper));
            let woken = at.map(|at| parked.remove(at));
            if woken.is_some() {
                // The waker counts down, not the sleeper: the next producer must not see a sleeper that is already called.
                self.word().fetch_sub(PARKED, Ordering::SeqCst);
            }
            woken
        };
        match woken {
            Some(woken) => {
                woken.bell.ring();
                true
            }
            None => false,
        }
    }

    /// How many workers sleep.
    pub fn parked(&self) -> usize {
        (self.word().load(Ordering::Acquire) & 0xffff) as usize
    }

    /// Those who have begun nothing, with their bells. They stay asleep.
    pub fn asleep(&self) -> Vec<(usize, Arc<dyn Bell>)> {
        let parked = self.parked.lock();
        let free = parked
            .iter()
            .filter(|parked| parked.sleeper == Sleeper::Free);
        free.map(|parked| (parked.worker, parked.bell.clone()))
            .collect()
    }

    /// How many of them are not encumbered.
    pub fn parked_unencumbered(&self) -> usize {
        if self.parked() == 0 {
            return 0;
        }
        let parked = self.parked.lock();
        let others = parked
            .iter()
            .filter(|parked| parked.sleeper != Sleeper::Encumbered);
        others.count()
    }

    /// How many search.
    pub fn searching(&self) -> usize {
        (self.word().load(Ordering::Acquire) >> 16) as usize
    }
}
