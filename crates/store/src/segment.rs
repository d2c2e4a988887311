//! A piece of memory that objects lie in: reserved as a whole, committed and given back by parts.
#![allow(unsafe_code, reason = "owns the memory of all objects")]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    fs::File,
    io,
    ops::Range,
    path::Path,
    ptr,
    ptr::NonNull,
    slice,
    sync::Arc,
};

use mobula_sync::atomic::{AtomicU64, Ordering};

#[cfg(target_os = "linux")]
use crate::fallocate;
use crate::{cold, config::Backing, disk, file, layout::RUN_BYTES, mapping::Mapping, transfer};

#[derive(Debug)]
pub(crate) struct Segment {
    memory: Memory,
    bytes: u64,
}

#[derive(Debug)]
enum Memory {
    Mapped { mapping: Mapping, file: Arc<File> },
    Heap(Heap),
}

/// Zeroed memory that pretends to be committed by parts.
#[derive(Debug)]
struct Heap {
    start: NonNull<u8>,
    layout: Layout,
    bytes_max: u64,
    committed: AtomicU64,
}

// SAFETY: the address of heap memory that this owns; what may be done with the bytes is up to the
// owners of extents. The counter is atomic.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

impl Segment {
    /// Reserves addresses, without memory behind them.
    pub(crate) fn new(backing: Backing, bytes: u64) -> io::Result<Self> {
        let size = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let memory = match backing {
            Backing::Heap { bytes_max } => Memory::Heap(Heap::new(size, bytes_max)?),
            Backing::File | Backing::Posix => {
                let file = Arc::new(file::create(backing, bytes)?);
                Memory::Mapped {
                    mapping: Mapping::shared(&file, size)?,
                    file,
                }
            }
        };
        Ok(Self { memory, bytes })
    }

