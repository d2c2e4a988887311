//! "This slot waits for that one": the links of the lists of dependents, and where unused ones are kept.

use mobula_sync::atomic::{AtomicU32, AtomicU64, Ordering};
use mobula_sync::{Mutex, MutexGuard};

use crate::key::Key;
use crate::slab::Slab;

/// One link: who waits, and the next link of the same list.
#[derive(Debug)]
pub(crate) struct Edge {
    /// The key of who waits: generation 32 | index 32. `NOBODY` once the list was closed and this
    /// edge visited.
    waiter: AtomicU64,
    next: AtomicU32,
}

/// Generation 0 is never valid.
const NOBODY: u64 = 0;

fn pack(key: Key) -> u64 {
    u64::from(key.generation) << 32 | u64::from(key.index)
}

fn unpack(word: u64) -> Key {
    Key {
        index: word as u32,
        generation: (word >> 32) as u32,
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            waiter: AtomicU64::new(NOBODY),
            next: AtomicU32::new(0),
        }
    }
}

impl Edge {
    /// Relaxed: the push that publishes the edge releases this.
    pub(crate) fn aim(&self, at: Key) {
        self.waiter.store(pack(at), Ordering::Relaxed);
    }

    pub(crate) fn link(&self, next: u32) {
        self.next.store(next, Ordering::Relaxed);
    }

    pub(crate) fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// Who waits; `None` if the edge was visited.
    pub(crate) fn waiter(&self) -> Option<Key> {
        let word = self.waiter.load(Ordering::Relaxed);
        (word != NOBODY).then(|| unpack(word))
    }

    /// Gives the place of a waiter that waits no longer to another. False if the edge was visited,
    /// or somebody else took it over. Release: the visitor must find the new waiter's countdown.
    pub(crate) fn hand_over(&self, from: Key, to: Key) -> bool {
        self.waiter
            .compare_exchange(pack(from), pack(to), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Visits an edge of a closed list: who waits now is the visitor's to count down, and nobody
    /// takes the place over after this.
    pub(crate) fn visit(&self) -> Key {
        unpack(self.waiter.swap(NOBODY, Ordering::AcqRel))
    }
}

/// All edges, and the unused ones. The lock is taken once per registration or resolution, not once
/// per edge.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    slab: Slab<Edge>,
    free: Mutex<Free>,
}

/// The unused edges. While this is locked no edge leaves its list for another.
#[derive(Debug, Default)]
pub(crate) struct Free {
    list: Vec<u32>,
    /// First index that was never used.
    fresh: u32,
}

impl Edges {
    pub(crate) fn at(&self, edge: u32) -> &Edge {
        self.slab.at(edge)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock()
    }

    pub(crate) fn give_back(&self, edges: &[u32]) {
        if !edges.is_empty() {
            self.free.lock().list.extend_from_slice(edges);
        }
    }

    /// Edges in some list now.
    pub(crate) fn in_use(&self) -> usize {
        let free = self.free.lock();
        free.fresh as usize - free.list.len()
    }
}

impl Free {
    pub(crate) fn take(&mut self) -> u32 {
        self.list.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        })
    }
}
