//! An allocator for tests under ThreadSanitizer, which frees what an `Arc` held only after all who had dropped theirs.
//!
//! The last owner of an `Arc` comes after the others by a fence, and fences are what the sanitizer does not see. A load of
//! the two counters, which lie first in the allocation, says the same. It orders nothing else: in memory that was never
//! counted, it finds no release to come after.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Acquiring;

// SAFETY: the system's allocator, which gets each call as it came.
unsafe impl GlobalAlloc for Acquiring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if layout.align() >= align_of::<AtomicUsize>() && layout.size() >= 2 * size_of::<usize>() {
            let counters = start.cast::<AtomicUsize>();
            // SAFETY: both lie in the allocation, aligned, and it is not freed yet.
            let (strong, weak) = unsafe { (&*counters, &*counters.add(1)) };
            strong.load(Ordering::Acquire);
            weak.load(Ordering::Acquire);
        }
        // SAFETY: as the caller's.
        unsafe { System.dealloc(start, layout) }
    }
}
