//! The one door to atomics, locks and threads: the standard library's, or loom's under `--cfg loom`.
//!
//! Every other crate of the workspace takes its concurrency from here, so that a loom test drives
//! the very code that ships. Both variants have the same signatures, with one exception that
//! cannot be helped: under loom nothing can be made in a `const`.
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

pub use cache_padded::CachePadded;
pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};

#[cfg(loom)]
pub use loom::sync::Arc;
#[cfg(not(loom))]
pub use std::sync::Arc;

/// Atomic integers, their orderings and the fence.
pub mod atomic {
    #[cfg(loom)]
    pub use loom::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    #[cfg(not(loom))]
    pub use std::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
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
