//! The store: makes drafts, pins sealed objects, frees what nobody refers to.

use std::sync::Arc;

use mobula_sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    Draft, Error, Object, Pin, Stats, StoreConfig,
    clock::Clock,
    config::Resolved,
    entry::{Pinned, Released},
    extent::Extent,
    growth::Growth,
    layout::{SLAB_BYTES, SLOT_BYTES_MAX, round_up},
    pagemap::Scanner,
    place::Place,
    segments::Segments,
    space::{Emptied, Grant, Space},
    spill::Spill,
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
    pub(crate) clock: Clock,
    /// Nothing: what does not fit is refused.
    pub(crate) spill: Option<Spill>,
    /// The windows of readers that have been retired.
    pub(crate) windows: Mutex<Vec<Arc<Window>>>,
}

impl Store {
    /// Makes an empty store. Nothing is reserved before the first object.
    ///
    /// # Errors
    /// [`Error::is_bad_directory`]: nothing can be written to the directory for spilled objects.
    /// The system is asked for memory by [`Store::create`].
    pub fn new(config: StoreConfig) -> Result<Arc<Self>, Error> {
        let resolved = config.resolve();
        let store = Self {
            config: resolved,
            capacity: AtomicU64::new(0),
            table: Table::new(),
            segments: Segments::new(),
            space: Mutex::new(Space::new(resolved.page_bytes)),
            growth: Growth::new(config.supply, config.backing, config.huge_pages),
            scanner: Scanner::new(config.scan),
            clock: Clock::new(),
            spill: config.spill.as_deref().map(Spill::new).transpose()?,
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

    /// Makes a draft of `len` bytes, with whatever content the memory has. A full store that has a
    /// directory to spill to makes room, which takes as long as the disk does; where that does not
    /// help, because all is pinned or the draft is larger than the capacity, a file on disk stands
    /// behind the draft's memory.
    ///
    /// # Errors
    /// [`Error::is_full`]: there is no room, or the system has no memory for it.
    /// [`Error::is_out_of_disk`]: and the disk has none either.
    pub fn create(self: &Arc<Self>, len: u64) -> Result<Draft, Error> {
        let (place, cold) = self.allocate(len)?;
        self.clock.tick();
        match self.table.claim(place) {
            Some(object) => Ok(Draft::new(Arc::clone(self), object, place, cold)),
            None => {
                self.free_memory(place);
                Err(Error::too_many_objects(self.table.live()))
            }
        }
    }

    /// Pins an object: its bytes stay where and what they are until the pin is dropped. One that has
    /// been spilled is brought back, which takes as long as the disk does.
    ///
    /// # Errors
    /// [`Error::is_gone`]: it has been released, or the handle is not one of this store.
    /// [`Error::is_full`]: it has been spilled, and there is no room for it; try again when there is.
    /// [`Error::is_lost`]: it has been spilled, and cannot be read back.
    pub fn pin(self: &Arc<Self>, object: Object) -> Result<Pin, Error> {
        let entry = self
            .table
            .get(object.index)
            .ok_or_else(|| Error::gone(object))?;
        match entry.pin(object.generation) {
            Pinned::Held(place) => {
                entry.touch(self.clock.now());
                Ok(Pin::new(Arc::clone(self), object, place))
            }
            Pinned::Away => self.restore(object),
            Pinned::Lost => Err(Error::lost(object)),
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
            Released::Later => true,
            Released::Memory(place) => {
                self.free(object.index, place);
                true
            }
            Released::Record => {
                self.free_record(object.index);
                self.table.vacate(object.index);
                true
            }
            Released::Nothing => {
                self.table.vacate(object.index);
                true
            }
        }
    }

    /// What the store holds at this moment. Walks the table to count the pins; [`Store::used`]
    /// does not.
    pub fn stats(&self) -> Stats {
        let (bytes, committed, reserved, disk) = {
            let space = self.space.lock();
            let disk = space.used_on_disk();
            (space.used(), space.committed(), space.reserved(), disk)
        };
        let pinned = self.table.pinned();
        let spill = self.spill.as_ref();
        let (spilled_objects, spilled) = spill.map_or((0, 0), |spill| spill.file.lent());
        Stats {
            capacity: self.capacity(),
            bytes,
            committed,
            reserved,
            objects: self.table.live(),
            pins: pinned.pins,
            pinned_objects: pinned.objects,
            pinned_bytes: pinned.bytes,
            disk,
            spilled_objects,
            spilled,
            restored_objects: spill.map_or(0, Spill::restored),
        }
    }

    /// Whether objects may go to a disk.
    pub fn spills(&self) -> bool {
        self.spill.is_some()
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
        self.free_memory(place);
        self.table.vacate(index);
    }

    #[inline(always)]
    pub(crate) fn free_memory(&self, place: Place) {
        if place == Place::NOWHERE {
            return;
        }
        let emptied = self.space.lock().free(place);
        if let Some(Emptied(segment)) = emptied {
            self.segments.remove(segment);
        }
    }

    /// A place for an object, in memory that is free or is made so, and whether that is cold.
    pub(crate) fn allocate(self: &Arc<Self>, len: u64) -> Result<(Place, bool), Error> {
        match self.allocate_free(len) {
            Err(error) if error.is_full() => self.make_room(len, error),
            settled => settled,
        }
    }

    /// The same, in memory that is free now.
    // By the compiler's own choice it is a call, as is `free_memory`: 9 of 71 ns for the two of them.
    #[inline(always)]
    pub(crate) fn allocate_free(&self, len: u64) -> Result<(Place, bool), Error> {
        match len {
            0 => Ok((Place::NOWHERE, false)),
            1..=SLOT_BYTES_MAX => Ok((self.allocate_slot(len)?, false)),
            _ => Ok(self.allocate_pages(len)?.place(len)),
        }
    }

    fn give_back(&self, extent: Extent) {
        let emptied = self.space.lock().give_back(extent);
        debug_assert!(
            emptied.is_none(),
            "only extents in memory have to be committed"
        );
    }

    fn allocate_slot(&self, len: u64) -> Result<Place, Error> {
        if let Some(place) = self.space.lock().lend_slot(len) {
            return Ok(place);
        }
        // Two threads may make a slab each at the same moment. Both get used up.
        let slab = self.allocate_pages(SLAB_BYTES)?.extent;
        Ok(self.space.lock().lend_slot_of(slab, len))
    }

    /// Whole pages, with memory behind them.
    fn allocate_pages(&self, len: u64) -> Result<Grant, Error> {
        let capacity = self.capacity();
        let mut grant = loop {
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
                .inspect_err(|_| self.give_back(grant.extent))?;
            grant.cold = self.space.lock().touch(grant.extent);
        }
        Ok(grant)
    }
}
