//! Making room: objects that nobody has pinned go to disk, those wanted longest ago first.
//!
//! One thread at a time does this, under a lock of its own, and for many objects at once, because
//! choosing them walks the table.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mobula_sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    Error, Object, Pin, ViewMode,
    layout::{DISK_SEGMENT_BYTES, SLAB_BYTES, SLOT_BYTES_MAX, round_up},
    place::Place,
    segment::Segment,
    space::Grant,
    spillfile::{SpillFile, UNIT_BYTES},
    store::Store,
};

/// How much room a round makes if not more is needed: a sixteenth of the capacity, but no more than
/// a disk takes in a fraction of a second.
const ROUND_SHARE: u64 = 16;
const ROUND_BYTES_MAX: u64 = 64 << 20;

/// After so many rounds whose room others have taken, or which lies in pieces too small, the caller
/// has to do without.
const ROUNDS_MAX: u32 = 64;

/// Large objects go piece by piece, which stays in the processor's cache between checksum and
/// write; small ones are gathered up to this.
pub(crate) const PIECE_BYTES: usize = 1 << 20;

const RESTORERS_MAX: usize = 16;

/// What a store that spills has more than one that does not.
#[derive(Debug)]
pub(crate) struct Spill {
    pub(crate) file: SpillFile,
    directory: PathBuf,
    /// Whoever makes room.
    spilling: Mutex<()>,
    /// Whoever restores an object, by its index.
    restoring: [Mutex<()>; RESTORERS_MAX],
    restored: AtomicU64,
}

impl Spill {
    pub(crate) fn new(directory: &Path) -> Result<Self, Error> {
        let file =
            SpillFile::new(directory).map_err(|error| Error::bad_directory(directory, error))?;
        Ok(Self {
            file,
            directory: directory.to_owned(),
            spilling: Mutex::default(),
            restoring: Default::default(),
            restored: AtomicU64::new(0),
        })
    }

    /// Waits until nobody else restores this object.
    pub(crate) fn restoring(&self, index: u32) -> MutexGuard<'_, ()> {
        self.restoring[index as usize % RESTORERS_MAX].lock()
    }

    pub(crate) fn count_restored(&self) {
        self.restored.fetch_add(1, Ordering::Relaxed);
    }

    /// How many objects have been restored so far.
    pub(crate) fn restored(&self) -> u64 {
        self.restored.load(Ordering::Relaxed)
    }
}

impl Store {
    /// A place for an object that has found none, because of `error`.
    #[cold]
    pub(crate) fn make_room(
        self: &Arc<Self>,
        len: u64,
        error: Error,
    ) -> Result<(Place, bool), Error> {
        let Some(spill) = &self.spill else {
            return Err(error);
        };
        let page = self.config.page_bytes;
        // More pages than can be counted are no use in a file either.
        let needed = round_up(len, page).filter(|&bytes| u32::try_from(bytes / page).is_ok());
        let Some(needed) = needed else {
            return Err(error);
        };
        let _spilling = spill.spilling.lock();
        let capacity = self.bytes_max();
        let rounds = if needed <= capacity { ROUNDS_MAX } else { 0 };
        for _ in 0..rounds {
            // First of all: others may have made room while this thread waited.
            match self.allocate_free(len) {
                Err(refused) if refused.is_full() => {}
                settled => return settled,
            }
            // More than is needed, also if the capacity has been lowered below what is used, or the
            // memory that was idle has gone elsewhere.
            let over = (self.used() + needed).saturating_sub(capacity);
            let share = (capacity / ROUND_SHARE).min(ROUND_BYTES_MAX);
            let round = share.max(needed).max(over);
            match self.spill_round(&spill.file, round) {
                Ok(gone) if gone > 0 => {}
                // Everything is pinned, or the disk is full: it may yet have room for this one.
                _ => break,
            }
        }
        self.allocate_on_disk(&spill.directory, len)
    }

