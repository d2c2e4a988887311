//! A store's segments by number. Those in memory are added, never taken away, and found without a
//! lock; those in files on disk come and go.

use std::{
    ops::Deref,
    ptr::NonNull,
    sync::{Arc, OnceLock},
};

use mobula_sync::Mutex;

use crate::{
    layout::{DISK_SEGMENTS_MAX, FIRST_DISK_SEGMENT, SEGMENTS_MAX},
    segment::Segment,
};

#[derive(Debug)]
pub(crate) struct Segments {
    in_memory: Box<[OnceLock<Segment>]>,
    /// From [`FIRST_DISK_SEGMENT`] on.
    on_disk: Mutex<Vec<Option<Arc<Segment>>>>,
}

/// A segment that stays for as long as this does.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    InMemory(&'a Segment),
    OnDisk(Arc<Segment>),
}

impl Segments {
    pub(crate) fn new() -> Self {
        Self {
            in_memory: (0..SEGMENTS_MAX).map(|_| OnceLock::new()).collect(),
            on_disk: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, number: u32, segment: Segment) {
        let added = self.in_memory[number as usize].set(segment);
        assert!(added.is_ok(), "segment {number} is there already");
    }

    /// Adds a segment on disk. Returns its number, or nothing if there are too many.
    pub(crate) fn add_on_disk(&self, segment: Segment) -> Option<u32> {
        let mut on_disk = self.on_disk.lock();
        let free = on_disk.iter().position(Option::is_none);
        let slot = free.unwrap_or(on_disk.len());
        if slot == DISK_SEGMENTS_MAX {
            return None;
        }
        if free.is_none() {
            on_disk.push(None);
        }
        on_disk[slot] = Some(Arc::new(segment));
        Some(FIRST_DISK_SEGMENT + slot as u32)
    }

    /// Takes a segment on disk away, which the books have given up. The disk has it back as soon as
    /// nobody uses it.
    pub(crate) fn remove(&self, number: u32) {
        let slot = (number - FIRST_DISK_SEGMENT) as usize;
        let removed = self.on_disk.lock()[slot].take();
        // Unmapped here, without the lock.
        drop(removed);
    }

    /// The segment of a place.
    pub(crate) fn get(&self, number: u32) -> Found<'_> {
        match number.checked_sub(FIRST_DISK_SEGMENT) {
            None => Found::InMemory(self.in_memory(number)),
            Some(slot) => {
                let segment = self.on_disk.lock()[slot as usize].clone();
                Found::OnDisk(segment.expect("places name segments that are there"))
            }
        }
    }

    /// The address of `len` bytes at an offset in a segment. Every pin asks.
    #[inline]
    pub(crate) fn address(&self, number: u32, offset: u64, len: u64) -> NonNull<u8> {
        if number < FIRST_DISK_SEGMENT {
            return self.in_memory(number).address(offset, len);
        }
        self.address_on_disk(number, offset, len)
    }

    #[cold]
    fn address_on_disk(&self, number: u32, offset: u64, len: u64) -> NonNull<u8> {
        self.get(number).address(offset, len)
    }

    fn in_memory(&self, number: u32) -> &Segment {
        self.in_memory[number as usize]
            .get()
            .expect("places name segments that have been added")
    }
}

impl Deref for Found<'_> {
    type Target = Segment;

    fn deref(&self) -> &Segment {
        match self {
            Self::InMemory(segment) => segment,
            Self::OnDisk(segment) => segment,
        }
    }
}
