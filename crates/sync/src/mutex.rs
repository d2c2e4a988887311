//! A lock whose poison is ignored: what it guards is kept whole by its owner, also while unwinding.

use std::{fmt, sync::TryLockError};

#[cfg(tsan)]
use crate::tsan as imp;
#[cfg(loom)]
use loom::sync as imp;
#[cfg(not(any(loom, tsan)))]
use std::sync as imp;

/// Holds the lock until dropped.
pub type MutexGuard<'a, T> = imp::MutexGuard<'a, T>;

/// A mutual exclusion lock that hands the guard out directly.
///
/// A panic while the lock is held does not close it to others: a panic in user work must not
/// leave the runtime unusable. Code under the lock therefore must not stop half way in a change.
pub struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    /// Makes an unlocked lock.
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    /// Makes an unlocked lock.
    #[cfg(loom)]
    pub fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes the lock if it is free now.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
