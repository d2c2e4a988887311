//! Sleeping until another thread changes what a [`Mutex`](crate::Mutex) guards.

use std::time::Duration;

use crate::MutexGuard;

#[cfg(tsan)]
use crate::tsan as imp;
#[cfg(loom)]
use loom::sync as imp;
#[cfg(not(any(loom, tsan)))]
use std::sync as imp;

/// A condition variable: `wait` lets the lock go, sleeps, and takes it again.
#[derive(Debug)]
pub struct Condvar(imp::Condvar);

impl Condvar {
    /// Makes one with nobody waiting.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(imp::Condvar::new())
    }

    /// Makes one with nobody waiting.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(imp::Condvar::new())
    }

    /// Sleeps until notified; may also wake for no reason, so call it in a loop.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0
            .wait(guard)
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Sleeps until notified or until the time is over, which the second value says. Loom knows no
    /// time: there it never is.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let (guard, result) = self
            .0
            .wait_timeout(guard, timeout)
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        (guard, result.timed_out())
    }

    /// Wakes one waiter.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
