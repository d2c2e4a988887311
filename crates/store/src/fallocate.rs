//! Taking the blocks behind a part of a file, and giving them back, where the system knows how.
#![cfg(target_os = "linux")]

use std::{fs::File, io, ops::Range};

use rustix::fs::FallocateFlags;

/// Puts blocks behind a range, so that writing there cannot fail for want of them.
pub(crate) fn take(file: &File, range: Range<u64>) -> io::Result<()> {
    change(file, FallocateFlags::empty(), range)
}

/// Takes the blocks behind a range away: it reads as zeros.
pub(crate) fn punch(file: &File, range: Range<u64>) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    change(file, flags, range)
}

fn change(file: &File, flags: FallocateFlags, range: Range<u64>) -> io::Result<()> {
    // A signal ends the call early, with nothing done: long ranges go step by step, so that a
    // program with a profiling timer gets on.
    const STEP_BYTES: u64 = 64 << 20;
    let mut at = range.start;
    while at < range.end {
        let len = STEP_BYTES.min(range.end - at);
        rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, flags, at, len))?;
        at += len;
    }
    Ok(())
}
