//! What one isolate sees of the store: private maps of its segments, and the views open in them.
//!
//! A view's memory goes back to what the object says when the last view of that object is closed,
//! and before its pin is given back; so a page is never dirty when nobody looks at it, and what one
//! object's reader wrote cannot hide a later object in the same place. Views of one object share
//! pages: a newcomer to written ones gets a copy instead.
//!
//! When the isolate dies, the next one takes the window over as it is, with the views that are
//! still to be closed.
#![allow(unsafe_code, reason = "restores pages")]

use std::{
    collections::{HashMap, hash_map},
    ptr::NonNull,
};

use mobula_sync::Mutex;

use crate::{
    layout::{FIRST_DISK_SEGMENT, page_bytes},
    pagemap::{Scanner, Written},
    place::Place,
    private::PrivateMap,
    segment::Segment,
};

#[derive(Debug, Default)]
pub(crate) struct Window(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    /// By number of segment.
    maps: Vec<Map>,
    /// Of segments on disk, likewise: unmapped with the last view.
    disk_maps: HashMap<u32, DiskMap>,
    /// How many views of an object are open, by its index in the table. While there is one the
    /// object is pinned, so the index means the same object.
    views: HashMap<u32, u32>,
}

#[derive(Debug)]
enum Map {
    Unmade,
    Made(PrivateMap),
    /// Has been refused, and is not asked for again.
    Refused,
}

#[derive(Debug)]
struct DiskMap {
    map: PrivateMap,
    /// How many objects of the segment have open views.
    objects: u32,
}

/// Whether the pages of a closed view show what is in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Closed {
    /// Or other views of the object are open, whose closing will see to it.
    Clean,
    /// So many bytes of pages had been written, and show it again.
    Restored(u64),
    /// They do not, and nothing helps: the object's pin must be kept for ever, so that its place is
    /// never used for another object.
    Stuck,
}

impl Window {
    /// Opens a view of a pinned object. Nothing: it has to be copied, because its pages have been
    /// written here or cannot be mapped.
    pub(crate) fn open(
        &self,
        index: u32,
        place: Place,
        segment: &Segment,
        scanner: &Scanner,
    ) -> Option<NonNull<u8>> {
        // The lock is held while scanning, so that no other view of the object comes or goes.
        let mut inside = self.0.lock();
        let inside = &mut *inside;
        let start = inside
            .map(place.segment, segment)?
            .address(place.offset, place.len);
        let views = inside.views.entry(index).or_insert(0);
        if *views > 0 && scanner.written(start, place.len as usize) != Written::Nothing {
            return None;
        }
        *views += 1;
        if *views == 1
            && let Some(disk) = inside.disk_maps.get_mut(&place.segment)
        {
            disk.objects += 1;
        }
        Some(start)
    }

    /// True if views of a pinned object are open here and show what was sealed.
    pub(crate) fn shows(&self, index: u32, place: Place, scanner: &Scanner) -> bool {
        let mut inside = self.0.lock();
        let inside = &mut *inside;
        if !inside.views.contains_key(&index) {
            return false;
        }
        let start = match inside.existing(place.segment) {
            Some(map) => map.address(place.offset, place.len),
            None => return false,
        };
        scanner.written(start, place.len as usize) == Written::Nothing
    }

    /// Closes a view of an object that is still pinned, and undoes what was written if it was the
    /// last one.
    pub(crate) fn close(&self, index: u32, place: Place, scanner: &Scanner) -> Closed {
        let mut inside = self.0.lock();
        let inside = &mut *inside;
        let views = inside
            .views
            .get_mut(&index)
            .expect("the view was opened here");
        *views -= 1;
        if *views > 0 {
            return Closed::Clean;
        }
        inside.views.remove(&index);
        let Some(map) = inside.close(place.segment) else {
            return Closed::Clean;
        };
        let len = place.len.next_multiple_of(page_bytes());
        let is_known = !matches!(scanner, Scanner::Blind);
        let mut restored = 0;
        let pages = match scanner.written(map.address(place.offset, len), len as usize) {
            Written::Nothing => return Closed::Clean,
            Written::Pages(pages) => pages,
            Written::Unknown => std::iter::once(0..len as usize).collect(),
        };
        for range in pages {
            let range = place.offset + range.start as u64..place.offset + range.end as u64;
            restored += range.end - range.start;
            // SAFETY: the pages are the object's own, and its last view has just been closed.
            if unsafe { map.restore(range) }.is_err() {
                return Closed::Stuck;
            }
        }
        if is_known {
            Closed::Restored(restored)
        } else {
            Closed::Clean
        }
    }
}

impl Inside {
    fn map(&mut self, number: u32, segment: &Segment) -> Option<&PrivateMap> {
        if number >= FIRST_DISK_SEGMENT {
            return Some(
                &match self.disk_maps.entry(number) {
                    hash_map::Entry::Occupied(made) => made.into_mut(),
                    hash_map::Entry::Vacant(vacant) => vacant.insert(DiskMap {
                        map: PrivateMap::new(segment).ok()?,
                        objects: 0,
                    }),
                }
                .map,
            );
        }
        let number = number as usize;
        if self.maps.len() <= number {
            self.maps.resize_with(number + 1, || Map::Unmade);
        }
        let map = &mut self.maps[number];
        if let Map::Unmade = map {
            *map = PrivateMap::new(segment).map_or(Map::Refused, Map::Made);
        }
        match map {
            Map::Made(map) => Some(map),
            _ => None,
        }
    }

    /// The map of a segment, if it has been made.
    fn existing(&self, number: u32) -> Option<&PrivateMap> {
        if number >= FIRST_DISK_SEGMENT {
            return self.disk_maps.get(&number).map(|disk| &disk.map);
        }
        match self.maps.get(number as usize)? {
            Map::Made(map) => Some(map),
            Map::Unmade | Map::Refused => None,
        }
    }

    /// Closes the last view of an object. Returns the map that it was in, unless that has gone too.
    fn close(&mut self, number: u32) -> Option<&PrivateMap> {
        if number < FIRST_DISK_SEGMENT {
            let Some(Map::Made(map)) = self.maps.get(number as usize) else {
                unreachable!("the view lies in a map of this window");
            };
            return Some(map);
        }
        let disk = self.disk_maps.get_mut(&number)?;
        disk.objects -= 1;
        if disk.objects == 0 {
            // With everything that was written in it, and before the segment can go.
            self.disk_maps.remove(&number);
        }
        self.disk_maps.get(&number).map(|disk| &disk.map)
    }
}
