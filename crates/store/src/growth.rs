//! Getting memory from the system and giving it back: the slow half of making an object.
//!
//! One thread at a time does this, under a lock of its own, so that those who find warm memory
//! never wait for the system.
#![allow(unsafe_code, reason = "takes memory away")]

use std::time::{Duration, Instant};

use mobula_sync::{Mutex, MutexGuard};

use crate::{
    Error,
    config::{Backing, Supply},
    extent::Extent,
    hugepage::{HugePages, Pages},
    layout::{RUN_BYTES, round_up},
    room::Room,
    segment::Segment,
    space::{Part, Space},
    store::Store,
};

/// The right to change what the system has given.
#[derive(Debug)]
pub(crate) struct Growth(Mutex<Means>);

/// What whoever holds the right goes by.
#[derive(Debug)]
struct Means {
    room: Room,
    huge: HugePages,
    /// When to look next for runs that have not been used since the last time.
    tend_at: Option<Instant>,
}

/// How long memory may lie idle, at the least; twice as long at the most, since it is looked for at
/// such intervals.
const UNUSED_TIME_MIN: Duration = Duration::from_secs(10);

/// What is given back at once: so much takes 1 ms in huge pages, and 30 ms in small ones.
const TEND_BYTES_MAX: u64 = 256 << 20;

impl Growth {
    pub(crate) fn new(supply: Supply, backing: Backing, huge_pages: bool) -> Self {
        Self(Mutex::new(Means {
            room: Room::new(supply, backing),
            huge: HugePages::new(huge_pages),
            tend_at: None,
        }))
    }

    fn begin(&self) -> MutexGuard<'_, Means> {
        self.0.lock()
    }
}

impl Store {
    /// Adds a segment in which `bytes` fit, unless another thread has added one since there were
    /// `seen`.
    pub(crate) fn add_segment(&self, bytes: u64, seen: usize) -> Result<(), Error> {
        let _growing = self.growth.begin();
        let capacity = self.capacity();
        let space = self.space.lock();
        if space.segments() != seen {
            return Ok(());
        }
        let size = round_up(bytes.max(self.config.segment_bytes), RUN_BYTES);
        let size = size
            .filter(|&size| space.may_add_segment(size, capacity))
            .ok_or_else(|| Error::no_addresses(bytes, space.used(), capacity, space.reserved()))?;
        drop(space);
        let segment = Segment::new(self.config.backing, size)
            .map_err(|error| Error::out_of_memory("reserve a segment", size, error))?;
        // The segment first: once it is in the books, places in it are handed out.
        self.segments.add(seen as u32, segment);
        let number = self.space.lock().add_segment(size);
        assert_eq!(
            number as usize, seen,
            "segments are added under the lock of growth only"
        );
        Ok(())
    }

    /// Puts memory behind an extent. At best behind the rest of its runs too, which saves as many
    /// calls and lets the kernel use huge pages.
    pub(crate) fn commit(&self, extent: Extent) -> Result<(), Error> {
        let mut means = self.growth.begin();
        let Means { room, huge, .. } = &mut *means;
        let exact = Part {
            segment: extent.segment,
            range: extent.offset..extent.offset + extent.bytes,
        };
        let capacity = self.capacity();
        let ceiling = room.ceiling(self.committed(), self.committed_after(&exact));
        let excess = |part| {
            self.committed_after(part)
                .saturating_sub(capacity.min(ceiling))
        };
        let runs = self.space.lock().whole_runs(extent);
        if runs != exact && excess(&runs) == 0 && self.commit_part(&runs, huge).is_ok() {
            return Ok(());
        }
        let too_much = excess(&exact);
        if too_much > 0 {
            self.take_away(|space| space.decommit_idle(too_much, false));
        }
        match excess(&exact) {
            0 => self.commit_part(&exact, huge),
            _ if self.committed_after(&exact) > capacity => {
                Err(Error::full(extent.bytes, self.used(), capacity))
            }
            _ => Err(Error::no_memory(extent.bytes, self.committed(), ceiling)),
        }
    }

    /// The most that objects may take in memory at the moment, which can be less than the capacity.
    pub(crate) fn bytes_max(&self) -> u64 {
        let mut means = self.growth.begin();
        self.capacity().min(means.room.ceiling(self.committed(), 0))
    }

    /// Gives memory that nobody uses back to the system, as far as it makes up whole runs of 2 MiB.
    /// It is taken again when it is needed; addresses stay as they are.
    pub fn trim(&self) {
        let _growing = self.growth.begin();
        self.take_away(|space| space.decommit_idle(u64::MAX, true));
    }

    /// Gives memory back to the system that has been idle for ten to twenty seconds, as far as it
    /// makes up whole runs of 2 MiB. To be called every now and then with the time that it is: the
    /// store has no thread to do it. Costs next to nothing when there is nothing to do, and does not
    /// more than a part when there is much.
    ///
    /// ```
    /// # use mobula_store::{Store, StoreConfig};
    /// use std::time::{Duration, Instant};
    ///
    /// let store = Store::new(StoreConfig::new(64 << 20))?;
    /// let (start, seconds) = (Instant::now(), Duration::from_secs);
    /// store.tend(start);
    /// drop(store.create(8 << 20)?);
    /// store.tend(start + seconds(10));
    /// assert_eq!(store.stats().committed, 8 << 20);
    /// store.tend(start + seconds(20));
    /// assert_eq!(store.stats().committed, 0);
    /// # Ok::<(), mobula_store::Error>(())
    /// ```
    pub fn tend(&self, now: Instant) {
        let mut means = self.growth.begin();
        if now < *means.tend_at.get_or_insert(now + UNUSED_TIME_MIN) {
            return;
        }
        let mut is_done = false;
        self.take_away(|space| {
            let (parts, done) = space.decommit_unused(TEND_BYTES_MAX);
            is_done = done;
            parts
        });
        if is_done {
            means.tend_at = Some(now + UNUSED_TIME_MIN);
        }
    }

    fn committed(&self) -> u64 {
        self.space.lock().committed()
    }

    /// What is committed once a part is.
    fn committed_after(&self, part: &Part) -> u64 {
        let space = self.space.lock();
        let missing = space.uncommitted(part);
        let bytes = missing.iter().map(|range| range.end - range.start);
        space.committed() + bytes.sum::<u64>()
    }

    fn commit_part(&self, part: &Part, huge: &mut HugePages) -> Result<(), Error> {
        let missing = self.space.lock().uncommitted(part);
        let segment = self.segments.get(part.segment);
        for range in missing {
            let bytes = range.end - range.start;
            let pages = huge
                .commit(&segment, range.clone())
                .map_err(|error| Error::out_of_memory("commit store memory", bytes, error))?;
            let part = Part {
                segment: part.segment,
                range,
            };
            self.space.lock().commit(&part, pages);
        }
        Ok(())
    }

    /// Takes memory away, under the lock of growth, that the books have just given up. Who is lent it meanwhile finds it
    /// uncommitted, and waits for the lock of growth to commit it.
    fn take_away(&self, choose: impl FnOnce(&mut Space) -> Vec<Part>) {
        let parts = choose(&mut self.space.lock());
        for part in parts {
            let segment = self.segments.get(part.segment);
            // SAFETY: the part was idle when the books gave it up, and whoever is lent it since
            // does not touch it before it is committed, which takes the lock held here.
            if unsafe { segment.punch(part.range.clone()) }.is_err() {
                // Whatever it is: it has been used before.
                self.space.lock().commit(&part, Pages::Huge);
            }
        }
    }
}
