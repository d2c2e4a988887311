//! Adjacent pages lent by an arena, with where they are.

/// A run of whole pages in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    pub(crate) segment: u32,
    /// The arena's name for it.
    pub(crate) block: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}
