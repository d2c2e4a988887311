//! The store: makes drafts, pins sealed objects, frees what nobody refers to.

use std::sync::Arc;

use mobula_sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    Draft, Error, Object, Pin, Stats, StoreConfig,
    config::Resolved,
    entry::{Pinned, Released},
    growth::Growth,
    layout::{SLAB_BYTES, SLOT_BYTES_MAX, round_up},
    pagemap::Scanner,
    place::Place,
    segments::Segments,
    space::{Grant, Space},
    table::Table,
    window::Window,
};

/// Keeps objects in memory that every thread can read where it lies.
///
/// Its memory stays mapped for as long as the store, a pin, a draft or a view of it is alive.
#[derive(Debug)]
pub struct Store {
    pub(crate) config: Resolved,
    capacity: AtomicU64,
    pub(crate) table: Table,
    pub(crate) segments: Segments,
    pub(crate) space: Mutex<Space>,
    pub(crate) growth: Growth,
    pub(crate) scanner: Scanner,
    /// The windows of readers that have been retired.
    pub(crate) windows: Mutex<Vec<Arc<Window>>>,
}

impl Store {
    /// Makes an empty store. Nothing is reserved before the first object.
    ///
    /// # Errors
    /// None at present; the system is asked for memory by [`Store::create`].
    pub fn new(config: StoreConfig) -> Result<Arc<Self>, Error> {
        let resolved = config.resolve();
        let store = Self {
            config: resolved,
            capacity: AtomicU64::new(0),
            table: Table::new(),
            segments: Segments::new(),
            space: Mutex::new(Space::new(resolved.page_bytes)),
            growth: Growth::default(),
            scanner: Scanner::new(config.scan),
            windows: Mutex::default(),
        };
        store.set_capacity(config.capacity);
        Ok(Arc::new(store))
    }

    /// Changes the capacity. Below what is used, nothing can be created until enough is released.
    pub fn set_capacity(&self, bytes: u64) {
        // Whole pages: a part of one could neither be lent nor committed.
        let bytes = bytes & !(self.config.page_bytes - 1);
        self.capacity.store(bytes, Ordering::Relaxed);
    }

    /// Makes a draft of `len` bytes, with whatever content the memory has.
    ///
    /// # Errors
    /// [`Error::is_full`]: there is no room, or the system has no memory for it.
    pub fn create(self: &Arc<Self>, len: u64) -> Result<Draft, Error> {
        let (place, fresh) = match len {
            0 => (Place::NOWHERE, false),
            1..=SLOT_BYTES_MAX => (self.allocate_slot(len)?, false),
            _ => {
                let grant = self.allocate(len)?;
                let Grant { extent, fresh, .. } = grant;
                let (segment, home, offset) = (extent.segment, extent.block, extent.offset);
                (
                    Place {
                        segment,
                        home,
                        offset,
                        len,
                    },
                    fresh,
                )
            }
        };
        match self.table.claim(place) {
            Some(object) => Ok(Draft::new(Arc::clone(self), object, place, fresh)),
            None => {
                self.space.lock().free(place);
                Err(Error::too_many_objects(self.table.live()))
            }
        }
    }

    /// Pins an object: its bytes stay where and what they are until the pin is dropped.
    ///
    /// # Errors
    /// [`Error::is_gone`]: it has been released, or the handle is not one of this store.
    pub fn pin(self: &Arc<Self>, object: Object) -> Result<Pin, Error> {
        let entry = self
            .table
            .get(object.index)
            .ok_or_else(|| Error::gone(object))?;
        match entry.pin(object.generation) {
            Pinned::Held(place) => Ok(Pin::new(Arc::clone(self), object, place)),
            Pinned::Gone => Err(Error::gone(object)),
            Pinned::Full => Err(Error::too_many_pins(object)),
        }
    }

    /// Gives up the owner's reference, which each object is sealed with. The memory is free once no
    /// pin is left. False if there is no such object, or no longer: releasing twice is harmless.
    pub fn release(&self, object: Object) -> bool {
        let Some(entry) = self.table.get(object.index) else {
            return false;
        };
        match entry.release(object.generation) {
            Released::Stale => false,
            Released::Pinned => true,
            Released::Free(place) => {
                self.free(object.index, place);
                true
            }
        }
    }

    /// What the store holds at this moment. Walks the table to count the pins; [`Store::used`]
    /// does not.
    pub fn stats(&self) -> Stats {
        let (bytes, committed, reserved) = {
            let space = self.space.lock();
            (space.used(), space.committed(), space.reserved())
        };
        Stats {
            capacity: self.capacity(),
            bytes,
            committed,
            reserved,
            objects: self.table.live(),
            pins: self.table.pins(),
        }
    }

    /// How many bytes may be used.
    pub fn capacity(&self) -> u64 {
        self.capacity.load(Ordering::Relaxed)
    }

    /// How many bytes objects take, rounded up to slots and pages as they are.
    pub fn used(&self) -> u64 {
        self.space.lock().used()
    }

    /// Frees an object as its entry has told the caller to.
    pub(crate) fn free(&self, index: u32, place: Place) {
        if place != Place::NOWHERE {
            self.space.lock().free(place);
        }
        self.table.vacate(index);
    }

    fn allocate_slot(&self, len: u64) -> Result<Place, Error> {
        if let Some(place) = self.space.lock().lend_slot(len) {
            return Ok(place);
        }
        // Two threads may make a slab each at the same moment. Both get used up.
        let slab = self.allocate(SLAB_BYTES)?.extent;
        Ok(self.space.lock().lend_slot_of(slab, len))
    }

    /// Whole pages, with memory behind them.
    fn allocate(&self, len: u64) -> Result<Grant, Error> {
        let capacity = self.capacity();
        let grant = loop {
            let mut space = self.space.lock();
            let bytes = round_up(len, self.config.page_bytes)
                .filter(|&bytes| isize::try_from(bytes).is_ok())
                .ok_or_else(|| Error::full(len, space.used(), capacity))?;
            if let Some(grant) = space.lend(bytes, capacity)? {
                break grant;
            }
            let seen = space.segments();
            drop(space);
            self.add_segment(bytes, seen)?;
        };
        if !grant.committed {
            self.commit(grant.extent)
                .inspect_err(|_| self.space.lock().give_back(grant.extent))?;
        }
        Ok(grant)
    }
}
