//! A file mapped at an address that huge pages can use.
#![allow(unsafe_code, reason = "maps and unmaps memory")]

use std::{fs::File, io, ops::Range, ptr, ptr::NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use crate::layout::RUN_BYTES;

/// The whole of a file, readable and writable, at a multiple of 2 MiB. Unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping is an address and a length, which mean the same to every thread; what may be
// done with the bytes is up to its owners.
unsafe impl Send for Mapping {}
// SAFETY: as above; no method changes the mapping itself but `remap`, which says what it needs.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the file so that writes reach it.
    pub(crate) fn shared(file: &File, bytes: usize) -> io::Result<Self> {
        Self::new(file, bytes, MapFlags::SHARED)
    }

    /// Maps the file so that writes stay in this mapping, and count for nothing until they happen.
    #[cfg(target_os = "linux")]
    pub(crate) fn private(file: &File, bytes: usize) -> io::Result<Self> {
        Self::new(file, bytes, MapFlags::PRIVATE | MapFlags::NORESERVE)
    }

    /// The address of the first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Maps a part of the file anew, as [`Mapping::private`] did: what was written there is lost.
    ///
    /// # Safety
    /// - The range lies in the mapping and begins and ends at page boundaries.
    /// - The mapping is a private one of this file.
    /// - Nobody holds a Rust reference into the range.
    #[cfg(target_os = "linux")]
    pub(crate) unsafe fn remap(&self, file: &File, range: Range<usize>) -> io::Result<()> {
        debug_assert!(range.end <= self.bytes);
        // SAFETY: the range lies in this mapping (the caller's promise), so nothing else is
        // replaced, and no reference sees its bytes change.
        unsafe {
            mmap(
                self.start.as_ptr().add(range.start).cast(),
                range.len(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED,
                file,
                range.start as u64,
            )?;
        }
        Ok(())
    }

    /// Puts huge pages behind a range of whole runs, each of which must have a page already. What
    /// is there stays; the rest is zero. On failure some runs may have got theirs.
    #[cfg(target_os = "linux")]
    pub(crate) fn collapse(&self, range: Range<usize>) -> io::Result<()> {
        /// Of Linux 6.1; rustix does not know it.
        const MADV_COLLAPSE: libc::c_int = 25;

        assert!(range.start <= range.end && range.end <= self.bytes);
        // SAFETY: the range lies in this mapping; what it holds does not change.
        let advised = unsafe {
            libc::madvise(
                self.start.as_ptr().add(range.start).cast(),
                range.len(),
                MADV_COLLAPSE,
            )
        };
        match advised {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn new(file: &File, bytes: usize, flags: MapFlags) -> io::Result<Self> {
        let space = AddressSpace::reserve(bytes)?;
        // SAFETY: the addresses are ours alone: nobody else knows the reservation this replaces.
        unsafe {
            mmap(
                space.start.cast(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                flags | MapFlags::FIXED,
                file,
                0,
            )?;
        }
        let start = NonNull::new(space.start).expect("mmap never returns address zero");
        std::mem::forget(space);
        Ok(Self { start, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unmap(self.start.as_ptr(), 0..self.bytes);
    }
}

/// Addresses nobody else will be given, with nothing behind them.
struct AddressSpace {
    start: *mut u8,
    bytes: usize,
}

impl AddressSpace {
    /// Reserves addresses that begin at a multiple of 2 MiB, by taking too many and cutting.
    fn reserve(bytes: usize) -> io::Result<Self> {
        let align = RUN_BYTES as usize;
        let reserved = bytes.checked_add(align).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the kernel chooses addresses that are free.
        let found = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                reserved,
                ProtFlags::empty(),
                MapFlags::PRIVATE,
            )?
        }
        .cast::<u8>();
        let head = found.align_offset(align);
        unmap(found, 0..head);
        unmap(found, head + bytes..reserved);
        Ok(Self {
            start: found.wrapping_add(head),
            bytes,
        })
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        unmap(self.start, 0..self.bytes);
    }
}

/// Unmaps a part of what the caller owns: private to this file, whose two types keep that true.
fn unmap(start: *mut u8, part: Range<usize>) {
    if part.is_empty() {
        return;
    }
    // SAFETY: the part belongs to a reservation or mapping that its owner, in this file, gives up.
    let unmapped = unsafe { munmap(start.wrapping_add(part.start).cast(), part.len()) };
    debug_assert!(unmapped.is_ok(), "{unmapped:?}");
}
