//! The standard library's locks, in a form that ThreadSanitizer understands (`--cfg tsan`).
//!
//! The library comes compiled without it, so what a contended lock does is not seen, and all that locks guard would look
//! like a race. Each lock here therefore says by an atomic of its own what it orders, and nothing more than that: whoever
//! gets it comes after all who have let it go.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{self, LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

/// A mutant that has to be reported: see `racy.rs`.
const RELEASE: Ordering = if cfg!(racy = "locks") {
    Ordering::Relaxed
} else {
    Ordering::Release
};

#[derive(Debug, Default)]
struct Order(AtomicU32);

impl Order {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Only one who has the lock calls it. The edge ends when the value is dropped, before the lock is let go.
    fn enter(&self) -> Within<'_> {
        self.0.load(Ordering::Acquire);
        Within(self)
    }
}

impl Drop for Order {
    /// Whoever drops a lock comes after all who had it: by the counters of an `Arc`, mostly, whose last owner comes after
    /// the others by a fence, which the sanitizer does not see.
    fn drop(&mut self) {
        self.0.load(Ordering::Acquire);
    }
}

/// Declared before the guard in each struct, as `Order` is before the lock: fields are dropped in this order.
#[derive(Debug)]
struct Within<'a>(&'a Order);

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, RELEASE);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    order: Order,
    lock: sync::Mutex<T>,
}

/// As the standard library's.
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    within: Within<'a>,
    order: &'a Order,
    guard: sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            order: Order::new(),
            lock: sync::Mutex::new(value),
        }
    }

    fn entered<'a>(&'a self, guard: sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard {
            within: self.order.enter(),
            order: &self.order,
            guard,
        }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        match self.lock.lock() {
            Ok(guard) => Ok(self.entered(guard)),
            Err(poisoned) => Err(PoisonError::new(self.entered(poisoned.into_inner()))),
        }
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.lock.try_lock() {
            Ok(guard) => Ok(self.entered(guard)),
            Err(TryLockError::Poisoned(poisoned)) => {
                let guard = self.entered(poisoned.into_inner());
                Err(TryLockError::Poisoned(PoisonError::new(guard)))
            }
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        }
    }

    pub(crate) fn into_inner(self) -> LockResult<T> {
        drop(self.order);
        self.lock.into_inner()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let MutexGuard {
            within,
            order,
            guard,
        } = guard;
        drop(within);
        let guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard {
            within: order.enter(),
            order,
            guard,
        })
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, sync::WaitTimeoutResult)> {
        let MutexGuard {
            within,
            order,
            guard,
        } = guard;
        drop(within);
        let waited = self.0.wait_timeout(guard, timeout);
        let (guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
        Ok((
            MutexGuard {
                within: order.enter(),
                order,
                guard,
            },
            result,
        ))
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// As the standard library's.
#[derive(Debug, Default)]
pub struct RwLock<T> {
    order: Order,
    lock: sync::RwLock<T>,
}

/// What a guard of an `RwLock` is, for reading or for writing.
#[derive(Debug)]
pub struct RwLockGuard<'a, G> {
    _within: Within<'a>,
    guard: G,
}

/// As the standard library's.
pub type RwLockReadGuard<'a, T> = RwLockGuard<'a, sync::RwLockReadGuard<'a, T>>;
/// As the standard library's.
pub type RwLockWriteGuard<'a, T> = RwLockGuard<'a, sync::RwLockWriteGuard<'a, T>>;

impl<T> RwLock<T> {
    fn entered<G>(&self, guard: LockResult<G>) -> LockResult<RwLockGuard<'_, G>> {
        let entered = |guard| RwLockGuard {
            _within: self.order.enter(),
            guard,
        };
        match guard {
            Ok(guard) => Ok(entered(guard)),
            Err(poisoned) => Err(PoisonError::new(entered(poisoned.into_inner()))),
        }
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.entered(self.lock.read())
    }

    /// Waits until nobody reads or writes.
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.entered(self.lock.write())
    }
}

impl<G: Deref> Deref for RwLockGuard<'_, G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for RwLockGuard<'_, G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

/// As the standard library's.
#[derive(Debug)]
pub struct OnceLock<T> {
    is_set: AtomicBool,
    setting: Mutex<()>,
    cell: sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    /// Makes an empty one.
    pub const fn new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            setting: Mutex::new(()),
            cell: sync::OnceLock::new(),
        }
    }

    /// The value, if it has been made.
    pub fn get(&self) -> Option<&T> {
        self.is_set
            .load(Ordering::Acquire)
            .then(|| self.cell.get())?
    }

    /// The value, which the first who asks makes.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _setting = self.setting.lock();
        let value = self.cell.get_or_init(make);
        self.is_set.store(true, Ordering::Release);
        value
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}
