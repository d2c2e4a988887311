//! Atomics that order nothing, whatever they are told (`--cfg racy="atomics"`): a mutant of every handshake in the workspace at once.
//!
//! ThreadSanitizer has to report it (`npm run test:long -- --only sanitizers`): a test that passes with these shows nothing
//! by passing without. Locks still order what they guard.

use std::sync::atomic::{self, Ordering};

macro_rules! relaxed {
    ($name:ident, $value:ty) => {
        /// As the standard library's, but for its orderings.
        #[derive(Debug, Default)]
        pub struct $name(atomic::$name);

        impl $name {
            /// Makes one with this value.
            pub const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            /// The value.
            pub fn load(&self, _: Ordering) -> $value {
                self.0.load(Ordering::Relaxed)
            }

            /// Sets the value.
            pub fn store(&self, value: $value, _: Ordering) {
                self.0.store(value, Ordering::Relaxed);
            }

            /// Sets the value, and returns the one before.
            pub fn swap(&self, value: $value, _: Ordering) -> $value {
                self.0.swap(value, Ordering::Relaxed)
            }

            /// Sets the value if it is `from`.
            ///
            /// # Errors
            /// The value, if it is another.
            pub fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                _: Ordering,
                _: Ordering,
            ) -> Result<$value, $value> {
                self.0
                    .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            }

            /// Sets the value if it is `from`; may fail for no reason.
            ///
            /// # Errors
            /// The value.
            pub fn compare_exchange_weak(
                &self,
                from: $value,
                to: $value,
                _: Ordering,
                _: Ordering,
            ) -> Result<$value, $value> {
                self.0
                    .compare_exchange_weak(from, to, Ordering::Relaxed, Ordering::Relaxed)
            }
        }
    };
    ($name:ident, $value:ty, counts) => {
        relaxed!($name, $value);

        impl $name {
            /// Adds, and returns the value before.
            pub fn fetch_add(&self, more: $value, _: Ordering) -> $value {
                self.0.fetch_add(more, Ordering::Relaxed)
            }

            /// Subtracts, and returns the value before.
            pub fn fetch_sub(&self, less: $value, _: Ordering) -> $value {
                self.0.fetch_sub(less, Ordering::Relaxed)
            }
        }
    };
}

relaxed!(AtomicBool, bool);
relaxed!(AtomicU8, u8, counts);
relaxed!(AtomicU32, u32, counts);
relaxed!(AtomicU64, u64, counts);
relaxed!(AtomicUsize, usize, counts);
