//! A sleeper's bell: sticky and coalescing, as an event loop's is.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use mobula_sched::Bell;

#[derive(Debug, Default)]
pub(crate) struct TestBell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl TestBell {
    /// True if it rang since the last time.
    pub(crate) fn take(&self) -> bool {
        std::mem::take(&mut self.rung.lock().unwrap())
    }

    /// True if a sleeper would wake at once.
    pub(crate) fn is_rung(&self) -> bool {
        *self.rung.lock().unwrap()
    }

    /// Sleeps until it rings, or for so long.
    pub(crate) fn wait(&self, time: Option<Duration>) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            match time {
                None => rung = self.ringing.wait(rung).unwrap(),
                Some(time) => {
                    rung = self.ringing.wait_timeout(rung, time).unwrap().0;
                    break;
                }
            }
        }
        *rung = false;
    }
}

impl Bell for TestBell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.ringing.notify_one();
    }
}
