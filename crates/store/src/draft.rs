//! An object being written: one writer, no readers yet.
#![allow(
    unsafe_code,
    reason = "hands out the memory that the draft alone may use"
)]

use std::{mem, ptr::NonNull, slice, sync::Arc};

use crate::{Error, Object, Store, pin::address, place::Place};

/// An object being written. Dropping it unsealed gives its memory back.
#[derive(Debug)]
pub struct Draft {
    store: Arc<Store>,
    object: Object,
    place: Place,
    start: NonNull<u8>,
    cold: bool,
}

// SAFETY: `start` points into the store's memory, which does not belong to a thread and stays mapped
// while `store` is held; the draft is its only user.
unsafe impl Send for Draft {}
// SAFETY: through `&Draft` nothing of the memory can be reached.
unsafe impl Sync for Draft {}

impl Draft {
    pub(crate) fn new(store: Arc<Store>, object: Object, place: Place, cold: bool) -> Self {
        let start = address(&store, place);
        Self {
            store,
            object,
            place,
            start,
            cold,
        }
    }

    /// How many bytes the object will have.
    pub fn len(&self) -> u64 {
        self.place.len
    }

    /// Whether the object will have no bytes.
    pub fn is_empty(&self) -> bool {
        self.place.len == 0
    }

    /// Copies bytes into the draft.
    ///
    /// # Errors
    /// [`Error::is_out_of_bounds`]: they do not all fit; nothing has been written.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.write_with(offset, bytes, 0)
    }

    /// The same with the help of up to so many threads, for 64 MiB and more, as far as cores of the
    /// machine have nothing to do; they are gone when this returns.
    ///
    /// # Errors
    /// As [`Draft::write`].
    pub fn write_with(&mut self, offset: u64, bytes: &[u8], helpers: usize) -> Result<(), Error> {
        let (len, size) = (bytes.len() as u64, self.place.len);
        let end = offset.checked_add(len);
        if end.is_none_or(|end| end > size) {
            return Err(Error::out_of_bounds(offset, len, size));
        }
        if len > 0 {
            let segment = self.store.segments.get(self.place.segment);
            // SAFETY: the range lies in the draft, whose only user this is; `bytes` cannot lie in it
            // because whoever borrows the draft's memory borrows the draft.
            unsafe { segment.write(self.place.offset + offset, bytes, self.cold, helpers) };
        }
        Ok(())
    }

    /// The draft's memory, to be written in place. What is not written has any content.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the range is initialised (by the system, if by nobody else), mapped while the
        // store is held, and used by nobody but the holder of `&mut self` until it is sealed.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.place.len as usize) }
    }

    /// Makes the object immutable and readable. It is born with one reference, its owner's, which
    /// [`Store::release`] gives up.
    pub fn seal(self) -> Object {
        let object = self.object;
        let entry = self.store.table.entry(object.index);
        entry.touch(self.store.clock.now());
        entry.seal();
        let mut draft = mem::ManuallyDrop::new(self);
        // SAFETY: the draft is not used again, nor dropped: its `drop` would free the object.
        unsafe { std::ptr::drop_in_place(&raw mut draft.store) };
        object
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.store.free(self.object.index, self.place);
    }
}
