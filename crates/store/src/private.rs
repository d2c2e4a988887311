//! A segment seen through a copy-on-write mapping: writes stay in it, and can be undone.
#![allow(unsafe_code, reason = "drops pages of a mapping")]

use std::{fs::File, io, ops::Range, ptr::NonNull, sync::Arc};

use crate::{mapping::Mapping, segment::Segment};

/// One reader's own view of one segment. What it has not written, it sees as it is now.
#[derive(Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "cannot be made there")
)]
pub(crate) struct PrivateMap {
    mapping: Mapping,
    /// Keeps the file open in case a range has to be mapped anew.
    file: Arc<File>,
    bytes: u64,
}

impl PrivateMap {
    /// Maps a segment. The heap cannot be, nor shared memory on systems other than Linux.
    pub(crate) fn new(segment: &Segment) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(file) = segment.file() {
            let bytes = segment.bytes();
            let mapping = Mapping::private(file, bytes as usize)?;
            return Ok(Self {
                mapping,
                file: Arc::clone(file),
                bytes,
            });
        }
        let _ = segment;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The address of `len` bytes at an offset. Panics if they are not all in the segment.
    pub(crate) fn address(&self, offset: u64, len: u64) -> NonNull<u8> {
        let end = offset.checked_add(len);
        assert!(
            end.is_some_and(|end| end <= self.bytes),
            "{offset}+{len} is outside of the map"
        );
        // SAFETY: just checked to lie in the mapping.
        unsafe { self.mapping.start().add(offset as usize) }
    }

    /// Undoes all writes to a range of whole pages.
    ///
    /// # Safety
    /// Nobody uses the range: no view of it is left.
    #[cfg(target_os = "linux")]
    pub(crate) unsafe fn restore(&self, range: Range<u64>) -> io::Result<()> {
        use rustix::mm::{Advice, madvise};

        let len = range.end - range.start;
        let start = self.address(range.start, len);
        // SAFETY: the range lies in this private mapping, whose pages come back from the file, and
        // nobody uses it (the caller's promise).
        if unsafe { madvise(start.as_ptr().cast(), len as usize, Advice::LinuxDontNeed) }.is_ok() {
            return Ok(());
        }
        // Locked memory (`mlockall`) is not let go, but can be mapped over.
        // SAFETY: `address` has checked the range, the mapping is a private one of this file, and
        // nobody uses the range.
        unsafe {
            self.mapping
                .remap(&self.file, range.start as usize..range.end as usize)
        }
    }

    /// Undoes all writes to a range of whole pages.
    ///
    /// # Safety
    /// Nobody uses the range: no view of it is left.
    #[cfg(not(target_os = "linux"))]
    pub(crate) unsafe fn restore(&self, _range: Range<u64>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
