//! All entries, at addresses that never change: the table grows by chunks, each twice the last.

use mobula_sync::{Mutex, OnceLock};

use crate::{
    Object,
    entry::{Entry, Vacated},
    place::Place,
};

const CHUNK_ENTRIES_MIN: u64 = 1024;
const CHUNKS_MAX: usize = 22;

/// As many as fit into the chunks; all their indices fit into 32 bits.
const ENTRIES_MAX: u64 = CHUNK_ENTRIES_MIN * ((1 << CHUNKS_MAX) - 1);

const _: () = assert!(ENTRIES_MAX <= u32::MAX as u64);

#[derive(Debug)]
pub(crate) struct Table {
    chunks: [OnceLock<Box<[Entry]>>; CHUNKS_MAX],
    stock: Mutex<Stock>,
}

/// Which entries are free.
#[derive(Debug, Default)]
struct Stock {
    /// Used before; the last one freed is the first one reused, while it is in the cache.
    freed: Vec<u32>,
    /// From here on never used.
    next: u32,
    /// Of those used before, how many never will be again.
    worn: u32,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS_MAX],
            stock: Mutex::default(),
        }
    }

    /// Makes a draft of the bytes at `place`; nothing if the table cannot grow any more.
    pub(crate) fn claim(&self, place: Place) -> Option<Object> {
        let index = {
            let mut stock = self.stock.lock();
            match stock.freed.pop() {
                Some(index) => index,
                None if u64::from(stock.next) < ENTRIES_MAX => {
                    let index = stock.next;
                    let (chunk, _) = position(index);
                    self.chunks[chunk]
                        .get_or_init(|| (0..chunk_entries(chunk)).map(|_| Entry::new()).collect());
                    stock.next += 1;
                    index
                }
                None => return None,
            }
        };
        let generation = self.entry(index).claim(place);
        Some(Object { index, generation })
    }

    /// Takes an entry back whose memory has been freed.
    pub(crate) fn vacate(&self, index: u32) {
        let vacated = self.entry(index).vacate();
        let mut stock = self.stock.lock();
        match vacated {
            Vacated::Reusable => stock.freed.push(index),
            Vacated::Worn => stock.worn += 1,
        }
    }

    /// The entry of a handle that anybody may have made up.
    pub(crate) fn get(&self, index: u32) -> Option<&Entry> {
        let (chunk, slot) = position(index);
        self.chunks.get(chunk)?.get()?.get(slot)
    }

    /// The entry of a handle that this table has made.
    pub(crate) fn entry(&self, index: u32) -> &Entry {
        self.get(index)
            .expect("the index was handed out by this table")
    }

    /// The entries that have been handed out at least once, with their indices.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let used = self.stock.lock().next;
        let entries = self.chunks.iter().filter_map(OnceLock::get).flatten();
        (0..used).zip(entries)
    }

    /// How many objects and drafts there are.
    pub(crate) fn live(&self) -> u64 {
        let stock = self.stock.lock();
        u64::from(stock.next) - u64::from(stock.worn) - stock.freed.len() as u64
    }

    /// What is pinned. Walks the table, so that pinning has nothing to keep books of.
    pub(crate) fn pinned(&self) -> Pinned {
        let mut pinned = Pinned::default();
        for entry in self.chunks.iter().filter_map(OnceLock::get).flatten() {
            let pins = entry.pins();
            if pins > 0 {
                pinned.pins += pins;
                pinned.objects += 1;
                pinned.bytes += entry.len();
            }
        }
        pinned
    }
}

/// What is pinned at one moment.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Pinned {
    pub(crate) pins: u64,
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

const fn chunk_entries(chunk: usize) -> u64 {
    CHUNK_ENTRIES_MIN << chunk
}

/// Which chunk an index lies in, and where in it: the chunk is the magnitude of the index, shifted
/// by one chunk so that the first begins at a power of two.
const fn position(index: u32) -> (usize, usize) {
    let shifted = index as u64 + CHUNK_ENTRIES_MIN;
    let chunk = shifted.ilog2() - CHUNK_ENTRIES_MIN.ilog2();
    (
        chunk as usize,
        (shifted - (CHUNK_ENTRIES_MIN << chunk)) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_its_own_position() {
        assert_eq!(position(0), (0, 0));
        assert_eq!(position(1023), (0, 1023));
        assert_eq!(position(1024), (1, 0));
        assert_eq!(position(3071), (1, 2047));
        assert_eq!(position(3072), (2, 0));
        assert_eq!(position((ENTRIES_MAX - 1) as u32).0, CHUNKS_MAX - 1);
        assert_eq!(
            position(u32::MAX).0,
            CHUNKS_MAX,
            "beyond the table, but no panic"
        );
    }

    #[test]
    fn entries_survive_growth_and_are_reused() {
        let table = Table::new();
        let first = table.claim(Place::NOWHERE).unwrap();
        let address = std::ptr::from_ref(table.entry(first.index));
        let all: Vec<Object> = (0..5000)
            .map(|_| table.claim(Place::NOWHERE).unwrap())
            .collect();
        assert_eq!(std::ptr::from_ref(table.entry(first.index)), address);
        assert_eq!(table.live(), 5001);
        for object in &all {
            table.vacate(object.index);
        }
        assert_eq!(table.live(), 1);
        let again = table.claim(Place::NOWHERE).unwrap();
        assert_eq!(again.index, all[4999].index);
        assert_eq!(again.generation, all[4999].generation + 1);
    }

    #[test]
    fn a_made_up_index_has_no_entry() {
        let table = Table::new();
        for index in [0, 1, 1024, u32::MAX] {
            assert!(table.get(index).is_none());
        }
    }
}
