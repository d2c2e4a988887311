//! The spill file: the bytes of objects that are not in memory, and the books of where they are.
//!
//! A record is the bytes of one object, in units of 512 bytes, so that small objects lie side by
//! side and each can be freed alone. The books are in memory only, the checksums too: what a
//! damaged file says is not believed. Their lock is held while a hole is punched, but never while
//! bytes are written or read.

use std::{collections::HashMap, fs::File, io, os::unix::fs::FileExt, path::Path};

use mobula_sync::Mutex;

use crate::{arena::Arena, disk, layout::round_up};

/// What the file is lent in.
pub(crate) const UNIT_BYTES: u64 = 512;

/// What is given back to the disk as one: a record's neighbours would otherwise keep its blocks.
const CELL_UNITS: u32 = 128;

#[derive(Debug)]
pub(crate) struct SpillFile {
    file: File,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    arena: Arena,
    /// By the objects' indices in the table. In the entries they would make pins slower.
    records: HashMap<u32, Record>,
    units: u64,
}

/// The bytes of an object in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    /// From the start of the file.
    pub(crate) offset: u64,
    pub(crate) crc: u32,
    block: u32,
}

impl SpillFile {
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            file: disk::create(directory)?,
            books: Mutex::new(Books {
                arena: Arena::new(),
                records: HashMap::new(),
                units: 0,
            }),
        })
    }

    /// Lends an object room for its bytes and says where; nothing if the file is as long as can be
    /// counted.
    pub(crate) fn lend(&self, index: u32, len: u64) -> Option<u64> {
        let units = u32::try_from(round_up(len, UNIT_BYTES)? / UNIT_BYTES).ok()?;
        let mut books = self.books.lock();
        let lent = match books.arena.lend(units) {
            Some(lent) => lent,
            None => {
                // At least one: also a free end that was overlooked becomes the first to be tried.
                let missing = units.saturating_sub(books.arena.free_at_end()).max(1);
                books.arena.frontier().checked_add(missing)?;
                books.arena.grow(missing);
                books.arena.lend(units)?
            }
        };
        let offset = u64::from(lent.start) * UNIT_BYTES;
        let record = Record {
            offset,
            crc: 0,
            block: lent.block,
        };
        let before = books.records.insert(index, record);
        assert!(before.is_none(), "object {index} has a record");
        books.units += u64::from(units);
        Some(offset)
    }

    /// Notes the checksum of what has been written.
    pub(crate) fn note(&self, index: u32, crc: u32) {
        if let Some(record) = self.books.lock().records.get_mut(&index) {
            record.crc = crc;
        }
    }

    /// The record of an object that has one.
    pub(crate) fn record(&self, index: u32) -> Record {
        self.books.lock().records[&index]
    }

    /// Takes an object's room back. The disk gets back what whole cells that makes free.
    pub(crate) fn free(&self, index: u32) {
        let mut books = self.books.lock();
        let record = books.records.remove(&index);
        let record = record.expect("who frees a record owns it");
        let returned = books.arena.give_back(record.block);
        books.units -= u64::from(returned.pages);
        if books.records.is_empty() {
            // Gives back what lies in cells that were never whole; where holes cannot be punched,
            // all there is. If even that is refused, the room is used again.
            let _ = self.file.set_len(0);
            return;
        }
        let (start, end) = (returned.start, returned.start + returned.pages);
        let mut first = start / CELL_UNITS;
        let mut last = end.div_ceil(CELL_UNITS);
        if first * CELL_UNITS < returned.piece.start {
            first += 1;
        }
        if last
            .checked_mul(CELL_UNITS)
            .is_none_or(|end| end > returned.piece.end)
        {
            last -= 1;
        }
        if first < last {
            // Under the lock, so that nobody is lent what is being punched.
            let cell = u64::from(CELL_UNITS) * UNIT_BYTES;
            disk::punch(&self.file, u64::from(first) * cell..u64::from(last) * cell);
        }
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// How many records there are, and how many bytes of the file they take.
    pub(crate) fn lent(&self) -> (u64, u64) {
        let books = self.books.lock();
        (books.records.len() as u64, books.units * UNIT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const CELL_BYTES: u64 = CELL_UNITS as u64 * UNIT_BYTES;

    fn disk_bytes(file: &SpillFile) -> u64 {
        file.file.metadata().unwrap().blocks() * 512
    }

    #[test]
    fn small_records_lie_side_by_side_and_are_freed_alone() {
        let file = SpillFile::new(&std::env::temp_dir()).unwrap();
        for at in 0..2000 {
            let offset = file.lend(at, 300).unwrap();
            assert_eq!(offset, u64::from(at) * UNIT_BYTES);
            file.write(offset, &[at as u8; 300]).unwrap();
            file.note(at, at);
        }
        assert_eq!(file.lent(), (2000, 2000 * UNIT_BYTES));
        for at in (0..2000).step_by(2).chain((1..1999).step_by(2)) {
            let record = file.record(at);
            assert_eq!(record.crc, at);
            let mut bytes = [0; 300];
            file.read(record.offset, &mut bytes).unwrap();
            assert_eq!(bytes, [at as u8; 300]);
            file.free(at);
        }
        if cfg!(target_os = "linux") {
            assert!(disk_bytes(&file) <= CELL_BYTES, "all cells but the last");
        }
        file.free(1999);
        assert_eq!(file.lent(), (0, 0));
        assert_eq!(disk_bytes(&file), 0);
    }

    #[test]
    fn room_is_used_again_and_a_neighbour_keeps_its_bytes() {
        let file = SpillFile::new(&std::env::temp_dir()).unwrap();
        let len = 3 * CELL_BYTES + 100;
        for index in 0..3 {
            let offset = file.lend(index, len).unwrap();
            file.write(offset, &vec![index as u8; len as usize])
                .unwrap();
        }
        let full = disk_bytes(&file);
        for _ in 0..3 {
            let freed = file.record(1);
            file.free(1);
            if cfg!(target_os = "linux") {
                assert!(disk_bytes(&file) <= full - 2 * CELL_BYTES);
            }
            for index in [0, 2] {
                let mut bytes = vec![9; len as usize];
                file.read(file.record(index).offset, &mut bytes).unwrap();
                assert!(bytes.iter().all(|&byte| u32::from(byte) == index));
            }
            let again = file.lend(1, len).unwrap();
            assert_eq!(again, freed.offset);
            file.write(again, &vec![1; len as usize]).unwrap();
        }
        assert!(file.lend(9, u64::MAX).is_none() && file.lend(9, 1 << 41).is_none());
    }
}
