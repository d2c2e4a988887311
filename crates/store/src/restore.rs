//! Bringing spilled objects back.
//!
//! Of those who want an object one restores it, under the lock for its index, and the others wait
//! there. That lock comes before all others: the one who restores may have to spill for it.
#![allow(unsafe_code, reason = "fills memory that nobody has been shown yet")]

use std::sync::Arc;

use crate::{
    Error, Object, Pin,
    entry::{Entry, Pinned},
    place::Place,
    spill::{PIECE_BYTES, Spill},
    store::Store,
};

impl Store {
    /// Pins an object that is not in memory, or was not just now.
    #[cold]
    pub(crate) fn restore(self: &Arc<Self>, object: Object) -> Result<Pin, Error> {
        let entry = self.table.entry(object.index);
        let spill = self.spill.as_ref();
        let spill = spill.expect("only a store that spills has spilled objects");
        let _turn = spill.restoring(object.index);
        loop {
            match entry.pin(object.generation) {
                // Another thread has restored it meanwhile.
                Pinned::Held(place) => {
                    entry.touch(self.clock.now());
                    return Ok(Pin::new(Arc::clone(self), object, place));
                }
                Pinned::Away => {}
                Pinned::Lost => return Err(Error::lost(object)),
                Pinned::Gone => return Err(Error::gone(object)),
                Pinned::Full => return Err(Error::too_many_pins(object)),
            }
            // Nobody else restores it while this thread has the lock: if this fails, then because
            // the object has been released, which the next pin will say.
            if let Some(len) = entry.begin_restore(object.generation) {
                let restoring = Restoring {
                    store: self,
                    spill,
                    entry,
                    object,
                };
                return restoring.run(len);
            }
        }
    }
}

/// The right, and the duty, to say how a restore ended.
struct Restoring<'a> {
    store: &'a Arc<Store>,
    spill: &'a Spill,
    entry: &'a Entry,
    object: Object,
}

impl Restoring<'_> {
    fn run(self, len: u64) -> Result<Pin, Error> {
        // If there is no room, `self` is dropped, and the object is spilled as before.
        let (place, _) = self.store.allocate(len)?;
        if self.read(place) {
            self.succeed(place)
        } else {
            self.store.free_memory(place);
            Err(self.lose())
        }
    }

    /// Whether the bytes are what was written.
    fn read(&self, place: Place) -> bool {
        let record = self.spill.file.record(self.object.index);
        let segment = self.store.segments.get(place.segment);
        let fill = |bytes: &mut [u8]| {
            let (mut crc, mut at) = (0, record.offset);
            for piece in bytes.chunks_mut(PIECE_BYTES) {
                // Whatever the reason: bytes that cannot be read are not there.
                if self.spill.file.read(at, piece).is_err() {
                    return false;
                }
                crc = crc32c::crc32c_append(crc, piece);
                at += piece.len() as u64;
            }
            crc == record.crc
        };
        // SAFETY: the place has just been allocated, and nobody is told of it before this is over.
        unsafe { segment.fill(place.offset, place.len, fill) }
    }

    fn succeed(self, place: Place) -> Result<Pin, Error> {
        let Self {
            store,
            spill,
            entry,
            object,
        } = self;
        std::mem::forget(self);
        // Before it can be chosen for spilling again.
        entry.touch(store.clock.now());
        let is_wanted = entry.end_restore(object.generation, place);
        spill.file.free(object.index);
        if !is_wanted {
            store.free(object.index, place);
            return Err(Error::gone(object));
        }
        store.clock.tick();
        spill.count_restored();
        Ok(Pin::new(Arc::clone(store), object, place))
    }

    fn lose(self) -> Error {
        let (store, object) = (self.store, self.object);
        let is_wanted = self.entry.lose(object.generation);
        self.spill.file.free(object.index);
        std::mem::forget(self);
        if !is_wanted {
            store.table.vacate(object.index);
            return Error::gone(object);
        }
        Error::lost(object)
    }
}

impl Drop for Restoring<'_> {
    /// There was no room, or a panic.
    fn drop(&mut self) {
        if !self.entry.give_up_restore(self.object.generation) {
            self.spill.file.free(self.object.index);
            self.store.table.vacate(self.object.index);
        }
    }
}
