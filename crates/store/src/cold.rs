//! Filling memory that has not been touched since it was committed in small pages: through the file,
//! which spares a page fault and the zeroing per page (0.54 of memcpy's speed against 0.25 through
//! the mapping).

use std::fs::File;

use crate::layout::FILE_WRITE_BYTES_MIN;

/// Writes to the file if that is the faster way. False: nothing is settled, write to the mapping.
pub(crate) fn write(file: &File, offset: u64, bytes: &[u8]) -> bool {
    // Elsewhere shared memory objects can only be mapped.
    if !cfg!(target_os = "linux") || bytes.len() < FILE_WRITE_BYTES_MIN {
        return false;
    }
    // What was written before a failure will be written again, to the same place.
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset).is_ok()
}
