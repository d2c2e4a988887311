//! "This slot waits for that one": the links of the lists of dependents, and where unused ones are kept.

use mobula_sync::Mutex;
use mobula_sync::atomic::{AtomicU32, Ordering};

use crate::key::Key;
use crate::slab::Slab;

/// One link: who waits, and the next link of the same list.
#[derive(Debug)]
pub(crate) struct Edge {
    next: AtomicU32,
    index: AtomicU32,
    generation: AtomicU32,
}

impl Default for Edge {
    fn default() -> Self {
        Self { next: AtomicU32::new(0), index: AtomicU32::new(0), generation: AtomicU32::new(0) }
    }
}

impl Edge {
    /// Relaxed: the push that publishes the edge releases these.
    pub(crate) fn aim(&self, at: Key) {
        self.index.store(at.index, Ordering::Relaxed);
        self.generation.store(at.generation, Ordering::Relaxed);
    }

    pub(crate) fn link(&self, next: u32) {
        self.next.store(next, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> (Key, u32) {
        let key = Key {
            index: self.index.load(Ordering::Relaxed),
            generation: self.generation.load(Ordering::Relaxed),
        };
        (key, self.next.load(Ordering::Relaxed))
    }
}

/// All edges, and the unused ones. The lock is taken once per registration or resolution, not once per edge.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    slab: Slab<Edge>,
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    list: Vec<u32>,
    /// First index that was never used.
    fresh: u32,
}

impl Edges {
    pub(crate) fn at(&self, edge: u32) -> &Edge {
        self.slab.at(edge)
    }

    pub(crate) fn take(&self, count: usize, out: &mut Vec<u32>) {
        let mut free = self.free.lock();
        for _ in 0..count {
            let edge = free.list.pop().unwrap_or_else(|| {
                free.fresh += 1;
                free.fresh - 1
            });
            out.push(edge);
        }
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
