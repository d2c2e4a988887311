//! Work on several threads at once, the same in every run.

use std::{panic, sync::Barrier, thread};

pub(crate) const THREADS: u64 = 4;

/// A small generator, so that a failure can be repeated by its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (seed + 1) << 20)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Runs the same work on several threads that start together, each with its own seed.
pub(crate) fn on_threads(work: impl Fn(u64, Random) + Sync) {
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let start = |number| {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(number, Random::new(number));
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        // One by one, though the scope would wait for them: only this does ThreadSanitizer understand.
        for thread in threads {
            if let Err(panic) = thread.join() {
                panic::resume_unwind(panic);
            }
        }
    });
}
