//! The sizes of things: what they are, in bytes, and what must hold between them.

/// Every object's bytes begin at a multiple of this: a cache line, and what Arrow prefers.
pub(crate) const OBJECT_ALIGN: u64 = 64;

/// The largest object that shares its pages with others. Up to here a copy is cheaper than a view.
pub(crate) const SLOT_BYTES_MAX: u64 = 16 << 10;

/// What a slab takes from an arena to carve slots from.
pub(crate) const SLAB_BYTES: u64 = 64 << 10;

/// The step in which memory is committed and given back: a huge page, which never gets split so.
pub(crate) const RUN_BYTES: u64 = 2 << 20;

/// How much address space a segment reserves, unless one object needs more.
pub(crate) const SEGMENT_BYTES: u64 = 1 << 30;

/// How many segments a store can have; with the bound on address space this is far away.
pub(crate) const SEGMENTS_MAX: usize = 1024;

/// Segments in files on disk have numbers of their own, from here on.
pub(crate) const FIRST_DISK_SEGMENT: u32 = SEGMENTS_MAX as u32;

/// How many segments can be on disk. Each takes a file descriptor.
pub(crate) const DISK_SEGMENTS_MAX: usize = 512;

/// How long a segment on disk is, unless one object needs more or the disk has less.
pub(crate) const DISK_SEGMENT_BYTES: u64 = 32 << 20;

/// From here on, never-used memory is filled through the file rather than the mapping: below,
/// the system call costs more than the page faults it saves.
pub(crate) const FILE_WRITE_BYTES_MIN: usize = 64 << 10;

/// A page is no larger than this on any platform the store runs on (arm64 Linux has 64 KiB).
pub(crate) const PAGE_BYTES_MAX: u64 = 64 << 10;

const _: () = {
    assert!(OBJECT_ALIGN.is_power_of_two());
    assert!(SLOT_BYTES_MAX.is_multiple_of(OBJECT_ALIGN));
    assert!(SLAB_BYTES.is_multiple_of(SLOT_BYTES_MAX));
    assert!(SLAB_BYTES.is_multiple_of(PAGE_BYTES_MAX));
    assert!(RUN_BYTES.is_power_of_two() && RUN_BYTES.is_multiple_of(SLAB_BYTES));
    assert!(SEGMENT_BYTES.is_multiple_of(RUN_BYTES));
};

/// The size of a page here and now: 4, 16 or 64 KiB.
pub(crate) fn page_bytes() -> u64 {
    let bytes = rustix::param::page_size() as u64;
    assert!(
        bytes.is_power_of_two() && bytes <= PAGE_BYTES_MAX,
        "pages of {bytes} bytes are not supported"
    );
    bytes
}

/// The next multiple of `step`, a power of two; nothing if it does not fit.
pub(crate) const fn round_up(bytes: u64, step: u64) -> Option<u64> {
    match bytes.checked_add(step - 1) {
        Some(sum) => Some(sum & !(step - 1)),
        None => None,
    }
}