    /// A place in memory that a file stands behind. The caller is the only one who makes room.
    fn allocate_on_disk(&self, directory: &Path, len: u64) -> Result<(Place, bool), Error> {
        if len > SLOT_BYTES_MAX {
            return Ok(self.allocate_pages_on_disk(directory, len)?.place(len));
        }
        let slab = self.allocate_pages_on_disk(directory, SLAB_BYTES)?.extent;
        Ok((self.space.lock().lend_slot_of(slab, len), false))
    }

    fn allocate_pages_on_disk(&self, directory: &Path, len: u64) -> Result<Grant, Error> {
        let bytes = round_up(len, self.config.page_bytes).unwrap_or(len);
        let refused = |error| Error::disk("put an object into a file", bytes, error);
        if let Some(grant) = self.space.lock().lend_on_disk(bytes) {
            return Ok(grant);
        }
        let mut size = bytes.max(DISK_SEGMENT_BYTES);
        let mut segment = Segment::on_disk(directory, size);
        if segment.is_err() && size > bytes {
            size = bytes;
            segment = Segment::on_disk(directory, size);
        }
        let number = self.segments.add_on_disk(segment.map_err(refused)?);
        let number =
            number.ok_or_else(|| refused(io::Error::other("there are too many such files")))?;
        let mut space = self.space.lock();
        space.add_disk_segment(number, size);
        let grant = space.lend_on_disk(bytes);
        Ok(grant.expect("the new segment has room, and nobody else has seen it"))
    }

    /// Frees the record of an object that is spilled.
    pub(crate) fn free_record(&self, index: u32) {
        let spill = self.spill.as_ref();
        spill
            .expect("only a store that spills has records")
            .file
            .free(index);
    }

    /// Spills objects that take about `bytes`. Returns how many have gone. The caller is the only
    /// one who spills.
    fn spill_round(self: &Arc<Self>, file: &SpillFile, bytes: u64) -> Result<u32, Error> {
        self.spill_each(file, self.victims(bytes))
    }

    /// Spills the objects at these indices, whichever they are by now.
    fn spill_each(self: &Arc<Self>, file: &SpillFile, victims: Vec<u32>) -> Result<u32, Error> {
        let mut round = Round {
            store: self,
            file,
            gathered: Vec::new(),
            offset: 0,
            waiting: Vec::new(),
            gone: 0,
        };
        let done = victims.into_iter().try_for_each(|index| {
            let entry = self.table.entry(index);
            let Some(generation) = entry.pin_idle() else {
                return Ok(());
            };
            let object = Object { index, generation };
            let place = entry.place();
            let pin = Pin::new(Arc::clone(self), object, place);
            // The object that was chosen may be gone, and another have its entry.
            if !place.can_spill() {
                return Ok(());
            }
            round.take(pin)
        });
        let done = done.and_then(|()| round.flush());
        match done {
            Err(error) if round.gone == 0 => Err(error),
            _ => Ok(round.gone),
        }
    }
}

/// The objects that are being spilled.
struct Round<'a> {
    store: &'a Store,
    file: &'a SpillFile,
    /// The bytes of small objects whose records lie side by side, each filled up to whole units.
    gathered: Vec<u8>,
    /// Where they go.
    offset: u64,
    /// Those objects, with their checksums.
    waiting: Vec<(Pin, u32)>,
    gone: u32,
}

impl Drop for Round<'_> {
    /// What has been gathered and could not be written stays in memory.
    fn drop(&mut self) {
        for (pin, _) in self.waiting.drain(..) {
            self.file.free(pin.object().index);
        }
    }
}

