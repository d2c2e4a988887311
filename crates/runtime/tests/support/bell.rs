//! A sleeper's bell: sticky and coalescing, as an event loop's is.

use std::time::Duration;

use mobula_sched::Bell;
use mobula_sync::{Condvar, Mutex};

#[derive(Debug, Default)]
pub(crate) struct TestBell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl TestBell {
    /// True if it rang since the last time.
    pub(crate) fn take(&self) -> bool {
        std::mem::take(&mut self.rung.lock())
    }

    /// True if a sleeper would wake at once.
    pub(crate) fn is_rung(&self) -> bool {
        *self.rung.lock()
    }

    /// Sleeps until it rings, or for so long.
    pub(crate) fn wait(&self, time: Option<Duration>) {
        let mut rung = self.rung.lock();
        while !*rung {
            match time {
                None => rung = self.ringing.wait(rung),
                Some(time) => {
                    rung = self.ringing.wait_timeout(rung, time).0;
                    break;
                }
            }
        }
        *rung = false;
    }
}

impl Bell for TestBell {
    fn ring(&self) {
        *self.rung.lock() = true;
        self.ringing.notify_one();
    }
}
