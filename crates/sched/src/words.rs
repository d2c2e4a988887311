//! The few words that JavaScript touches with `Atomics` and Rust with atomics: the idle word and the claims.
//!
//! They are Rust's memory, shared by all isolates of a runtime, so that a thief can look at a worker's claims without
//! caring whether that worker's isolate still lives.

use mobula_sync::atomic::{AtomicU32, Ordering};

use crate::claim::BATCH_MAX;

/// Words before the first worker's claims, a whole number of cache lines.
pub const HEADER_WORDS: usize = 32;
/// Where the idle word lies: how many workers are parked or searching. Not zero: work handed in now starts now.
pub const IDLE_WORD: usize = 0;
/// Words of one worker's claims.
pub const CLAIM_WORDS: usize = BATCH_MAX;

/// The word area of one runtime.
#[derive(Debug)]
pub struct Words {
    words: Box<[AtomicU32]>,
}

impl Words {
    /// An area for so many workers, all zero.
    pub fn new(workers: usize) -> Self {
        let len = HEADER_WORDS + workers * CLAIM_WORDS;
        Self {
            words: (0..len).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// How many workers are parked or searching.
    pub fn idle(&self) -> &AtomicU32 {
        &self.words[IDLE_WORD]
    }

    /// The claims of one worker.
    pub fn claims(&self, worker: usize) -> &[AtomicU32] {
        let start = HEADER_WORDS + worker * CLAIM_WORDS;
        &self.words[start..start + CLAIM_WORDS]
    }

    /// All words, for lending them to JavaScript.
    pub fn as_slice(&self) -> &[AtomicU32] {
        &self.words
    }

    /// Zeroes a worker's claims when its place is given to another.
    pub fn reset(&self, worker: usize) {
        for word in self.claims(worker) {
            word.store(0, Ordering::Release);
        }
    }
}
