//! The one door to atomics, locks and threads: the standard library's, or loom's under `--cfg loom`.
//!
//! Every other crate of the workspace takes its concurrency from here, so that a loom test drives
//! the very code that ships. Both variants have the same signatures, with one exception that
//! cannot be helped: under loom nothing can be made in a `const`.
//!
//! `--cfg tsan` makes the locks ones that ThreadSanitizer sees. With it, `--cfg racy="atomics"` and
//! `racy="locks"` take the ordering away from the one or the other, to show that it sees that, too.
//!
//! [`Arc`] is loom's under loom, which cannot be a method receiver (`self: &Arc<Self>`): types
//! that need that use `std::sync::Arc`, which loom does not have to see.
//!
//! ```
//! use mobula_sync::{Arc, Mutex, thread};
//!
//! let total = Arc::new(Mutex::new(0));
//! let worker = thread::spawn({
//!     let total = Arc::clone(&total);
//!     move || *total.lock() += 1
//! });
//! worker.join().unwrap();
//! assert_eq!(*total.lock(), 1);
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod cache_padded;
mod condvar;
mod mutex;
#[cfg(racy = "atomics")]
mod racy;
#[cfg(tsan)]
mod tsan;

pub use cache_padded::CachePadded;
pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};

#[cfg(loom)]
pub use loom::sync::Arc;
#[cfg(not(loom))]
pub use std::sync::Arc;

// The standard library's under loom too, which has no such cell: models make what they need before their threads start.
#[cfg(not(tsan))]
pub use std::sync::{OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(tsan)]
pub use tsan::{OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Atomic integers, their orderings and the fence.
pub mod atomic {
    #[cfg(loom)]
    pub use loom::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    #[cfg(not(any(loom, racy = "atomics")))]
    pub use std::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    #[cfg(racy = "atomics")]
    pub use crate::racy::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
    #[cfg(racy = "atomics")]
    pub use std::sync::atomic::{Ordering, fence};
}

/// Starting threads and giving way to them.
pub mod thread {
    #[cfg(loom)]
    pub use loom::thread::{JoinHandle, spawn, yield_now};
    #[cfg(not(loom))]
    pub use std::thread::{JoinHandle, spawn, yield_now};
}

/// What a busy wait tells the processor (under loom: the scheduler).
pub mod hint {
    #[cfg(loom)]
    pub use loom::hint::spin_loop;
    #[cfg(not(loom))]
    pub use std::hint::spin_loop;
}