    /// Maps a nameless file on disk, with blocks behind all of it: what the system is short of memory
    /// for, it writes there.
    pub(crate) fn on_disk(directory: &Path, bytes: u64) -> io::Result<Self> {
        let size = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let file = Arc::new(disk::create(directory)?);
        disk::reserve(&file, bytes)?;
        let mapping = Mapping::shared(&file, size)?;
        let memory = Memory::Mapped { mapping, file };
        Ok(Self { memory, bytes })
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What private maps are made of, if they can be.
    #[cfg(target_os = "linux")]
    pub(crate) fn file(&self) -> Option<&Arc<File>> {
        match &self.memory {
            Memory::Mapped { file, .. } => Some(file),
            Memory::Heap(_) => None,
        }
    }

    /// Puts memory behind a range, so that touching it cannot fail later.
    pub(crate) fn commit(&self, range: Range<u64>) -> io::Result<()> {
        match &self.memory {
            #[cfg(target_os = "linux")]
            Memory::Mapped { file, .. } => fallocate::take(file, range),
            // Elsewhere nothing of the kind exists for shared memory objects.
            #[cfg(not(target_os = "linux"))]
            Memory::Mapped { .. } => Ok(()),
            Memory::Heap(heap) => heap.commit(range.end - range.start),
        }
    }

    /// Puts memory behind a range of whole runs, in huge pages and mapped. On failure, behind any
    /// part of it, and behind some perhaps in small pages.
    pub(crate) fn collapse(&self, range: Range<u64>) -> io::Result<()> {
        match &self.memory {
            #[cfg(target_os = "linux")]
            Memory::Mapped { mapping, file } => {
                let page = crate::layout::page_bytes();
                for run in range.clone().step_by(RUN_BYTES as usize) {
                    fallocate::take(file, run..run + page)?;
                }
                mapping.collapse(range.start as usize..range.end as usize)
            }
            _ => {
                let _ = range;
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    /// Takes the memory behind a range away: it reads as zeros.
    ///
    /// # Safety
    /// Nobody touches the range until it has been committed again.
    pub(crate) unsafe fn punch(&self, range: Range<u64>) -> io::Result<()> {
        match &self.memory {
            #[cfg(target_os = "linux")]
            Memory::Mapped { file, .. } => fallocate::punch(file, range),
            #[cfg(not(target_os = "linux"))]
            Memory::Mapped { .. } => Err(io::ErrorKind::Unsupported.into()),
            Memory::Heap(heap) => {
                let len = range.end - range.start;
                // SAFETY: the range lies in the segment (checked by `address`), and nobody touches it
                // (the caller's promise).
                unsafe {
                    ptr::write_bytes(self.address(range.start, len).as_ptr(), 0, len as usize)
                }
                heap.committed.fetch_sub(len, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// The address of `len` bytes at an offset. Panics if they are not all in the segment.
    pub(crate) fn address(&self, offset: u64, len: u64) -> NonNull<u8> {
        let end = offset.checked_add(len);
        assert!(
            end.is_some_and(|end| end <= self.bytes),
            "{offset}+{len} is outside of the segment"
        );
        let start = match &self.memory {
            Memory::Mapped { mapping, .. } => mapping.start(),
            Memory::Heap(heap) => heap.start,
        };
        // SAFETY: just checked to lie in the memory that begins at `start`.
        unsafe { start.add(offset as usize) }
    }

    /// Lets `fill` write a range.
    ///
    /// # Safety
    /// The range is committed, and nobody else uses it until this returns.
    pub(crate) unsafe fn fill<T>(
        &self,
        offset: u64,
        len: u64,
        fill: impl FnOnce(&mut [u8]) -> T,
    ) -> T {
        let start = self.address(offset, len);
        // SAFETY: `address` checked the range, which is committed and ours alone (the caller's
        // promise); the system initialises what nobody else has.
        fill(unsafe { slice::from_raw_parts_mut(start.as_ptr(), len as usize) })
    }

    /// Copies bytes in, with so many threads to help; `cold` says that the place has not been touched since it was committed, which only makes it
    /// faster.
    ///
    /// # Safety
    /// The caller holds the draft of this range, and `bytes` does not lie in it.
    pub(crate) unsafe fn write(&self, offset: u64, bytes: &[u8], cold: bool, helpers: usize) {
        if let Memory::Mapped { file, .. } = &self.memory
            && cold
            && cold::write(file, offset, bytes)
        {
            return;
        }
        let copy = |target: &mut [u8]| transfer::copy(target, bytes, helpers);
        // SAFETY: the draft makes us the only user of the range (the caller's promise), and its
        // memory is committed.
        unsafe { self.fill(offset, bytes.len() as u64, copy) }
    }
}

impl Heap {
    fn new(bytes: usize, bytes_max: u64) -> io::Result<Self> {
        let layout = Layout::from_size_align(bytes, RUN_BYTES as usize)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        assert_ne!(bytes, 0, "a segment has at least one run");
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        let start = start.ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            start,
            layout,
            bytes_max,
            committed: AtomicU64::new(0),
        })
    }

    fn commit(&self, bytes: u64) -> io::Result<()> {
        // Commits of a store come one at a time.
        let committed = self.committed.load(Ordering::Relaxed).saturating_add(bytes);
        if committed > self.bytes_max {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        self.committed.store(committed, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: made with this layout in `new`, and freed only here.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 8 << 20;

    fn check(backing: Backing) {
        let segment = Segment::new(backing, BYTES).unwrap();
        assert!(
            segment
                .address(0, BYTES)
                .as_ptr()
                .addr()
                .is_multiple_of(RUN_BYTES as usize)
        );
        segment.commit(0..RUN_BYTES).unwrap();
        for (cold, seed) in [(true, 1), (false, 2)] {
            let bytes: Vec<u8> = (0..300_000)
                .map(|at: u32| (at * seed % 251) as u8)
                .collect();
            // SAFETY: the test alone uses the segment.
            unsafe { segment.write(12_345, &bytes, cold, 0) };
            // SAFETY: as above, and written just now.
            let read = unsafe {
                std::slice::from_raw_parts(segment.address(12_345, 300_000).as_ptr(), 300_000)
            };
            assert_eq!(read, bytes);
        }
        // SAFETY: no reference into the segment is left.
        unsafe { segment.punch(0..RUN_BYTES) }.unwrap();
        segment.commit(0..RUN_BYTES).unwrap();
        // SAFETY: committed, and nobody else uses it.
        let byte = unsafe { segment.address(12_345, 1).read() };
        assert_eq!(byte, 0, "punched memory reads as zero");
    }

    #[test]
    fn a_file_can_be_written_read_and_punched() {
        check(Backing::File);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_posix_object_can_too() {
        check(Backing::Posix);
    }

    #[test]
    fn the_heap_can_too() {
        check(Backing::Heap { bytes_max: BYTES });
    }

    #[test]
    fn the_heap_refuses_more_than_its_budget() {
        let segment = Segment::new(
            Backing::Heap {
                bytes_max: RUN_BYTES,
            },
            BYTES,
        )
        .unwrap();
        segment.commit(0..RUN_BYTES).unwrap();
        let error = segment.commit(RUN_BYTES..RUN_BYTES + 1).unwrap_err();
        assert_eq!(
            error.raw_os_error(),
            Some(rustix::io::Errno::NOSPC.raw_os_error())
        );
    }

    #[test]
    #[should_panic(expected = "outside of the segment")]
    fn an_address_outside_is_refused() {
        let segment = Segment::new(Backing::File, BYTES).unwrap();
        segment.address(BYTES, 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_of_a_segment_can_be_seen_or_inherited() {
        for backing in [Backing::File, Backing::Posix] {
            let segment = Segment::new(backing, BYTES).unwrap();
            let file = segment.file().unwrap();
            let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&**file));
            let name = std::fs::read_link(link).unwrap();
            assert!(
                name.to_string_lossy().ends_with(" (deleted)"),
                "{name:?} can be seen"
            );
            let flags = rustix::io::fcntl_getfd(&**file).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }
}
