//! What a store holds at one moment.

/// What a store holds at one moment; while threads are at work the numbers need not fit together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stats {
    /// The most bytes that objects may take.
    pub capacity: u64,
    /// Bytes that objects and drafts take: whole pages, and whole slabs for small ones.
    pub bytes: u64,
    /// Bytes of memory taken from the system.
    pub committed: u64,
    /// Bytes of address space reserved; costs no memory.
    pub reserved: u64,
    /// Objects and drafts that have not been freed.
    pub objects: u64,
    /// Pins that have not been given back.
    pub pins: u64,
    /// Objects that have any.
    pub pinned_objects: u64,
    /// Bytes of those objects, as their makers count them.
    pub pinned_bytes: u64,
    /// Bytes that objects take in memory that a file on disk stands behind. Not in `bytes`.
    pub disk: u64,
    /// Objects that are on disk instead of in memory.
    pub spilled_objects: u64,
    /// Bytes of the spill file that they take. Not in `bytes`.
    pub spilled: u64,
    /// How often an object has been brought back from there.
    pub restored_objects: u64,
}
