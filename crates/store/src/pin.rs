//! A right to read a sealed object.
#![allow(unsafe_code, reason = "hands out memory that the pin keeps as it is")]

use std::{fmt, mem::ManuallyDrop, process, ptr, ptr::NonNull, slice, sync::Arc};

use crate::{Object, Store, entry::Unpinned, line::Line, place::Place};

/// Keeps a sealed object's bytes readable and unchanged until dropped, also after its release.
///
/// A clone is another pin on the same object. Under [`ViewMode::Shared`](crate::ViewMode::Shared)
/// "unchanged" is up to those who hold views.
pub struct Pin {
    store: Arc<Store>,
    object: Object,
    place: Place,
    start: NonNull<u8>,
}

// SAFETY: `start` points into the store's memory, which belongs to no thread, stays mapped while
// `store` is held, and is only read.
unsafe impl Send for Pin {}
// SAFETY: as above.
unsafe impl Sync for Pin {}

impl Pin {
    /// The caller has added the pin to the object's entry.
    // Left to itself the compiler makes a call of this, for the sake of those that restore and spill:
    // 2 of 14 ns.
    #[inline(always)]
    pub(crate) fn new(store: Arc<Store>, object: Object, place: Place) -> Self {
        let start = address(&store, place);
        Self {
            store,
            object,
            place,
            start,
        }
    }

    /// The object's bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the range was initialised when the object was sealed, is mapped while the store is
        // held, and neither written nor reused while the object is pinned.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len()) }
    }

    /// How many bytes the object has.
    pub fn len(&self) -> usize {
        self.place.len as usize
    }

    /// Whether the object has no bytes.
    pub fn is_empty(&self) -> bool {
        self.place.len == 0
    }

    /// Which object is pinned.
    pub fn object(&self) -> Object {
        self.object
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Gives the object's memory up for its record in the spill file, if this is its only pin and
    /// nobody has released it. Returns the place, which the caller frees.
    pub(crate) fn spill(self) -> Result<Place, Self> {
        let entry = self.store.table.entry(self.object.index);
        if !entry.spill(self.object.generation) {
            return Err(self);
        }
        let place = self.place;
        let mut pin = ManuallyDrop::new(self);
        // SAFETY: the pin is not used again, nor dropped: its `drop` would give back a pin that
        // `spill` has taken.
        unsafe { ptr::drop_in_place(&raw mut pin.store) };
        Ok(place)
    }
}

impl Clone for Pin {
    fn clone(&self) -> Self {
        if !self.store.table.entry(self.object.index).pin_again() {
            // As `Arc` does: only leaking pins by the hundred million gets here, and going on would
            // free memory that is being read.
            process::abort();
        }
        Self {
            store: Arc::clone(&self.store),
            ..*self
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        match self.store.table.entry(self.object.index).unpin() {
            Unpinned::Kept => {}
            Unpinned::Free(place) => self.store.free(self.object.index, place),
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pin")
            .field("object", &self.object)
            .field("len", &self.place.len)
            .finish()
    }
}

/// Where an object's bytes are mapped.
#[inline]
pub(crate) fn address(store: &Store, place: Place) -> NonNull<u8> {
    match place.len {
        0 => NonNull::<Line>::dangling().cast(),
        len => store.segments.address(place.segment, place.offset, len),
    }
}