impl Round<'_> {
    fn take(&mut self, pin: Pin) -> Result<(), Error> {
        let (index, len) = (pin.object().index, pin.len() as u64);
        let offset = self.file.lend(index, len).ok_or_else(|| {
            let full = io::Error::from(io::ErrorKind::FileTooLarge);
            Error::disk("lengthen the spill file", len, full)
        })?;
        let taken = if len <= SLOT_BYTES_MAX {
            self.gather(&pin, offset)
        } else {
            self.write(&pin, offset)
        };
        match taken {
            Ok(crc) if len <= SLOT_BYTES_MAX => self.waiting.push((pin, crc)),
            Ok(crc) => self.settle(pin, crc),
            Err(error) => {
                self.file.free(index);
                return Err(error);
            }
        }
        Ok(())
    }

    fn write(&self, pin: &Pin, offset: u64) -> Result<u32, Error> {
        // Where views are shared, those who write to one that they have only just opened must not
        // part the bytes from their checksum.
        let is_shared = self.store.config.views == ViewMode::Shared;
        let (mut crc, mut at) = (0, offset);
        let mut copy = Vec::new();
        for mut piece in pin.bytes().chunks(PIECE_BYTES) {
            if is_shared {
                copy.clear();
                copy.extend_from_slice(piece);
                piece = &copy;
            }
            crc = crc32c::crc32c_append(crc, piece);
            let written = self.file.write(at, piece);
            written
                .map_err(|error| Error::disk("spill an object to disk", pin.len() as u64, error))?;
            at += piece.len() as u64;
        }
        Ok(crc)
    }

    fn gather(&mut self, pin: &Pin, offset: u64) -> Result<u32, Error> {
        let at = self.gathered.len();
        let follows = self.offset + at as u64 == offset;
        if !follows || at >= PIECE_BYTES {
            self.flush()?;
            self.offset = offset;
        }
        let at = self.gathered.len();
        self.gathered.extend_from_slice(pin.bytes());
        // Of what was copied: see `write`.
        let crc = crc32c::crc32c(&self.gathered[at..]);
        let end = self.gathered.len().next_multiple_of(UNIT_BYTES as usize);
        self.gathered.resize(end, 0);
        Ok(crc)
    }

    /// Writes what has been gathered.
    fn flush(&mut self) -> Result<(), Error> {
        let len = self.gathered.len() as u64;
        self.file
            .write(self.offset, &self.gathered)
            .map_err(|error| Error::disk("spill small objects to disk", len, error))?;
        self.gathered.clear();
        for (pin, crc) in std::mem::take(&mut self.waiting) {
            self.settle(pin, crc);
        }
        Ok(())
    }

    /// Frees the memory of an object that has been written, or the record if it is wanted again.
    fn settle(&mut self, pin: Pin, crc: u32) {
        let index = pin.object().index;
        self.file.note(index, crc);
        match pin.spill() {
            Ok(place) => {
                self.store.free_memory(place);
                self.gone += 1;
            }
            Err(pin) => {
                self.file.free(index);
                drop(pin);
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use crate::StoreConfig;

    #[test]
    fn what_took_the_entry_of_the_one_chosen_is_left_alone_if_it_makes_no_room() {
        let store = Store::new(StoreConfig {
            spill: Some(std::env::temp_dir()),
            ..StoreConfig::new(1 << 20)
        })
        .unwrap();
        let file = &store.spill.as_ref().unwrap().file;
        let chosen = store.create(40_000).unwrap().seal();
        let victims = store.victims(1);
        assert_eq!(victims, [chosen.index]);
        assert!(store.release(chosen));
        let empty = store.create(0).unwrap().seal();
        assert_eq!(empty.index, chosen.index);
        assert_eq!(store.spill_each(file, victims.clone()).unwrap(), 0);
        assert!(store.release(empty));
        let on_disk = store.create(2 << 20).unwrap().seal();
        assert_eq!(on_disk.index, chosen.index);
        assert_eq!(store.spill_each(file, victims).unwrap(), 0);
        assert_eq!((store.stats().pins, store.stats().spilled), (0, 0));
        assert!(store.stats().disk > 0 && store.release(on_disk));
    }
}
